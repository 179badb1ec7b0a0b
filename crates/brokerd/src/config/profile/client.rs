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
        if !in_keyring && registration.client_secret.is_none() {
            return wrong(
                "client_authentication is there without a client secret",
                "leave it out, or add client_secret = \"keyring\" or client_secret_file",
            );
        }
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
    let path = directory.join(file);
    let text = match read_secret(&path) {
        Ok(text) => text,
        Err(unfit) => return wrong(format!("client_secret_file: {unfit}"), unfit.hint),
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let secret = line.strip_suffix('\r').unwrap_or(line);
    let what = match () {
        () if secret.trim().is_empty() => "is empty",
        () if secret.chars().any(char::is_control) => "has more than one line, or control characters in it",
        () => return Ok(Some(ClientSecret::new(secret))),
    };
    wrong(
        format!("client_secret_file: {} {what}", path.display()),
        "write the secret into it, on one line and with nothing else",
    )
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
            wrong(format!("scopes: {bad:?} has a character no scope may have"), "list each scope as its own string")
        }
        None => Ok(list.iter().map(String::as_str).collect()),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::Profile;
    use crate::config::{Config, ConfigError};

    /// A profile whose secret is in a file with this content; `lines` begin on line 4.
    fn profile(content: &str, lines: &str) -> Result<Profile, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!("[profiles.p]\nprovider = \"gitlab\"\nclient_id = \"c\"\n{lines}");
        Config::parse(&directory.path().join("config.toml"), &text).map(|config| Profile::clone(&config.profiles["p"]))
    }

    #[test]
    fn a_secret_is_one_line_and_its_end_is_cut_off() {
        for content in ["s3 cret", "s3 cret\n", "s3 cret\r\n"] {
            let profile = profile(content, "client_secret_file = \"secret\"").unwrap();
            assert_eq!(profile.registration.client_secret.unwrap().expose(), "s3 cret", "{content:?}");
        }
        for (content, named) in [
            ("", "is empty"),
            ("\n", "is empty"),
            (" \n", "is empty"),
            ("hunter2\n\n", "more than one line"),
            ("hunter2\nother\n", "more than one line"),
            ("\nhunter2", "more than one line"),
            ("hunter2\t", "control characters"),
            ("hun\0hunter2", "control characters"),
        ] {
            let error = profile(content, "client_secret_file = \"secret\"").unwrap_err();
            let told = format!("{error}; {}", error.hint);
            assert!(
                told.contains(named) && told.contains("secret") && !told.contains("hunter2"),
                "{content:?}: {told}"
            );
            assert_eq!(error.line, Some(4), "{told}");
        }
    }

    #[test]
    fn a_secret_has_one_place() {
        let error = profile("s3cret", "client_secret_file = \"secret\"\nclient_secret = \"keyring\"").unwrap_err();
        assert!(error.to_string().contains("client_secret and client_secret_file are both there"), "{error}");
        assert_eq!(error.line, Some(5), "{error}");
        let absent = profile("s3cret", "client_secret_file = \"absent\"").unwrap_err();
        assert!(absent.to_string().contains("No such file") && absent.hint.contains("check the path"), "{absent:?}");
    }

    #[test]
    fn a_way_to_send_a_secret_wants_a_secret() {
        let error = profile("s3cret", "client_authentication = \"basic\"").unwrap_err();
        assert!(error.to_string().contains("client_authentication is there without a client secret"), "{error}");
        for secret in ["client_secret_file = \"secret\"", "client_secret = \"keyring\""] {
            profile("s3cret", &format!("client_authentication = \"basic\"\n{secret}")).unwrap();
        }
    }
}
