//! The prompt in plain lines: for logs, pipes and screen readers. Nothing is drawn twice, nothing is said by a colour.

use broker_client::DevicePrompt;

use super::Notice;
use crate::clean::line;
use crate::duration;

/// Accounts beyond so many are not read.
const MOST_OTHERS: usize = 3;

/// Writes what there is to tell.
pub(super) fn notice(notice: Notice<'_>) -> String {
    match notice {
        Notice::Prompt(prompt) => render(prompt),
        Notice::Away => "brokerctl: brokerd went away; waiting for it to come back\n".to_owned(),
        Notice::Back => "brokerctl: brokerd is back\n".to_owned(),
    }
}

/// Writes a prompt.
fn render(prompt: &DevicePrompt) -> String {
    let asked_by = requester(prompt);
    let mut lines = vec![format!("brokerctl: {asked_by} asks to sign in to {}", line(&prompt.profile))];
    let mut put = |name: &str, value: &str| {
        let name = if name.is_empty() { String::new() } else { format!("{name}:") };
        lines.push(format!("  {name:<10} {}", line(value)));
    };
    if let Some(account) = &prompt.account {
        put("account", account);
    }
    if let Some(others) = others(prompt) {
        put("", &others);
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
    lines.push("go on only if you started this; never enter a code that somebody sent you\n".to_owned());
    lines.join("\n")
}

/// Says who is signed in, where the account that was asked for is not: its name may be mistyped.
pub(super) fn others(prompt: &DevicePrompt) -> Option<String> {
    let (first, rest) = prompt.other_accounts.split_at_checked(MOST_OTHERS).unwrap_or((&prompt.other_accounts, &[]));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    (!first.is_empty()).then(|| format!("nobody is signed in as that; there are: {}{more}", first.join(", ")))
}

/// Names what the sign-in is to: the profile, and the account where one was asked for.
pub(crate) fn place(prompt: &DevicePrompt) -> String {
    match &prompt.account {
        Some(account) => format!("{} as {}", line(&prompt.profile), line(account)),
        None => line(&prompt.profile).into_owned(),
    }
}

/// Names the process that asked first. One that came through a restricted socket may speak for another machine, so that is said.
pub(crate) fn requester(prompt: &DevicePrompt) -> String {
    let asked_by = &prompt.requested_by;
    let who = match (&asked_by.command, asked_by.pid) {
        (Some(command), Some(pid)) => format!("{} (process {pid})", line(command)),
        (Some(command), None) => line(command).into_owned(),
        (None, Some(pid)) => format!("process {pid}"),
        (None, None) => "a program".to_owned(),
    };
    match &asked_by.via {
        Some(socket) => format!("{who}, through {}", line(socket)),
        None => who,
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn a_prompt_says_who_asks_for_what_and_where_to_go() {
        let full = example(serde_json::json!({
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
             go on only if you started this; never enter a code that somebody sent you\n"
        );
        let far =
            example(serde_json::json!({"requested_by": {"pid": 4711, "command": "sshd", "via": "/run/far.sock"}}));
        assert!(render(&far).starts_with("brokerctl: sshd (process 4711), through /run/far.sock asks"), "{far:?}");
        let bare = render(&example(serde_json::json!({})));
        assert!(bare.starts_with("brokerctl: a program asks"), "{bare}");
        assert!(!bare.contains("account:") && !bare.contains("or open"), "{bare}");
    }

    #[test]
    fn a_name_that_may_be_mistyped_is_told_beside_those_there_are() {
        let told = |others: &[&str]| {
            render(&example(serde_json::json!({"account": "adda", "other_accounts": others})))
                .lines()
                .nth(2)
                .map(str::to_owned)
        };
        let line = "             nobody is signed in as that; there are: ";
        assert_eq!(told(&["ada"]), Some(format!("{line}ada")));
        assert_eq!(told(&["a", "b", "c", "d", "e"]), Some(format!("{line}a, b, c and 2 more")));
        assert_eq!(told(&[]).as_deref(), Some("  open:      https://x.test/d"));
    }

    #[test]
    fn nothing_in_a_prompt_steers_the_terminal() {
        let bad = "x\u{1b}[2J\n\u{202e}";
        let hostile = example(serde_json::json!({
            "user_code": bad, "verification_uri": bad, "verification_uri_complete": bad,
            "profile": bad, "account": bad, "other_accounts": [bad], "scopes": [bad], "requested_by": {"command": bad, "via": bad}
        }));
        let text = render(&hostile);
        assert!(!text.chars().any(|char| char != '\n' && crate::clean::is_unsafe(char)), "{text:?}");
        assert_eq!(text.lines().count(), 9);
    }
}
