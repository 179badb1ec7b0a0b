//! What is in force for a profile: what the file says, and what follows where it says nothing.

use std::path::Path;

use broker_ipc::edit::ShownProfile;
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::dialect::ClientAuthentication;
use broker_oauth::entra;
use broker_oauth::metadata::Endpoints;
use serde_json::{Map, Value, json};

use super::{refused, unknown_profile};
use crate::config::{self, Authority, Config, Profile, Proxy};

pub(super) fn show(path: &Path, name: Option<&str>) -> Result<ShownProfile, ErrorBody> {
    let config = Config::load(path).map_err(refused)?;
    let only = || config.profiles.keys().next().filter(|_| config.profiles.len() == 1).map(String::as_str);
    let Some(name) = name.or(config.default_profile.as_deref()).or_else(only) else {
        return Err(ErrorBody::new(ErrorCode::ProfileRequired, "there are several profiles, and none is the default")
            .with_hint("name one of those that brokerctl profile list has"));
    };
    let profile = config.profiles.get(name).ok_or_else(|| unknown_profile(name, path))?;
    let written = written(path, name)?;
    let in_file = written.keys().cloned().collect();
    Ok(ShownProfile {
        path: path.display().to_string(),
        profile: name.into(),
        default: config.is_default(name),
        settings: in_force(profile, written),
        in_file,
    })
}

/// The profile's table as it stands in the file.
fn written(path: &Path, name: &str) -> Result<Map<String, Value>, ErrorBody> {
    let text = config::read(path).map_err(refused)?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| ErrorBody::new(ErrorCode::Configuration, error.message().to_owned()))?;
    let table = table.get("profiles").and_then(|profiles| profiles.get(name));
    let table = table.and_then(|table| serde_json::to_value(table).ok());
    match table {
        Some(Value::Object(map)) => Ok(map),
        _ => Err(unknown_profile(name, path)),
    }
}

/// The table, with what it leaves out. Nothing in it is a secret: a client's is not in the file, a proxy's is cut out.
fn in_force(profile: &Profile, written: Map<String, Value>) -> Map<String, Value> {
    let registration = &profile.registration;
    let mut shown = written;
    if let Proxy::Http(proxy) = &profile.transport.proxy {
        shown.insert("proxy".into(), proxy.address().into());
    }
    if let Some(file) = &profile.transport.ca_file {
        shown.insert("ca_file".into(), file.display().to_string().into());
    }
    let mut follows = |key: &str, value: Value| {
        shown.entry(key).or_insert(value);
    };
    follows("provider", registration.provider.as_str().into());
    match &profile.authority {
        Authority::Entra { authority, tenant } => {
            follows("authority", authority.as_str().trim_end_matches('/').into());
            follows("tenant", tenant.as_str().into());
            if let Some(endpoints) = entra::endpoints(authority, tenant) {
                show_endpoints(&endpoints, &mut follows);
            }
        }
        Authority::Explicit { name, endpoints } => {
            follows("issuer", name.as_str().into());
            show_endpoints(endpoints, &mut follows);
        }
        // The endpoints are the issuer's to say: brokerctl doctor asks it.
        Authority::Issuer { name, .. } => follows("issuer", name.as_str().into()),
    }
    if profile.secret_in_keyring || registration.client_secret.is_some() {
        let way = match registration.client_authentication {
            ClientAuthentication::Basic => "basic",
            ClientAuthentication::Post => "post",
        };
        follows("client_authentication", way.into());
    }
    follows("pkce", registration.pkce.into());
    follows("scopes", json!([]));
    let asked = registration.sign_in_scopes(&registration.scopes);
    follows("sign_in_scopes", asked.iter().collect::<Vec<_>>().into());
    follows("keep_alive", profile.silent.keep_alive.into());
    follows("outage_grace", profile.silent.outage_grace.into());
    if registration.provider.dialect().families {
        follows("share_family", profile.silent.share_family.into());
    }
    shown
}

fn show_endpoints(endpoints: &Endpoints, follows: &mut impl FnMut(&str, Value)) {
    let all = [
        ("device_authorization_endpoint", endpoints.device_authorization.as_ref()),
        ("token_endpoint", Some(&endpoints.token)),
        ("revocation_endpoint", endpoints.revocation.as_ref()),
        ("userinfo_endpoint", endpoints.userinfo.as_ref()),
    ];
    for (key, url) in all {
        if let Some(url) = url {
            follows(key, url.as_str().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &str) -> Map<String, Value> {
        let text = format!("[profiles.p]\nclient_id = \"c\"\n{lines}");
        let config = Config::parse(Path::new("/c/config.toml"), &text).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        let Ok(Value::Object(written)) = serde_json::to_value(&table["profiles"]["p"]) else { panic!() };
        in_force(&config.profiles["p"], written)
    }

    #[test]
    fn what_the_file_leaves_out_is_shown_as_it_follows() {
        let entra = shown("provider = 'entra'\ntenant = 't.example'\nscopes = ['User.Read']");
        assert_eq!(entra["token_endpoint"], "https://login.microsoftonline.com/t.example/oauth2/v2.0/token");
        assert_eq!((&entra["share_family"], &entra["pkce"]), (&json!(false), &json!(false)));
        assert_eq!(entra["sign_in_scopes"], json!(["User.Read", "offline_access", "openid", "profile"]));
        assert!(!entra.contains_key("client_authentication"), "there is no secret");
        let google = shown("provider = 'google'\nclient_secret = 'keyring'");
        assert_eq!((&google["client_authentication"], &google["client_secret"]), (&json!("post"), &json!("keyring")));
        assert_eq!(google["device_authorization_endpoint"], "https://oauth2.googleapis.com/device/code");
        assert_eq!(shown("issuer = 'https://a.example'")["provider"], "oidc");
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let shown = shown("issuer = 'https://a.example'\nproxy = 'http://ada:hunter2@p.example:3128'");
        assert_eq!(shown["proxy"], "http://p.example:3128");
        assert!(!format!("{shown:?}").contains("hunter2"));
    }
}
