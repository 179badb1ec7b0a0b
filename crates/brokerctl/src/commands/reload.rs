//! `reload`: how the daemon should be.

use broker_client::blocking::Client;

use crate::cli::Plain;
use crate::failure::Failure;
use crate::output::{self, Table};

/// `brokerctl reload`
pub(crate) fn run(client: &Client, options: &Plain) -> Result<(), Failure> {
    let reloaded = client.reload()?;
    if options.is_json() {
        return output::json(&reloaded);
    }
    let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut table = Table::default();
    table.row(["changed", &names(&reloaded.changed)]);
    table.row(["profiles", &names(&reloaded.profiles)]);
    table.print()
}
