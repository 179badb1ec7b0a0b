//! What is said of a refusal in OAuth's words: what happened, and what to do.
//!
//! 1. A suberror that only the broker can understand.
//! 2. The AADSTS number, where it is known.
//! 3. `error`.

use broker_oauth::aadsts::{self, Aadsts, About, Fate};
use broker_oauth::dialect::Dialect;
use broker_oauth::failure::{ErrorResponse, Verdict};
use broker_oauth::scope::ScopeSet;

use super::Subject;
use crate::config::Authority;

const ADMINISTRATOR: &str = "asking again cannot help: give the ids below to your administrator";

/// What happened and what to do; `None` where the answer has no words of its own for either.
pub(super) fn of(response: &ErrorResponse, verdict: Verdict, subject: &Subject<'_>) -> Option<(String, String)> {
    let by_suberror = match response.suberror.as_deref() {
        Some("client_mismatch") if verdict == Verdict::Misconfigured => Some((
            "the refresh token was issued to another client than {client_id}",
            "sign in again as this client: {login}",
        )),
        Some("protection_policy_required") if verdict == Verdict::Blocked => Some((
            "a policy requires an app that is managed by an app protection policy",
            "a device code cannot satisfy it: use a managed app, or give the ids below to your administrator",
        )),
        _ => None,
    };
    let by_number = || aadsts::explaining(response).and_then(|row| fitting(row, verdict));
    let filled = |(what, hint): (&str, &str)| {
        let fill = |text| fill(text, response, verdict, subject);
        (fill(what), fill(hint))
    };
    if let Some(known) = by_suberror.or_else(by_number) {
        return Some(filled(known));
    }
    let (what, hint) = filled(by_error(response, verdict, subject.profile.registration.provider.dialect())?);
    let numbers: Vec<_> = response.error_codes.iter().map(|number| format!("AADSTS{number}")).collect();
    let numbers = if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
    Some((what + &numbers, hint))
}

/// What is said of a device code that brings nothing, where the number says more than that it ran out or was declined.
pub(super) fn of_code(response: &ErrorResponse, subject: &Subject<'_>) -> Option<(String, String)> {
    // To a poll, the numbers of a dead grant say that the code is dead.
    let said = |row: &&Aadsts| !matches!(row.number, 70_000 | 70_008 | 70_019 | 9_002_313);
    let row = aadsts::explaining(response).filter(said)?;
    let fill = |text| fill(text, response, Verdict::InteractionRequired, subject);
    Some((fill(row.what), fill(row.remedy)))
}

/// A row's sentences, as far as they fit what becomes of the request: that was not decided by the number.
fn fitting(row: &'static Aadsts, verdict: Verdict) -> Option<(&'static str, &'static str)> {
    let helpless = matches!(row.about, About::OtherFlow | About::Administrator);
    match verdict {
        Verdict::Blocked if !helpless => Some((row.what, ADMINISTRATOR)),
        Verdict::GrantDead if row.fate != Fate::Dead => Some((row.what, "sign in again: {login}")),
        // "Sign in again" mends no request that is malformed.
        Verdict::Misconfigured | Verdict::Declined if row.fate == Fate::Dead => None,
        Verdict::Transient if row.about != About::Provider => None,
        _ => Some((row.what, row.remedy)),
    }
}

fn by_error(response: &ErrorResponse, verdict: Verdict, dialect: &Dialect) -> Option<(&'static str, &'static str)> {
    Some(match verdict {
        Verdict::Transient | Verdict::Throttled | Verdict::NotOAuth | Verdict::Unknown => return None,
        Verdict::GrantDead => {
            ("the sign-in has ended: the provider does not accept its refresh token any more", "sign in again: {login}")
        }
        Verdict::InteractionRequired if response.suberror.as_deref() == Some("additional_action") => (
            "the provider wants something done first, for instance enrolling for multi-factor authentication",
            "sign in to the provider in a browser and follow it, then run: {login}",
        ),
        Verdict::InteractionRequired => ("the provider wants a person to sign in again", "sign in again: {login}"),
        Verdict::Blocked => ("a policy of the provider blocks this", ADMINISTRATOR),
        // Not a poll's: nobody has been asked who could have declined. Okta says so of a rule that does not match.
        Verdict::Declined => (
            "the provider denies the request: a policy, or an administrator",
            "ask the administrator; if that is settled, sign in again: {login}",
        ),
        Verdict::Misconfigured => misconfigured(&response.error, dialect),
    })
}

/// What is wrong, by the one thing in the configuration that must change.
fn misconfigured(error: &str, dialect: &Dialect) -> (&'static str, &'static str) {
    match error {
        "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" => (
            "the provider does not accept client_id {client_id}",
            dialect.client_hint.unwrap_or("check client_id (and the client secret) in the profile"),
        ),
        "device_flow_disabled" | "unsupported_grant_type" => (
            "the provider does not let client_id {client_id} use the device flow",
            dialect.client_hint.unwrap_or("enable it in the client's registration"),
        ),
        "invalid_scope" => (
            "the provider does not accept these scopes: {scopes}",
            dialect.scope_hint.unwrap_or("check the scopes asked for"),
        ),
        "invalid_target" | "invalid_resource" => {
            ("the provider does not know the resource", "check resource and scopes")
        }
        "invalid_tenant" => ("the tenant is wrong: {tenant}", "check tenant in the profile"),
        _ => ("the provider does not accept the request", "check client_id, scopes and endpoints in the profile"),
    }
}

/// Names things. What is filled in comes from the configuration and the request, or was cleaned when it came in.
fn fill(text: &str, response: &ErrorResponse, verdict: Verdict, subject: &Subject<'_>) -> String {
    let profile = subject.profile;
    let tenant = || match (&profile.authority, subject.tenant()) {
        (_, Some(asked)) => asked.to_owned(),
        (Authority::Entra { tenant, .. }, None) => tenant.clone(),
        _ => profile.issuer(),
    };
    let scopes = || subject.scopes.unwrap_or(&profile.registration.scopes).to_string();
    let lifetime = || {
        let seconds = response.description.as_deref().and_then(aadsts::max_lifetime);
        seconds.map_or_else(|| "it allows".into(), human)
    };
    let login = || login(subject, verdict);
    let names: [(&str, &dyn Fn() -> String); 6] = [
        ("{profile}", &|| profile.name.clone()),
        ("{client_id}", &|| profile.registration.client_id.clone()),
        ("{tenant}", &tenant),
        ("{scopes}", &scopes),
        ("{lifetime}", &lifetime),
        ("{login}", &login),
    ];
    let fill = |text: String, (name, value): (&str, &dyn Fn() -> String)| {
        if text.contains(name) { text.replace(name, &value()) } else { text }
    };
    broker_oauth::text::clean(&names.into_iter().fold(text.to_owned(), fill))
}

/// The command that signs in for what was refused. A grant that is dead is replaced as the profile has it.
pub(super) fn login(subject: &Subject<'_>, verdict: Verdict) -> String {
    // Only what a shell takes as it stands, or a pasted command would be another.
    let plain = |text: &&str| {
        !text.starts_with('-')
            && !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@._-+/:".contains(&byte))
    };
    let mut command = vec!["brokerctl login", &subject.profile.name];
    command.extend(subject.account.filter(plain).into_iter().flat_map(|account| ["-a", account]));
    if verdict != Verdict::GrantDead {
        for (option, value) in [("--tenant", subject.tenant()), ("--resource", subject.resource())] {
            command.extend(value.filter(plain).into_iter().flat_map(|value| [option, value]));
        }
        let own = &subject.profile.registration.scopes;
        let asked = subject.scopes.filter(|scopes| *scopes != own);
        command.extend(asked.into_iter().flat_map(ScopeSet::iter).filter(plain).flat_map(|scope| ["-s", scope]));
    }
    command.join(" ")
}

/// A number of seconds as people say it, exactly.
fn human(seconds: u64) -> String {
    let (number, unit) = match seconds {
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_said_as_people_say_them() {
        for (seconds, text) in [
            (43_200, "12 hours"),
            (86_400, "1 day"),
            (604_800, "7 days"),
            (3600, "1 hour"),
            (5400, "90 minutes"),
            (61, "61 seconds"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
