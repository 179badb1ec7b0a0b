//! `profile add`: checked here, checked at the provider, written, and read by the daemon, in this order.

use std::path::Path;

use broker_client::blocking::Client;
use broker_client::{ClientError, ErrorBody, ErrorCode, Findings, ProbeRequest};
use broker_ipc::edit::{AddProfile, AddedProfile, ConfigEdit};
use serde::Serialize;

use super::settings::{settings, to_probe};
use super::{has_daemon_of, refuse_while_signed_in, reload};
use crate::clean;
use crate::cli::ProfileAdd;
use crate::editor::{self, Editor};
use crate::failure::Failure;
use crate::output;
use crate::prompt::Mode;

/// A profile to be.
#[derive(Debug)]
pub(crate) struct NewProfile {
    /// Its keys, and whether it may replace another or becomes the default.
    pub(crate) add: AddProfile,
    /// Whether its provider is asked first.
    pub(crate) check: bool,
    /// Whether the accounts of one that it replaces may be left without a profile that is theirs.
    pub(crate) keep_accounts: bool,
}

/// What was done, for programs and for [`Added::tell`].
#[derive(Debug, Serialize)]
pub(crate) struct Added {
    #[serde(flatten)]
    pub(crate) written: AddedProfile,
    /// What the provider said; none if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checked: Option<Findings>,
    /// Why it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unchecked: Option<&'static str>,
    /// Why no daemon has read it; none if one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_in_force: Option<String>,
}

/// `brokerctl profile add`
pub(super) fn run(client: &Client, prompt: Mode, config: Option<&Path>, options: &ProfileAdd) -> Result<(), Failure> {
    let add_profile = AddProfile {
        profile: options.name.clone(),
        settings: settings(options)?,
        replace: options.replace,
        default: options.default,
        dry_run: false,
    };
    let (check, keep_accounts) = (!options.no_check, options.keep_accounts);
    let added = add(client, config, NewProfile { add: add_profile, check, keep_accounts })?;
    if options.plain.is_json() {
        return output::json(&added);
    }
    let note = |line: &str| prompt.note(line);
    added.tell(note);
    added.tell_next(note);
    Ok(())
}

/// Writes a profile into the configuration, and has a daemon that runs read it.
///
/// Nothing is written unless the file will be right and, if so wanted and a daemon runs, the provider answers and does the device
/// flow.
pub(crate) fn add(client: &Client, config: Option<&Path>, mut new: NewProfile) -> Result<Added, Failure> {
    let running = editor::running(client)?;
    let editor = Editor::new(config, running.as_ref())?;
    if new.add.replace && !new.keep_accounts && has_daemon_of(config, running.as_ref()) {
        let would: AddedProfile = editor.ask(&ConfigEdit::Add(AddProfile { dry_run: true, ..new.add.clone() }))?;
        if would.is_another {
            refuse_while_signed_in(client, &new.add.profile, "by another client or issuer")?;
        }
    }
    let (mut checked, mut unchecked) = (None, None);
    if !new.check {
        unchecked = Some("so wished");
    } else if running.is_none() {
        unchecked = Some("brokerd is not running");
    } else {
        // What is wrong by itself is said before anybody is asked.
        new.add.dry_run = true;
        editor.ask::<AddedProfile>(&ConfigEdit::Add(new.add.clone()))?;
        match probe(client, &new.add) {
            Err(Failure::Client(ClientError::Api(body))) if body.error == ErrorCode::UnsupportedField => {
                unchecked = Some("the brokerd that runs is older than brokerctl");
            }
            findings => checked = Some(findings?),
        }
    }
    new.add.dry_run = false;
    let written: AddedProfile = editor.ask(&ConfigEdit::Add(new.add))?;
    let not_in_force = reload(client, running.as_ref(), &written.path)?;
    Ok(Added { written, checked, unchecked, not_in_force })
}

/// Asks the provider by way of the daemon; a finding that is not well is an error.
fn probe(client: &Client, add: &AddProfile) -> Result<Findings, Failure> {
    let request = to_probe(&add.profile, &add.settings);
    let findings = match client.probe(&request) {
        // A daemon from before there were names says it without one.
        Err(ClientError::Api(body)) if body.error == ErrorCode::UnsupportedField => {
            client.probe(&ProbeRequest { name: None, ..request })?
        }
        answered => answered?,
    };
    let Some(bad) = findings.findings.iter().find(|finding| !finding.ok) else { return Ok(findings) };
    let what = format!("nothing was written, because of the {}: {}", bad.check, bad.detail);
    let hint = bad.hint.as_ref().map(|hint| format!("{hint}; ")).unwrap_or_default();
    Err(ErrorBody::new(bad.error.unwrap_or(ErrorCode::Configuration), what)
        .with_hint(format!("{hint}brokerctl profile add --no-check writes it all the same"))
        .into())
}

impl Added {
    /// Says on stderr what was done.
    pub(crate) fn tell(&self, note: impl Fn(&str)) {
        self.told().iter().for_each(|line| note(line));
    }

    /// What was done, in lines.
    pub(super) fn told(&self) -> Vec<String> {
        let name = clean::line(&self.written.profile.name);
        let done = if self.written.replaced { "replaced in" } else { "added to" };
        let default = if self.written.profile.default { ", the default" } else { "" };
        let mut told = vec![format!("profile {name}{default}: {done} {}", clean::line(&self.written.path))];
        for finding in self.checked.iter().flat_map(|findings| &findings.findings) {
            told.push(format!("{}: {}", clean::line(&finding.check), clean::line(&finding.detail)));
        }
        if let Some(why) = self.unchecked {
            told.push(format!("the provider was not asked: {why}; brokerctl doctor does it"));
        }
        told.extend(self.written.no_default_after.as_ref().map(|only| {
            let only = clean::line(only);
            format!("there is no default profile any more: say which, or write default_profile = \"{only}\" into it")
        }));
        told.extend(self.not_in_force.as_ref().map(|why| format!("not in force yet: {}", clean::line(why))));
        told
    }

    /// Says on stderr what is left to do.
    fn tell_next(&self, note: impl Fn(&str)) {
        let profile = &self.written.profile;
        let name = clean::line(&profile.name);
        if profile.provider == "oidc" && profile.scopes.is_empty() {
            note("it has no scopes; an OpenID provider wants -s openid, and -s offline_access to stay signed in");
        }
        let next = if self.written.wants_client_secret { "client-secret set" } else { "login" };
        note(&format!("next: brokerctl {next} {name}"));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use broker_client::Endpoint;

    use super::*;

    #[test]
    fn a_daemon_that_knows_no_names_is_asked_without_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let refusal = r#"{"error":"unsupported_field","error_description":"unknown field `name`"}"#;
        let found = r#"{"ok":true,"findings":[{"check":"provider","ok":true,"detail":"answers"}]}"#;
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = thread::spawn(move || {
            [(400, refusal), (200, found)].map(|(status, body)| {
                let (mut connection, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let count = connection.read(&mut request).unwrap();
                let head = "content-type: application/json\r\nconnection: close";
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                connection.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&request[..count]).into_owned()
            })
        });
        let client = Client::new(Endpoint::from_path(&path));
        let add = AddProfile { profile: "sso".into(), ..AddProfile::default() };
        assert!(probe(&client, &add).unwrap().ok);
        let asked = daemon.join().unwrap();
        assert!(asked[0].ends_with(r#"{"provider":"oidc","name":"sso"}"#), "{asked:?}");
        assert!(asked[1].ends_with(r#"{"provider":"oidc"}"#), "{asked:?}");
    }
}
