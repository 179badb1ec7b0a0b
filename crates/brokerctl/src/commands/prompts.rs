//! `prompts`: who waits for a user, and how to end that.

use broker_client::blocking::Client;

use crate::cli::{Plain, Prompts, PromptsCommand};
use crate::failure::{Failure, say};
use crate::output::{self, Table};
use crate::{clean, duration, prompt};

/// `brokerctl prompts`
pub(crate) fn run(client: &Client, options: &Prompts) -> Result<(), Failure> {
    match (&options.command, &options.cancel) {
        (Some(PromptsCommand::Cancel(cancel)), _) => self::cancel(client, &cancel.id, &cancel.plain),
        (None, Some(id)) => cancel(client, id, &options.plain),
        (None, None) => list(client, &options.plain),
    }
}

fn list(client: &Client, options: &Plain) -> Result<(), Failure> {
    let prompts = client.prompts()?;
    if options.is_json() {
        return output::json(&prompts);
    }
    if prompts.prompts.is_empty() {
        say("brokerctl: nobody waits for a sign-in\n");
        return Ok(());
    }
    let mut table = Table::default();
    table.row(["ID", "PROFILE", "CODE", "OPEN", "LEFT", "ASKED BY"]);
    for pending in &prompts.prompts {
        let left = duration::rough(pending.expires_in);
        let asked_by = prompt::requester(pending);
        let (code, open) = (&pending.user_code, &pending.verification_uri);
        table.row([&pending.id, &pending.profile, code, open, &left, &asked_by]);
    }
    table.print()
}

fn cancel(client: &Client, id: &str, options: &Plain) -> Result<(), Failure> {
    client.cancel_prompt(id)?;
    if options.is_json() {
        return output::json(&serde_json::json!({ "cancelled": id }));
    }
    say(&format!("brokerctl: cancelled {}\n", clean::line(id)));
    Ok(())
}
