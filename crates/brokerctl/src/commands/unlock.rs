//! `unlock`: gives the daemon the passphrase of its sealed file, from this terminal.

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};
use secrecy::ExposeSecret as _;

use crate::cli::Plain;
use crate::failure::{Failure, say};
use crate::{hidden, output};

const HINT: &str = "type it when asked, or pipe it in: … | brokerctl unlock";

/// `brokerctl unlock`
pub(crate) fn run(client: &Client, options: &Plain) -> Result<(), Failure> {
    let mut store = client.status()?.store;
    // Whether a passphrase is chosen or asked for is known once brokerd has tried the store: to list accounts it does.
    if store.state == "opening" {
        client.accounts()?;
        store = client.status()?.store;
    }
    if store.state == "ok" {
        return done(options, "nothing to unlock: the store is open");
    }
    let new = store.unlock.as_deref() == Some("new_passphrase");
    let passphrase = if new {
        let chosen = hidden::secret("new passphrase (not shown): ", HINT)?;
        // Only a person mistypes.
        if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            let again = hidden::secret("the same again: ", HINT)?;
            if chosen.expose_secret() != again.expose_secret() {
                let body = ErrorBody::new(ErrorCode::BadRequest, "these are two passphrases");
                return Err(body.with_hint("nothing was changed; try again: brokerctl unlock").into());
            }
        }
        chosen
    } else {
        hidden::secret("passphrase (not shown): ", HINT)?
    };
    client.unlock(&passphrase, new)?;
    // In the same words, a wrong path or a mistyped passphrase in a script would pass for an unlocked store.
    let what = if new { "a new store, with this passphrase from now on; it is" } else { "the store is" };
    done(options, &format!("{what} unlocked until brokerd ends"))
}

fn done(options: &Plain, what: &str) -> Result<(), Failure> {
    if options.is_json() {
        return output::json(&serde_json::json!({ "state": "ok" }));
    }
    say(&format!("brokerctl: {what}\n"));
    Ok(())
}
