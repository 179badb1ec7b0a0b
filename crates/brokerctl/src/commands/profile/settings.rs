//! From flags to the keys of the configuration.

use std::path::{self, Path};

use broker_client::{ErrorBody, ErrorCode, ProbeRequest};
use serde_json::{Map, Value};

use crate::cli::ProfileAdd;
use crate::failure::Failure;

/// The keys that were given, with their values.
pub(super) fn settings(options: &ProfileAdd) -> Result<Map<String, Value>, Failure> {
    let ProfileAdd { provider, client, tokens, way, .. } = options;
    if way.proxy.as_ref().is_some_and(|proxy| proxy.contains('@')) {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "a proxy's password does not belong into a command line")
            .with_hint(
                "leave it out here, then write proxy = \"http://user:password@host\" into the file, and chmod 600 it",
            )
            .into());
    }
    let mut settings = Map::new();
    let texts = [
        ("provider", &provider.provider),
        ("issuer", &provider.issuer),
        ("tenant", &provider.tenant),
        ("cloud", &provider.cloud),
        ("authority", &provider.authority),
        ("device_authorization_endpoint", &provider.device_authorization_endpoint),
        ("token_endpoint", &provider.token_endpoint),
        ("revocation_endpoint", &provider.revocation_endpoint),
        ("userinfo_endpoint", &provider.userinfo_endpoint),
        ("client_authentication", &client.client_authentication),
        ("audience", &tokens.audience),
        ("resource", &tokens.resource),
        ("default_account", &tokens.default_account),
        ("proxy", &way.proxy),
    ];
    for (key, value) in texts {
        settings.extend(value.as_ref().map(|text| (key.to_owned(), text.as_str().into())));
    }
    for (key, file) in [("client_secret_file", &client.client_secret_file), ("ca_file", &way.ca_file)] {
        if let Some(file) = file {
            settings.insert(key.into(), absolute(file)?.into());
        }
    }
    for (key, list) in [("scopes", &tokens.scopes), ("client_capabilities", &client.client_capabilities)] {
        if !list.is_empty() {
            settings.insert(key.into(), list.iter().map(String::as_str).collect());
        }
    }
    let switches = [
        ("share_family", tokens.share_family),
        ("outage_grace", tokens.outage_grace),
        ("keep_alive", tokens.keep_alive),
    ];
    settings.extend(switches.into_iter().filter(|(_, on)| *on).map(|(key, on)| (key.to_owned(), on.into())));
    settings.insert("client_id".into(), client.client_id.as_str().into());
    if client.client_secret_in_keyring {
        settings.insert("client_secret".into(), "keyring".into());
    }
    settings.extend(client.pkce.map(|pkce| ("pkce".to_owned(), pkce.into())));
    if !tokens.params.is_empty() {
        settings.insert("extra_parameters".into(), tokens.params.iter().cloned().collect());
    }
    Ok(settings)
}

/// A path is meant from where the user is; in the file it would be from the file's directory.
fn absolute(file: &Path) -> Result<String, Failure> {
    let text = path::absolute(file).ok().and_then(|path| path.into_os_string().into_string().ok());
    text.ok_or_else(|| {
        let what = format!("the configuration cannot name the file {}", file.display());
        ErrorBody::new(ErrorCode::BadRequest, what).with_hint("give it a name in UTF-8").into()
    })
}

/// What of the settings says how the provider of a profile is reached.
pub(super) fn to_probe(name: &str, settings: &Map<String, Value>) -> ProbeRequest {
    let text = |key| settings.get(key).and_then(Value::as_str).map(str::to_owned);
    ProbeRequest {
        profile: None,
        name: Some(name.to_owned()),
        // A request that names nothing would mean the default profile.
        provider: text("provider").or_else(|| Some("oidc".into())),
        issuer: text("issuer"),
        tenant: text("tenant"),
        authority: text("authority"),
        cloud: text("cloud"),
        token_endpoint: text("token_endpoint"),
        device_authorization_endpoint: text("device_authorization_endpoint"),
        ca_file: text("ca_file"),
        proxy: text("proxy"),
    }
}
