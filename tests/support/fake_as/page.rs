//! The page a person opens (RFC 8628 §3.3): who asks for what, as whom to confirm, or to decline.

use tokio::time::Instant;
use url::form_urlencoded;

use super::device::Device;
use super::journal::{Request, lookup};
use super::options::User;
use super::state::State;

/// What a page answers with.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) html: String,
}

impl State {
    /// Shows the form, with the code of the query filled in.
    pub(super) fn device_page(&self, request: &Request, now: Instant) -> Page {
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let code = lookup(&query, "user_code").unwrap_or_default();
        if code.is_empty() {
            return page(200, "Sign in a device", &code_form(""));
        }
        match self.pending(code, now) {
            Some(device) => page(200, "Confirm a sign-in", &consent_form(device, &self.options.users)),
            None => not_pending(code),
        }
    }

    /// Takes the decision.
    pub(super) fn device_page_decision(&mut self, form: &[(String, String)], now: Instant) -> Page {
        let code = lookup(form, "user_code").unwrap_or_default();
        let user = lookup(form, "user").filter(|name| self.user(name).is_some()).map(ToOwned::to_owned);
        match (lookup(form, "decision"), user) {
            (Some("confirm"), Some(user)) if self.decide(code, Some(&user), now) => page(
                200,
                "You are signed in",
                &paragraph(&format!("Signed in as {user}. You can close this page and go back to the terminal.")),
            ),
            (Some("deny"), _) if self.decide(code, None, now) => {
                page(200, "Declined", &paragraph("Nobody was signed in. You can close this page."))
            }
            (Some("confirm" | "deny"), _) => not_pending(code),
            _ => page(400, "That did not work", &code_form(code)),
        }
    }
}

fn not_pending(code: &str) -> Page {
    let why = paragraph("There is no sign-in waiting for this code. It may have expired, or been used.");
    page(404, "Unknown code", &format!(r#"<div role="alert">{why}</div>{}"#, code_form(code)))
}

fn code_form(code: &str) -> String {
    format!(
        r#"<form method="get" action="">
<label for="user_code">Enter the code from your terminal</label>
<input id="user_code" name="user_code" value="{}" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus>
<p class="buttons"><button type="submit" class="primary">Continue</button></p>
</form>"#,
        escaped(code)
    )
}

fn consent_form(device: &Device, users: &[User]) -> String {
    let scopes: Vec<String> =
        device.scope.iter().map(|scope| format!("<li><code>{}</code></li>", escaped(scope))).collect();
    let scopes = scopes.concat();
    let choice = |(index, user): (usize, &User)| {
        format!(
            r#"<label class="choice"><input type="radio" name="user" value="{name}"{checked}> <span>{name} <small>{username}</small></span></label>"#,
            name = escaped(&user.name),
            username = escaped(&user.username),
            checked = if index == 0 { " checked" } else { "" },
        )
    };
    let choices = users.iter().enumerate().map(choice).collect::<Vec<_>>().concat();
    format!(
        r#"<p>The application <strong>{client}</strong> asks to sign in on your behalf, with access to:</p>
<ul>{scopes}</ul>
<form method="post" action="">
<label for="user_code">Is this the code in your terminal?</label>
<input id="user_code" name="user_code" value="{code}" autocomplete="off" autocapitalize="characters" spellcheck="false" required>
<fieldset><legend>Sign in as</legend>{choices}</fieldset>
<p class="buttons"><button type="submit" name="decision" value="confirm" class="primary">Confirm</button>
<button type="submit" name="decision" value="deny">Decline</button></p>
</form>"#,
        client = escaped(&device.client_id),
        code = escaped(&device.user_code),
    )
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escaped(text))
}

fn page(status: u16, title: &str, content: &str) -> Page {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
<footer>A test authorization server. Nobody real signs in here.</footer>
</body>
</html>
"#
    );
    Page { status, html }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #fff; --ground: #f3f4f6; --line: #8c959f; --accent: #0b57d0; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --paper: #161b22; --ground: #0d1117; --line: #6e7681; --accent: #8ab4f8; --on-accent: #0d1117; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 8vh 1rem 2rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 28rem; margin: 0 auto; padding: 2rem; background: var(--paper); border: 1px solid var(--line); border-radius: .75rem; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.2; }
ul { padding-left: 1.25rem; }
label { display: block; }
input:not([type=radio]) { width: 100%; margin: .25rem 0 1rem; padding: .5rem .75rem; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem; font: 1.4rem/1.3 ui-monospace, monospace; letter-spacing: .1em; }
fieldset { margin: 0; padding: .5rem 1rem; border: 1px solid var(--line); border-radius: .4rem; }
.choice { padding: .3rem 0; }
small, footer { color: var(--soft); }
.buttons { display: flex; gap: .75rem; margin: 1.25rem 0 0; }
button { min-height: 2.75rem; padding: 0 1.25rem; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem; font: inherit; cursor: pointer; }
button.primary { color: var(--on-accent); background: var(--accent); border-color: var(--accent); font-weight: 600; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
footer { max-width: 28rem; margin: 1rem auto 0; font-size: .85rem; }
";
