//! `brokerd --check-config`: what the daemon would meet when it uses a configuration that reads well.

use std::path::Path;

use crate::config::{Authority, Config, ConfigError, Profile};
use crate::{outbound, store};

/// Reads a configuration and looks at what it names: the store's key, CA certificates, endpoints. Asks nobody outside, opens no
/// store, and runs no `key_command`.
pub fn check(path: &Path) -> Result<Config, ConfigError> {
    let config = Config::load(path)?;
    let wrong = |message: String, hint: &str| ConfigError { path: path.into(), line: None, message, hint: hint.into() };
    store::check(&config.store)
        .map_err(|error| wrong(format!("[store]: {}", error.chain()), "docs/CONFIG.md has the keys"))?;
    for profile in config.profiles.values() {
        if let Err((why, hint)) = check_profile(profile) {
            return Err(wrong(format!("profile {:?}: {why}", profile.name), hint));
        }
    }
    Ok(config)
}

/// Says what brokerd would do with a configuration that is right, and what was not looked at.
pub fn report(config: &Config) -> Vec<String> {
    let mut told = vec![format!("store: {}", config.store.kind.as_str())];
    for (name, profile) in &config.profiles {
        let default = if config.is_default(name) { ", the default" } else { "" };
        let registration = &profile.registration;
        told.push(format!(
            "profile {name}{default}: {} at {}, client {}, scopes {}",
            registration.provider.as_str(),
            profile.issuer(),
            registration.client_id,
            registration.scopes
        ));
    }
    if config.profiles.is_empty() {
        told.push("no profile: brokerctl profile add writes one".into());
    }
    told.push("not checked: whether the store opens; brokerctl doctor does that".into());
    if config.store.key_command.is_some() {
        told.push("not checked: store.key_command, which was not run".into());
    }
    let mut discovered = Vec::new();
    for (name, profile) in &config.profiles {
        if matches!(profile.authority, Authority::Issuer { .. }) {
            discovered.push(name.as_str());
        }
        if profile.secret_in_keyring {
            told.push(format!("not checked: whether the client secret of profile {name} is in the store"));
        }
    }
    if !config.profiles.is_empty() {
        told.push("not checked: whether the providers answer; brokerctl doctor asks them".into());
    }
    if !discovered.is_empty() {
        let names = discovered.join(", ");
        told.push(format!("not checked: whether the issuer has a device authorization endpoint, of profile {names}"));
    }
    told
}

/// Looks at what one profile names. Fails with what is wrong and what to do.
pub(crate) fn check_profile(profile: &Profile) -> Result<(), (String, &'static str)> {
    if let Some(path) = &profile.transport.ca_file {
        outbound::check_ca_file(path).map_err(|why| (why, "it must have certificates in PEM form"))?;
    }
    match &profile.authority {
        Authority::Explicit { endpoints, .. } if endpoints.device_authorization.is_none() => {
            Err(("device_authorization_endpoint is missing".into(), "without it nobody can sign in"))
        }
        _ => Ok(()),
    }
}
