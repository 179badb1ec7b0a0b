//! `status` and `doctor`: how the daemon is; `reload`: how it should be.

use broker_client::blocking::Client;
use broker_client::{Findings, ProfileSummary, Status};

use crate::cli::Plain;
use crate::duration;
use crate::failure::Failure;
use crate::output::{self, Table};

/// What `doctor` ends with when something is not well.
const UNWELL: u8 = 1;

/// `brokerctl status`
pub(crate) fn status(client: &Client, options: &Plain) -> Result<(), Failure> {
    let status = client.status()?;
    if options.is_json() {
        return output::json(&status);
    }
    describe(&status).print()
}

/// `brokerctl doctor`
pub(crate) fn doctor(client: &Client, options: &Plain) -> Result<(), Failure> {
    let findings = client.doctor()?;
    if options.is_json() {
        output::json(&findings)?;
    } else {
        list(&findings).print()?;
    }
    if findings.ok { Ok(()) } else { Err(Failure::Told(UNWELL)) }
}

/// `brokerctl reload`
pub(crate) fn reload(client: &Client, options: &Plain) -> Result<(), Failure> {
    let reloaded = client.reload()?;
    if options.is_json() {
        return output::json(&reloaded);
    }
    let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut table = Table::default();
    table.row(["changed", &names(&reloaded.changed)]);
    table.row(["profiles", &names(&reloaded.profiles)]);
    table.print()
}

fn describe(status: &Status) -> Table {
    let mut table = Table::default();
    let up = duration::rough(status.uptime);
    table.row(["brokerd", &format!("{}, process {}, up {up}", status.version, status.pid)]);
    let store = &status.store;
    let why = store.detail.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    table.row(["store", &format!("{} ({}{why}); {}", store.kind, store.state, store.durability)]);
    let configuration = &status.configuration;
    let why = configuration.error.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    table.row(["configuration", &format!("{}{why}", configuration.path)]);
    for profile in &status.profiles {
        let default = if profile.default { ", the default" } else { "" };
        let text = format!("{} ({} at {}{default})", profile.name, profile.provider, profile.issuer);
        table.row(["profile", &(text + &way(profile))]);
    }
    table.row(["accounts", &status.accounts.to_string()]);
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

/// How a profile's provider is reached, if that is out of the ordinary.
fn way(profile: &ProfileSummary) -> String {
    let proxy = profile.proxy.as_ref();
    let through = proxy.and_then(|proxy| Some(format!(", through {} ({})", proxy.address.as_ref()?, proxy.from)));
    let useless = proxy.and_then(|proxy| Some(format!(", unusable proxy: {}", proxy.error.as_ref()?)));
    let trusting = profile.ca_file.as_ref().map(|file| format!(", also trusting {file}"));
    [through, useless, trusting].into_iter().flatten().collect()
}

fn list(findings: &Findings) -> Table {
    let mut table = Table::default();
    for finding in &findings.findings {
        let mark = if finding.ok { "ok" } else { "NOT OK" };
        let check = format!("{} {}", finding.check, finding.subject);
        table.row([mark, check.trim_end(), &finding.detail]);
        if let Some(hint) = &finding.hint {
            table.row(["", "", &format!("hint: {hint}")]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_reads_like_a_summary() {
        let status = serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "pid": 7, "uptime": 3600,
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
        assert_eq!(
            describe(&status).render(),
            "brokerd        0.1.0, process 7, up 60 min\n\
             store          keyring (locked: x); until signed out\n\
             configuration  /c: no such file\n\
             profile        work (entra at https://i, the default)\n\
             profile        far (oidc at https://j), through http://p:1 (environment), also trusting /ca.pem\n\
             accounts       2\n\
             under way      device code, work (not known yet), 3 waiting\n\
             notice         n1"
        );
    }

    #[test]
    fn findings_line_up_with_their_hints() {
        let findings = serde_json::from_value(serde_json::json!({"ok": false, "findings": [
            {"check": "store", "ok": true, "detail": "fine"},
            {"check": "discovery", "subject": "work", "ok": false, "detail": "no answer", "hint": "proxy?"}
        ]}))
        .unwrap();
        assert_eq!(
            list(&findings).render(),
            "ok      store           fine\nNOT OK  discovery work  no answer\n\
             \x20                       hint: proxy?"
        );
    }
}
