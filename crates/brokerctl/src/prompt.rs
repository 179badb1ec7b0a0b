//! What a user sees who must act: who asks and for what, where to go, which code to enter.

use broker_client::DevicePrompt;

use crate::clean::line;
use crate::duration;

/// Writes a prompt in plain lines.
pub(crate) fn render(prompt: &DevicePrompt) -> String {
    let asked_by = requester(prompt);
    let mut lines = vec![format!("brokerctl: {asked_by} asks to sign in to {}", line(&prompt.profile))];
    let mut put = |name: &str, value: &str| {
        let name = format!("{name}:");
        lines.push(format!("  {name:<10} {}", line(value)));
    };
    if let Some(account) = &prompt.account {
        put("account", account);
    }
    if !prompt.scopes.is_empty() {
        put("scopes", &prompt.scopes.join(" "));
    }
    put("open", &prompt.verification_uri);
    put("enter", &prompt.user_code);
    if let Some(complete) = &prompt.verification_uri_complete {
        put("or open", complete);
    }
    put("time left", &duration::rough(prompt.expires_in));
    lines.push("never enter a code that somebody sent you\n".to_owned());
    lines.join("\n")
}

/// Names the process that asked first.
pub(crate) fn requester(prompt: &DevicePrompt) -> String {
    let asked_by = &prompt.requested_by;
    match (&asked_by.command, asked_by.pid) {
        (Some(command), Some(pid)) => format!("{} (process {pid})", line(command)),
        (Some(command), None) => line(command).into_owned(),
        (None, Some(pid)) => format!("process {pid}"),
        (None, None) => "a program".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(more: serde_json::Value) -> DevicePrompt {
        let mut value = serde_json::json!({
            "id": "p1", "user_code": "ABCD-EFGH", "verification_uri": "https://x.test/d",
            "expires_at": "2026-01-01T00:00:00Z", "expires_in": 900, "interval": 5,
            "profile": "work", "scopes": [], "requested_by": {}
        });
        if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_prompt_says_who_asks_for_what_and_where_to_go() {
        let full = prompt(serde_json::json!({
            "account": "ada@example.com", "scopes": ["User.Read", "openid"],
            "verification_uri_complete": "https://x.test/d?code=ABCD",
            "requested_by": {"pid": 4711, "command": "git"}
        }));
        assert_eq!(
            render(&full),
            "brokerctl: git (process 4711) asks to sign in to work\n  \
               account:   ada@example.com\n  \
               scopes:    User.Read openid\n  \
               open:      https://x.test/d\n  \
               enter:     ABCD-EFGH\n  \
               or open:   https://x.test/d?code=ABCD\n  \
               time left: 15 min\n\
             never enter a code that somebody sent you\n"
        );
        let bare = render(&prompt(serde_json::json!({})));
        assert!(bare.starts_with("brokerctl: a program asks"), "{bare}");
        assert!(!bare.contains("account:") && !bare.contains("or open"), "{bare}");
    }

    #[test]
    fn nothing_in_a_prompt_steers_the_terminal() {
        let bad = "x\u{1b}[2J\n\u{202e}";
        let hostile = prompt(serde_json::json!({
            "user_code": bad, "verification_uri": bad, "verification_uri_complete": bad,
            "profile": bad, "account": bad, "scopes": [bad], "requested_by": {"command": bad}
        }));
        let text = render(&hostile);
        assert!(!text.chars().any(|char| char != '\n' && crate::clean::is_unsafe(char)), "{text:?}");
        assert_eq!(text.lines().count(), 8);
    }
}
