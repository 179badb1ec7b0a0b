//! `profile add`: checked here, checked at the provider, written, and read by the daemon, in this order.

use std::path::Path;

use broker_client::blocking::Client;
use broker_client::edit::{AddProfile, AddedProfile, ConfigEdit};
use broker_client::{ClientError, ErrorBody, ErrorCode, Findings};
use serde::Serialize;

use super::reload;
use super::settings::{settings, to_probe};
use crate::clean;
use crate::cli::ProfileAdd;
use crate::editor::{self, Editor};
use crate::failure::{Failure, say};
use crate::output;

/// A profile to be.
#[derive(Debug)]
pub(crate) struct NewProfile {
    /// Its keys, and whether it may replace another or becomes the default.
    pub(crate) add: AddProfile,
    /// Whether its provider is asked first.
    pub(crate) check: bool,
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
pub(super) fn run(client: &Client, config: Option<&Path>, options: &ProfileAdd) -> Result<(), Failure> {
    let add_profile = AddProfile {
        profile: options.name.clone(),
        settings: settings(options)?,
        replace: options.replace,
        default: options.default,
        dry_run: false,
    };
    let added = add(client, config, NewProfile { add: add_profile, check: !options.no_check })?;
    if options.plain.is_json() {
        return output::json(&added);
    }
    added.tell();
    added.tell_next();
    Ok(())
}

/// Writes a profile into the configuration, and has a daemon that runs read it.
///
/// Nothing is written unless the file will be right and, if so wanted and a daemon runs, the provider answers and does the device
/// flow.
pub(crate) fn add(client: &Client, config: Option<&Path>, mut new: NewProfile) -> Result<Added, Failure> {
    let running = editor::running(client)?;
    let editor = Editor::new(config, running.as_ref())?;
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
    let findings = client.probe(&to_probe(&add.profile, &add.settings))?;
    let Some(bad) = findings.findings.iter().find(|finding| !finding.ok) else { return Ok(findings) };
    let what = format!("nothing was written, because of the {}: {}", bad.check, bad.detail);
    let hint = bad.hint.as_ref().map(|hint| format!("{hint}; ")).unwrap_or_default();
    Err(ErrorBody::new(bad.error.unwrap_or(ErrorCode::Configuration), what)
        .with_hint(format!("{hint}--no-check writes it all the same"))
        .into())
}

impl Added {
    /// Says on stderr what was done.
    pub(crate) fn tell(&self) {
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
        told.extend(self.not_in_force.as_ref().map(|why| format!("not in force yet: {}", clean::line(why))));
        for line in told {
            say(&format!("brokerctl: {line}\n"));
        }
    }
    /// Says on stderr what is left to do.
    fn tell_next(&self) {
        let profile = &self.written.profile;
        let name = clean::line(&profile.name);
        if profile.provider == "oidc" && profile.scopes.is_empty() {
            say(
                "brokerctl: it has no scopes; an OpenID provider wants -s openid, and -s offline_access to stay signed in\n",
            );
        }
        let next = if self.written.wants_client_secret { "client-secret set" } else { "login" };
        say(&format!("brokerctl: next: brokerctl {next} {name}\n"));
    }
}
