//! A profile's client: its id, its secret and how that is sent, and what it asks for.

use std::path::Path;

use broker_oauth::dialect::{ClientAuthentication, Provider};
use broker_oauth::extra::ExtraParameters;
use broker_oauth::registration::Registration;
use broker_oauth::scope::{ScopeSet, is_scope_token};
use broker_oauth::secret::ClientSecret;

use super::super::file::read_secret;
use super::{RawProfile, Wrong, wrong};

/// The one value of `client_secret`.
pub(super) const IN_KEYRING: &str = "keyring";

/// The registration, and whether its secret is in the keyring.
pub(super) fn registration(
    provider: Provider,
    raw: &RawProfile,
    directory: &Path,
) -> Result<(Registration, bool), Wrong> {
    let Some(client_id) = raw.client_id.clone().filter(|id| !id.is_empty()) else {
        return wrong("client_id is missing", "add the id under which the application is registered");
    };
    let in_keyring = in_keyring(raw)?;
    let client_secret = secret_of_file(raw, directory)?;
    match (provider.dialect().client_secret_required, &client_secret) {
        (_, Some(_)) if in_keyring => {
            return wrong("client_secret and client_secret_file are both there", "leave one out");
        }
        (Some(hint), None) if !in_keyring => return wrong("the client secret is missing", hint),
        _ => {}
    }
    let extra = match ExtraParameters::new(raw.extra_parameters.clone()) {
        Ok(extra) => extra,
        Err(error) => {
            return wrong(format!("extra_parameters: {error}"), "leave it out; docs/CONFIG.md has its own key");
        }
    };
    let mut registration = Registration::public(provider, client_id, scopes(&raw.scopes)?);
    registration.client_secret = client_secret;
    registration.extra = extra;
    registration.pkce = raw.pkce.unwrap_or(registration.pkce);
    if let Some(way) = authentication(raw.client_authentication.as_deref())? {
        registration.client_authentication = way;
    }
    Ok((registration, in_keyring))
}

fn in_keyring(raw: &RawProfile) -> Result<bool, Wrong> {
    match &raw.client_secret {
        None => Ok(false),
        Some(toml::Value::String(word)) if word == IN_KEYRING => Ok(true),
        // Whatever stands there may be the secret itself: it is not quoted.
        Some(_) => wrong(
            "client_secret may only be \"keyring\": never put a secret into this file",
            "write client_secret = \"keyring\" and run: brokerctl client-secret set PROFILE; if that was the real secret, \
             make a new one at the provider",
        ),
    }
}

fn secret_of_file(raw: &RawProfile, directory: &Path) -> Result<Option<ClientSecret>, Wrong> {
    let Some(file) = &raw.client_secret_file else { return Ok(None) };
    match read_secret(&directory.join(file)) {
        Ok(secret) => Ok(Some(ClientSecret::new(secret.trim_end_matches(['\r', '\n'])))),
        Err(why) => wrong(format!("client_secret_file: {why}"), "give it to you alone: chmod 600"),
    }
}

fn authentication(value: Option<&str>) -> Result<Option<ClientAuthentication>, Wrong> {
    match value {
        None => Ok(None),
        Some("basic") => Ok(Some(ClientAuthentication::Basic)),
        Some("post") => Ok(Some(ClientAuthentication::Post)),
        Some(other) => wrong(
            format!("client_authentication {other:?} is none of: basic, post"),
            "leave it out, unless the provider's documents ask for one of them",
        ),
    }
}

fn scopes(list: &[String]) -> Result<ScopeSet, Wrong> {
    match list.iter().find(|scope| !is_scope_token(scope)) {
        Some(bad) => {
            wrong(format!("scope {bad:?} has a character no scope may have"), "list each scope as its own string")
        }
        None => Ok(list.iter().map(String::as_str).collect()),
    }
}
