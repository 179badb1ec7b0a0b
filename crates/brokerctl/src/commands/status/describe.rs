//! A status as people read it.

use std::time::SystemTime;

use broker_client::{Account, AccountState, DevicePrompt, ProfileSummary, TokenSummary};

use super::Whole;
use crate::output::Table;
use crate::{clock, duration, prompt};

/// Writes it as rows of a name and what there is to say.
pub(super) fn table(whole: &Whole, now: SystemTime) -> Table {
    let status = &whole.status;
    let mut table = Table::default();
    let up = duration::rough(status.uptime);
    table.row(["brokerd", &format!("{}, process {}, up {up}", status.version, status.pid)]);
    if status.version != whole.client_version {
        table.row(["", &format!("this brokerctl is {}: restart brokerd", whole.client_version)]);
    }
    let store = &status.store;
    let why = store.detail.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    table.row(["store", &format!("{} ({}{why}); {}", store.kind, store.state, store.durability)]);
    let configuration = &status.configuration;
    table.row([
        "configuration",
        &match &configuration.error {
            None => configuration.path.clone(),
            Some(why) if why.starts_with(&configuration.path) => why.clone(),
            Some(why) => format!("{}: {why}", configuration.path),
        },
    ]);
    for profile in &status.profiles {
        let default = if profile.default { ", the default" } else { "" };
        let text = format!("{} ({} at {}{default})", profile.name, profile.provider, profile.issuer);
        table.row(["profile", &(text + &way(profile))]);
    }
    match &whole.account_list {
        None => table.row(["accounts", &format!("{}; the store does not say more in time", status.accounts)]),
        Some(accounts) if accounts.is_empty() => table.row(["accounts", "nobody is signed in"]),
        Some(accounts) => accounts.iter().for_each(|account| self::account(&mut table, account, now)),
    }
    for pending in &whole.prompts {
        table.row(["prompt", &waiting(pending)]);
    }
    for flight in &status.flights {
        let kind = flight.kind.replace('_', " ");
        let account = flight.account.as_deref().unwrap_or("not known yet");
        let text = format!("{kind}, {} ({account}), {} waiting", flight.profile, flight.waiters);
        table.row(["under way", &text]);
    }
    for notice in &status.notices {
        table.row(["notice", notice]);
    }
    table
}

fn account(table: &mut Table, account: &Account, now: SystemTime) {
    let state = match account.state {
        AccountState::SignedIn => "signed in",
        AccountState::SignInRequired => "must sign in again",
        AccountState::NotLoaded => "the store has not given its sign-in yet",
        AccountState::Unsaved => "NOT SAVED: lost if brokerd ends",
        AccountState::NoProfile => "its profile is not configured any more",
        _ => "in a state that this version does not know",
    };
    let until = account.refresh_token_expires_at.as_ref().and_then(|at| clock::until(at, now));
    let until = until.map(|left| format!(", for {} unless used", duration::rough(left.as_secs()))).unwrap_or_default();
    table.row(["account", &format!("{} ({}), {state}{until}", account.username, account.profile)]);
    for token in &account.tokens {
        table.row(["  token", &self::token(token, now)]);
    }
    if let Some(error) = &account.last_error {
        let since = clock::parse(&error.at).and_then(|at| now.duration_since(at).ok());
        let since = since.map_or_else(|| error.at.clone(), |ago| format!("{} ago", duration::rough(ago.as_secs())));
        table.row(["  failed", &format!("{since}: {} ({})", error.body.error_description, error.body.code())]);
        if let Some(hint) = &error.body.hint {
            table.row(["", &format!("hint: {hint}")]);
        }
    }
}

fn token(token: &TokenSummary, now: SystemTime) -> String {
    let scope = if token.scope.is_empty() { "no scope" } else { &token.scope };
    let rough = |at: &Option<String>| at.as_ref().and_then(|at| clock::until(at, now));
    let Some(left) = rough(&token.expires_at) else { return format!("{scope}: does not expire") };
    let next = match rough(&token.refresh_after) {
        Some(next) if next.is_zero() => ", refreshed when next asked for".to_owned(),
        Some(next) => format!(", refreshed when asked for in {}", duration::rough(next.as_secs())),
        None => String::new(),
    };
    format!("{scope}: {} left{next}", duration::rough(left.as_secs()))
}

fn waiting(pending: &DevicePrompt) -> String {
    let left = duration::rough(pending.expires_in);
    let who = prompt::requester(pending);
    format!("{who} for {}: {} at {}, {left} left", pending.profile, pending.user_code, pending.verification_uri)
}

/// How a profile's provider is reached, if that is out of the ordinary.
fn way(profile: &ProfileSummary) -> String {
    let proxy = profile.proxy.as_ref();
    let through = proxy.and_then(|proxy| Some(format!(", through {} ({})", proxy.address.as_ref()?, proxy.from)));
    let useless = proxy.and_then(|proxy| Some(format!(", unusable proxy: {}", proxy.error.as_ref()?)));
    let trusting = profile.ca_file.as_ref().map(|file| format!(", also trusting {file}"));
    [through, useless, trusting].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn status_reads_like_a_summary() {
        let status = from_value(json!({
            "version": "0.0.9", "pid": 7, "uptime": 3600,
            "store": {"kind": "keyring", "durability": "until signed out", "state": "locked", "detail": "x"},
            "configuration": {"path": "/c", "error": "no such file"},
            "profiles": [{"name": "work", "provider": "entra", "issuer": "https://i", "client_id": "c",
                          "scopes": [], "default": true, "proxy": {"from": "none"}},
                         {"name": "far", "provider": "oidc", "issuer": "https://j", "client_id": "c", "scopes": [],
                          "default": false, "ca_file": "/ca.pem",
                          "proxy": {"from": "environment", "address": "http://p:1"}}],
            "accounts": 2, "flights": [{"kind": "device_code", "profile": "work", "waiters": 3}],
            "notices": ["n\u{1b}1"], "newer": true
        }))
        .unwrap();
        let accounts = from_value(json!([
            {"id": "1", "username": "ada", "profile": "work", "state": "signed_in",
             "refresh_token_expires_at": "2026-01-31T00:00:00Z",
             "tokens": [{"scope": "User.Read", "expires_at": "2026-01-01T01:00:00Z", "refresh_after": "2026-01-01T00:48:00Z"},
                        {"scope": "old", "expires_at": "2026-01-01T00:01:00Z", "refresh_after": "2025-01-01T00:00:00Z"},
                        {"scope": ""}]},
            {"id": "2", "username": "bob", "profile": "far", "state": "sign_in_required",
             "last_error": {"at": "2025-12-31T23:50:00Z", "error": "interaction_required",
                            "error_description": "the grant has ended", "hint": "brokerctl login far"}}
        ]))
        .unwrap();
        let prompts = vec![crate::prompt::example(json!({"requested_by": {"pid": 3, "command": "git"}}))];
        let mut whole = Whole { status, account_list: Some(accounts), prompts, client_version: "0.1.0" };
        let now = clock::parse("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(
            table(&whole, now).render(),
            "brokerd        0.0.9, process 7, up 60 min\n\
             \x20              this brokerctl is 0.1.0: restart brokerd\n\
             store          keyring (locked: x); until signed out\n\
             configuration  /c: no such file\n\
             profile        work (entra at https://i, the default)\n\
             profile        far (oidc at https://j), through http://p:1 (environment), also trusting /ca.pem\n\
             account        ada (work), signed in, for 30 days unless used\n  \
               token        User.Read: 60 min left, refreshed when asked for in 48 min\n  \
               token        old: 60 s left, refreshed when next asked for\n  \
               token        no scope: does not expire\n\
             account        bob (far), must sign in again\n  \
               failed       10 min ago: the grant has ended (interaction_required)\n\
             \x20              hint: brokerctl login far\n\
             prompt         git (process 3) for work: ABCD-EFGH at https://x.test/d, 15 min left\n\
             under way      device code, work (not known yet), 3 waiting\n\
             notice         n1"
        );
        whole.account_list = None;
        whole.status.configuration.error = Some("/c line 3: unknown key".into());
        assert!(
            table(&whole, now).render().contains("\nconfiguration  /c line 3: unknown key\n"),
            "the path stands there once"
        );
        assert!(table(&whole, now).render().contains("accounts       2; the store does not say more in time"));
    }
}
