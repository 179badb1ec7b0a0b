//! Parsers that are functions.

use std::path::Path;

use broker_oauth::device::authorization_response;
use broker_oauth::dialect::Provider;
use broker_oauth::metadata::endpoints;
use broker_oauth::scope::ScopeSet;
use broker_oauth::token::{Target, refresh_response, token_response};
use broker_oauth::wire::ProviderResponse;
use broker_oauth::{failure::Failure, text};
use brokerd::config::Config;
use brokerd::store::frame;
use jiff::Timestamp;

use crate::hostile::is_unsafe;

/// The members whose values are secrets (RFC 6749 §5.1, RFC 8628 §3.2).
const SECRET: [&str; 4] = ["access_token", "refresh_token", "id_token", "device_code"];
/// A shorter one is found in any text.
const LEAST: usize = 12;
const ISSUER: &str = "https://a.example";

/// An answer of the token or the device authorization endpoint; the first byte chooses provider, status and type.
pub(super) fn token(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let status = [200, 400, 401, 500][usize::from(choice >> 5) % 4];
    let response =
        ProviderResponse { status, retry_after: None, is_form: choice & 0x10 != 0, body: body.to_vec().into() };
    let providers = ["oidc", "entra", "github", "google", "okta", "auth0", "keycloak", "gitlab", "adfs"];
    let provider = Provider::named(providers[usize::from(choice & 0x0f) % providers.len()]).expect("a provider");
    let (asked, target, now) = (ScopeSet::parse("a b"), Target::default(), Timestamp::UNIX_EPOCH);
    tell(&response, |response| token_response(provider.dialect(), response, &asked, &target, now));
    tell(&response, |response| refresh_response(provider.dialect(), response, (&asked, &asked), &target, now));
    tell(&response, authorization_response);
}

/// An answer that has everything, for the names of what is shown of one.
const HARMLESS: &[u8] =
    br#"{"access_token":"x","token_type":"Bearer","refresh_token":"x","id_token":"x","expires_in":1,"device_code":"x",
    "user_code":"x","verification_uri":"https://a.example/"}"#;

/// Whatever came of it, its `Debug` shows no secret, and what a failure says is fit to be shown.
fn tell<T: std::fmt::Debug>(response: &ProviderResponse, read: impl Fn(&ProviderResponse) -> Result<T, Failure>) {
    let outcome = read(response);
    let told = format!("{outcome:?}");
    let is_a_name = |secret: &str| {
        let harmless =
            ProviderResponse { status: 200, retry_after: None, is_form: false, body: HARMLESS.to_vec().into() };
        format!("{:?}", read(&harmless)).contains(secret)
    };
    let object = response.object().filter(|_| outcome.is_ok());
    for (_, value) in object.iter().flatten().filter(|(name, _)| SECRET.contains(&name.as_str())) {
        let secret = value.as_str().unwrap_or_default();
        let elsewhere = object.iter().flatten().filter(|(_, other)| other.to_string().contains(secret)).count() > 1;
        let is_told = secret.len() >= LEAST && !elsewhere && told.contains(secret);
        assert!(!is_told || is_a_name(secret), "{secret:?} in {told}");
    }
    if let Err(failure) = outcome {
        let _verdicts = (failure.verdict(), failure.poll_verdict(), failure.retry_after());
        assert!(!failure.to_string().chars().any(is_unsafe), "{failure}");
    }
}

/// A metadata document: what is taken of it is `https` or loopback, what is told of it is fit to be shown.
pub(super) fn metadata(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice(bytes) else { return };
    match endpoints(ISSUER, &document) {
        Ok(found) => {
            let others = [found.device_authorization, found.revocation, found.userinfo];
            for url in others.iter().flatten().chain([&found.token]) {
                assert!(text::is_https_or_loopback(url), "{url}");
            }
        }
        Err(error) => assert!(!error.to_string().chars().any(is_unsafe), "{error}"),
    }
}

/// What is shown of a server's text: visible, bounded, and the same when cleaned again.
pub(super) fn text(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    let clean = text::clean(&raw);
    assert!(!clean.chars().any(is_unsafe) && clean.chars().count() <= 1200, "{clean:?}");
    assert_eq!(text::clean(&clean), clean);
    if let Some(uri) = text::verification_uri(&raw) {
        assert!(!uri.chars().any(is_unsafe), "{uri:?}");
        assert!(text::is_https_or_loopback(&url::Url::parse(&uri).expect("a URL")), "{uri:?}");
    }
    if let Some(code) = text::user_code(&raw) {
        assert!(!code.trim().is_empty() && !code.chars().any(is_unsafe), "{code:?}");
    }
}

/// A configuration: in force, or refused with a line and a hint.
pub(super) fn config(bytes: &[u8]) {
    let Ok(toml) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Config::parse(Path::new("/etc/brokerd/config.toml"), toml) {
        assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error:?}");
        // What is missing at the end is missing in the line that is not there yet.
        assert!(error.line.is_none_or(|line| (1..=toml.split('\n').count()).contains(&line)), "{error:?}");
    }
}

/// A stored record: damaged, newer, or exactly what was written.
pub(super) fn record(bytes: &[u8]) {
    if let Ok(payload) = frame::decode(bytes) {
        assert_eq!(frame::encode(&payload).as_bytes(), bytes);
    }
    if let Ok(payload) = std::str::from_utf8(bytes) {
        let mut record = frame::encode(payload);
        assert_eq!(frame::decode(record.as_bytes()).expect("it was just written").as_str(), payload);
        record.push('x');
        assert!(frame::decode(record.as_bytes()).is_err(), "a record with a byte too many");
    }
}
