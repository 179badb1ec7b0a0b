//! docs/ERRORS.md is what the tables in the code say. `BROKERD_BLESS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use broker_ipc::error::ErrorCode;
use broker_oauth::aadsts::{Fate, TABLE};

const HEAD: &str = "\
# Errors

What `brokerctl` and brokerd say when there is no token, and what to do. Programs decide by the code or by the exit code; the
[protocol](PROTOCOL.md#errors) has the fields. People first read the two lines that `brokerctl` prints: what happened, and the `hint`.
A third line, `for support`, has the provider's own code and the ids its support asks for.

This page is generated from the tables in `crates/broker-ipc/src/error.rs` and `crates/broker-oauth/src/aadsts/table.rs`. After a change
there: `BROKERD_BLESS=1 cargo test -p broker-tests --test scenarios errors_page`.

## Codes

";

const NUMBERS: &str = "\
## AADSTS numbers

Microsoft Entra ID numbers its refusals. The number explains; what brokerd does follows from `error`, `suberror` and `claims`, as Microsoft
asks of programs. So the same number may come with different codes. A number that is not here is explained by its `error`, and named. Of
several numbers in one answer the most specific one explains.

The last column says what becomes of the refresh token, which is the sign-in:

| Word | Meaning |
|---|---|
| kept | Only this request is refused. |
| kept for others | Refused for this tenant, resource or policy. Other tenants and resources are served from the same sign-in. |
| dead | Never sent again, unless `suberror` or `claims` say otherwise. Sign in again. |
| none | No refresh token was sent. |

In the sentences, words in *italics* stand for what the message names: the profile's or the request's *tenant*, *client_id*, *scopes*; *login* is
the `brokerctl login` command to run.

";

/// `None`: a new code, which needs a line here.
fn remedy(code: ErrorCode) -> Option<&'static str> {
    use ErrorCode as Code;
    Some(match code {
        Code::InteractionRequired => {
            "Run the command in the hint where a person is present, or ask again without `--no-prompt`. If the answer has \
             `provider.claims`, pass them on as `claims`."
        }
        Code::AccountRequired => "Name one with `--account`, or set `default_account` in the profile.",
        Code::AccessDenied => "Ask again if it was declined by mistake; do not ask again unprompted.",
        Code::Cancelled => "Ask again to get a new prompt.",
        Code::AccountMismatch => {
            "Sign in as the account that was asked for; a private browser window helps. Nothing was stored."
        }
        Code::Blocked => {
            "Asking again cannot help. Give the ids of the `for support` line to an administrator. The sign-in is kept for \
             other resources."
        }
        Code::ExpiredToken => {
            "Ask again for a new code. If the page in the browser showed a refusal, a policy forbids it: Conditional Access shows \
             its block there and nowhere else."
        }
        Code::Timeout => "Ask again with a longer `--timeout`. A refresh that was under way serves the next caller.",
        Code::Configuration => {
            "The message names what is wrong. Mend it in the configuration, then `brokerctl reload`."
        }
        Code::ProfileRequired => "Name a profile, or set `default_profile`.",
        Code::UnknownProfile => "`brokerctl status` lists the profiles. After an edit: `brokerctl reload`.",
        Code::UnknownAccount => "`brokerctl accounts` lists them.",
        Code::UnknownHost => "Add a `[[hosts]]` entry for it, or name a profile. A helper goes on without a token.",
        Code::Forbidden => "Use the daemon of your own user, and no browser.",
        Code::NotRunning => {
            "Start brokerd; the hint has the command, or says that the address was named and is to be checked. It is also for a \
             daemon that runs, but whose socket was removed, by a cleaner of temporary files for instance: neither it nor a \
             service manager notices that. One that was started by hand must be stopped first."
        }
        Code::ShuttingDown => "Ask again in a moment.",
        Code::ProviderUnreachable => {
            "Check the network, the proxy and `ca_file`; `brokerctl doctor` tries the provider. The sign-in is kept."
        }
        Code::ProviderError => "Try again later: a captive portal, a proxy or an outage. The sign-in is kept.",
        Code::Throttled => {
            "Ask again after `retry_after` seconds; sooner gets the same answer. Where there is none, end what the hint says."
        }
        Code::KeyringLocked => "Unlock the keyring and ask again. Nothing was lost.",
        Code::KeyringUnavailable => {
            "`brokerctl status` says what happened; [Stores](OPERATING.md#stores) what else there is."
        }
        Code::BadRequest => "Correct the request; the message says where.",
        Code::UnsupportedField => "Restart brokerd after an upgrade: the client is newer.",
        Code::NotFound => {
            "Check the path or the prompt's id; `brokerctl prompts` lists those pending. If brokerd itself is not found: install it \
             beside `brokerctl`, or where `PATH` leads."
        }
        Code::NoServiceManager => {
            "A container, or a session without the user's systemd, has nothing that could keep brokerd running. Run it yourself: \
             `brokerd &` in a terminal, or as what the [container](SCRIPTS.md#containers) runs; nothing else needs a service. Where \
             systemd runs and only the session does not reach it, as after `su`: sign in as the user, or by \
             `machinectl shell user@`."
        }
        Code::MethodNotAllowed => "See the [requests](PROTOCOL.md#requests).",
        Code::TooLarge => "Send less: claims of that size are no claims.",
        Code::Internal => "Look in brokerd's log, and please report it.",
        _ => return None,
    })
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::NotInvolved => "none",
        Fate::Alive => "kept",
        Fate::AliveElsewhere => "kept for others",
        Fate::Dead => "dead",
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| Code | Exit | Status |\n|---|---|---|\n");
    for code in ErrorCode::ALL {
        writeln!(page, "| [`{code}`](#{code}) | {} | {} |", code.exit_code(), code.status()).unwrap();
    }
    for code in ErrorCode::ALL {
        writeln!(page, "\n### {code}\n\n{}\n\n{}", code.meaning(), remedy(*code).unwrap()).unwrap();
    }
    page.push('\n');
    page.push_str(NUMBERS);
    page.push_str("| Number | What happened | What to do | Refresh token |\n|---|---|---|---|\n");
    for row in TABLE {
        let sentence = |text: &str| {
            let text = text.replace(['{', '}'], "*");
            if text.starts_with("client_id") {
                return format!("{text}.");
            }
            let (first, rest) = text.split_at(1);
            format!("{}{rest}.", first.to_uppercase())
        };
        let name = if row.name.is_empty() { String::new() } else { format!("<br>{}", row.name) };
        let (what, remedy) = (sentence(row.what), sentence(row.remedy));
        writeln!(page, "| <a id=\"aadsts{0}\"></a>{0}{name} | {what} | {remedy} | {1} |", row.number, fate(row.fate))
            .unwrap();
    }
    page
}

#[test]
fn the_page_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ERRORS.md");
    let page = page();
    if std::env::var_os("BROKERD_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = there.lines().zip(page.lines()).find(|(there, wanted)| there != wanted);
    assert!(there == page, "docs/ERRORS.md is not what the tables say; BROKERD_BLESS=1 writes it anew: {differing:?}");
}
