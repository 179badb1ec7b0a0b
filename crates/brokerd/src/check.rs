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

fn check_profile(profile: &Profile) -> Result<(), (String, &'static str)> {
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
