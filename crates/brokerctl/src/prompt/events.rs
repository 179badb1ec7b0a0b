//! The prompt for programs: on stderr, one JSON object a line, as the daemon's own stream has them.

use broker_client::{AccountRef, ErrorBody, TokenEvent};
use serde_json::json;

use super::Notice;
use crate::clean;

/// Writes what there is to tell.
pub(super) fn notice(notice: Notice<'_>) -> String {
    match notice {
        Notice::Prompt(prompt) => event(&TokenEvent::DevicePrompt(Box::new(prompt.clone()))),
        Notice::Away => line(&json!({"event": "daemon_away"})),
        Notice::Back => line(&json!({"event": "daemon_back"})),
    }
}

/// Writes who signed in. The token is on stdout, and nowhere else.
pub(super) fn signed_in(account: &AccountRef, profile: &str) -> String {
    event(&TokenEvent::SignedIn { account: account.clone(), profile: profile.to_owned() })
}

/// Writes how it failed.
pub(crate) fn failed(body: &ErrorBody) -> String {
    event(&TokenEvent::Error(body.clone()))
}

/// Writes what is said beside.
pub(super) fn note(text: &str) -> String {
    line(&json!({"event": "note", "text": text}))
}

fn event(event: &TokenEvent) -> String {
    // An event of these kinds has nothing that cannot be written.
    line(&serde_json::to_value(event).unwrap_or_default())
}

fn line(value: &serde_json::Value) -> String {
    clean::json(value.to_string()) + "\n"
}

#[cfg(test)]
mod tests {
    use broker_client::ErrorCode;

    use super::*;

    #[test]
    fn events_are_lines_of_the_protocol() {
        let prompt = super::super::example(json!({"user_code": "AB\u{1b}[2J\u{202e}", "scopes": ["a"]}));
        let told = notice(Notice::Prompt(&prompt));
        assert!(told.ends_with('\n') && !told.trim_end().chars().any(crate::clean::is_unsafe), "{told:?}");
        let read: TokenEvent = serde_json::from_str(&told).unwrap();
        assert!(matches!(read, TokenEvent::DevicePrompt(read) if *read == prompt));
        assert_eq!(
            signed_in(&AccountRef { id: "1".into(), username: "ada".into() }, "work"),
            "{\"account\":{\"id\":\"1\",\"username\":\"ada\"},\"event\":\"signed_in\",\"profile\":\"work\"}\n"
        );
        assert_eq!(note("a\"\n"), "{\"event\":\"note\",\"text\":\"a\\\"\\n\"}\n");
        let read: ErrorBody = serde_json::from_str(&failed(&ErrorBody::new(ErrorCode::Timeout, "late"))).unwrap();
        assert_eq!(read.error, ErrorCode::Timeout, "a failure is still the body that `-o json` promises");
    }
}
