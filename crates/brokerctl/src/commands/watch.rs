//! `watch`: what happens. A live list of prompts on a terminal, lines elsewhere.

#[cfg(unix)]
mod list;
#[cfg(unix)]
mod live;

use broker_client::blocking::Client;
use broker_client::{AccountState, ErrorBody, ErrorCode, Event};

use crate::cli::Plain;
use crate::failure::Failure;
use crate::prompt::Mode;
use crate::{clean, output, prompt};

/// `brokerctl watch`
#[cfg_attr(not(unix), expect(clippy::needless_pass_by_value, reason = "what draws keeps it"))]
pub(crate) fn run(client: Client, mode: Mode, options: &Plain) -> Result<(), Failure> {
    #[cfg(unix)]
    if mode.may_draw()
        && !options.is_json()
        && std::io::IsTerminal::is_terminal(&std::io::stdout())
        && let Some(session) = crate::terminal::Session::take()
    {
        live::run(client, session);
        return Ok(());
    }
    #[cfg(not(unix))]
    let _ = mode; // nothing is drawn there
    lines(&client, options)
}

fn lines(client: &Client, options: &Plain) -> Result<(), Failure> {
    for event in client.events()? {
        let event = event?;
        if options.is_json() {
            output::json(&event)?;
        } else {
            output::line(&told(&event))?;
        }
    }
    Err(ErrorBody::new(ErrorCode::ShuttingDown, "brokerd has left").into())
}

/// An event in one line.
pub(crate) fn told(event: &Event) -> String {
    clean::line(&describe(event)).into_owned()
}

/// Events and what is wrong, drawn.
#[cfg(all(test, unix))]
pub(crate) fn drawn(events: &[Event], trouble: &str, look: &crate::terminal::Look) -> Vec<crate::terminal::Line> {
    let mut list = list::List::default();
    (list.away, list.done) = (Some(trouble.into()), Some(Err(trouble.into())));
    for event in events {
        list.hear(event.clone(), std::time::UNIX_EPOCH);
    }
    list.lines(std::time::UNIX_EPOCH, look)
}

fn describe(event: &Event) -> String {
    match event {
        Event::PromptStarted(started) => {
            let (who, place) = (prompt::requester(started), prompt::place(started));
            let scopes = match started.scopes.join(" ") {
                none if none.is_empty() => none,
                scopes => format!(" ({scopes})"),
            };
            format!(
                "prompt {} started: {who} asks to sign in to {place}{scopes}: open {} and enter {}",
                started.id, started.verification_uri, started.user_code
            )
        }
        Event::PromptEnded { id, outcome } => format!("prompt {id} ended: {outcome}"),
        Event::AccountChanged { account, profile, state } => {
            let state = state.map_or("signed_out", AccountState::as_str);
            format!("account {} ({profile}) is {}", account.username, state.replace('_', " "))
        }
        Event::Lagged { missed } => {
            format!("{missed} events missed; see `brokerctl prompts` and `brokerctl accounts`")
        }
        _ => "something this version does not know".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines() {
        let table = [
            (r#"{"event":"prompt_ended","id":"p1","outcome":"cancelled"}"#, "prompt p1 ended: cancelled"),
            (
                r#"{"event":"account_changed","account":{"id":"1","username":"ada"},"profile":"work","state":"unsaved"}"#,
                "account ada (work) is unsaved",
            ),
            (
                r#"{"event":"account_changed","account":{"id":"1","username":"ada"},"profile":"work"}"#,
                "account ada (work) is signed out",
            ),
            (r#"{"event":"lagged","missed":3}"#, "3 events missed; see `brokerctl prompts` and `brokerctl accounts`"),
        ];
        for (json, line) in table {
            assert_eq!(describe(&serde_json::from_str(json).unwrap()), line);
        }
        let started = |more| describe(&Event::PromptStarted(Box::new(prompt::example(more))));
        let (start, end) =
            ("prompt p1 started: a program asks to sign in to work", ": open https://x.test/d and enter ABCD-EFGH");
        assert_eq!(started(serde_json::json!({})), format!("{start}{end}"));
        let asked = serde_json::json!({"account": "ada", "scopes": ["openid", "mail.read"]});
        assert_eq!(started(asked), format!("{start} as ada (openid mail.read){end}"));
    }
}
