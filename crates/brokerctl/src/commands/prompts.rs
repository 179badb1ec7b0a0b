//! `prompts`: who waits for a user; open the page of one, or cancel it.

use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use broker_client::blocking::Client;
use broker_client::{DevicePrompt, ErrorBody, ErrorCode};

use super::status::PATIENCE;
use crate::cli::{Plain, Prompts, PromptsCommand};
use crate::failure::{Failure, say};
use crate::output::{self, Table};
use crate::prompt::{Browser, Link};
use crate::{clean, duration, prompt};

/// How long a browser's starter is waited for: `xdg-open` tries one program after another.
const OPENING: Duration = Duration::from_secs(2);

/// `brokerctl prompts`
pub(crate) fn run(client: Client, options: &Prompts) -> Result<(), Failure> {
    let client = client.with_call_timeout(PATIENCE);
    match (&options.command, &options.cancel) {
        (Some(PromptsCommand::Cancel(which)), _) => cancel(&client, Some(&which.id), &which.plain),
        (Some(PromptsCommand::Open(which)), _) => open(&client, which.id.as_deref(), &which.plain),
        (None, Some(id)) => cancel(&client, Some(id), &options.plain),
        (None, None) => list(&client, &options.plain),
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
    table(&prompts.prompts).print()
}

/// Writes prompts for people.
pub(crate) fn table(prompts: &[DevicePrompt]) -> Table {
    let mut table = Table::default();
    table.row(["ID", "PROFILE", "ACCOUNT", "CODE", "OPEN", "LEFT", "ASKED BY"]);
    for pending in prompts {
        let left = duration::rough(pending.expires_in);
        let asked_by = prompt::requester(pending);
        let (code, open) = (&pending.user_code, &pending.verification_uri);
        let account = pending.account.as_deref().unwrap_or("-");
        table.row([&pending.id, &pending.profile, account, code, open, &left, &asked_by]);
    }
    table
}

fn cancel(client: &Client, id: Option<&str>, options: &Plain) -> Result<(), Failure> {
    let id = find(client.prompts()?.prompts, id)?.id;
    client.cancel_prompt(&id)?;
    if options.is_json() {
        return output::json(&serde_json::json!({ "cancelled": id }));
    }
    say(&format!("brokerctl: cancelled {}\n", clean::line(&id)));
    Ok(())
}

fn open(client: &Client, id: Option<&str>, options: &Plain) -> Result<(), Failure> {
    let prompt = find(client.prompts()?.prompts, id)?;
    let nowhere = |what: &str| {
        let hint = format!("open {} on any device, and enter {}", prompt.verification_uri, prompt.user_code);
        Failure::from(ErrorBody::new(ErrorCode::NotFound, what).with_hint(hint))
    };
    let link = Link::of(&prompt).ok_or_else(|| nowhere("the prompt has no page that can be opened"))?;
    let browser = Browser::find().ok_or_else(|| nowhere("there is no browser here"))?;
    let opener = browser.open(&link).map_err(|error| nowhere(&format!("the browser does not start: {error}")))?;
    if let Some(status) = ended(opener).filter(|status| !status.success()) {
        return Err(nowhere(&format!("the browser does not start: {status}")));
    }
    if options.is_json() {
        return output::json(&serde_json::json!({ "opened": prompt.id, "user_code": prompt.user_code }));
    }
    say(&format!("brokerctl: page opened; enter {}\n", clean::line(&prompt.user_code)));
    Ok(())
}

/// Returns what a browser's starter ended with, if it does so soon: it ends badly where there is no browser. A browser itself
/// stays.
fn ended(mut opener: Child) -> Option<ExitStatus> {
    // `Child` has no wait with a limit. The thread ends with this process, if not before.
    let (tell, told) = mpsc::channel();
    thread::Builder::new().spawn(move || tell.send(opener.wait())).ok()?;
    told.recv_timeout(OPENING).ok()?.ok()
}

/// Finds a prompt by its id or the beginning of it, or the only one.
fn find(mut prompts: Vec<DevicePrompt>, id: Option<&str>) -> Result<DevicePrompt, ErrorBody> {
    let start = id.unwrap_or_default();
    if prompts.iter().any(|prompt| prompt.id == start) {
        prompts.retain(|prompt| prompt.id == start);
    } else {
        prompts.retain(|prompt| prompt.id.starts_with(start));
    }
    match (prompts.len(), id) {
        (1, _) => Ok(prompts.remove(0)),
        (0, None) => Err(ErrorBody::new(ErrorCode::NotFound, "nobody waits for a sign-in")),
        (0, Some(_)) => {
            Err(ErrorBody::new(ErrorCode::NotFound, "there is no such prompt").with_hint("see: brokerctl prompts"))
        }
        _ => Err(ErrorBody::new(ErrorCode::NotFound, "several prompts could be meant")
            .with_hint("name one by its id, or the beginning of it: brokerctl prompts")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_sign_in_it_is_has_a_column() {
        let prompts = [json!({"account": "ada"}), json!({})].map(prompt::example);
        let rows = table(&prompts).render();
        let accounts = rows.lines().map(|row| row.split_whitespace().nth(2).unwrap()).collect::<Vec<_>>();
        assert_eq!(accounts, ["ACCOUNT", "ada", "-"]);
    }

    #[test]
    fn a_prompt_is_found_by_what_names_it_alone() {
        let all = || ["abc", "abcd", "xyz"].map(|id| prompt::example(json!({"id": id}))).to_vec();
        let found = |id| find(all(), id).map(|prompt| prompt.id).map_err(|body| body.error_description);
        assert_eq!(found(Some("x")).as_deref(), Ok("xyz"));
        assert_eq!(found(Some("abc")).as_deref(), Ok("abc"), "a whole id is that one");
        assert_eq!(found(Some("ab")).unwrap_err(), "several prompts could be meant");
        assert_eq!(found(Some("q")).unwrap_err(), "there is no such prompt");
        assert!(found(None).is_err());
        assert_eq!(find(all().split_off(2), None).map(|prompt| prompt.id).as_deref(), Ok("xyz"));
        assert!(find(vec![], None).is_err());
    }
}
