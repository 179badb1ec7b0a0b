//! Refusals, in the words of RFC 6749 §5.2 and RFC 8628 §3.5 or in Microsoft Entra's.

use serde_json::{Value, json};

use super::random;

/// When every failure of the Microsoft Entra dialect happened: that of the exchange the wording was taken from.
pub(super) const TIMESTAMP: &str = "2025-02-19 03:40:30Z";

type Aadsts = (u16, &'static str, Option<u32>, Option<&'static str>, String);

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Failure {
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient(String),
    InvalidGrant(Dead),
    InvalidRequest(String),
    InvalidScope(String),
    Secret(Secret),
    SlowDown,
    UnknownClient(String),
    UnknownDeviceCode,
    UnknownTenant(String),
    UnsupportedGrantType(String),
}

/// What is wrong with a refresh token or a redeemed device code.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dead {
    Expired,
    Revoked,
    Spent,
    Unknown,
    WrongClient,
}

/// What is wrong with a client secret.
#[derive(Clone, Copy, Debug)]
pub(super) enum Secret {
    Missing,
    Unwanted,
    Wrong,
}

impl Failure {
    /// Returns status and body as the RFCs have them.
    pub(super) fn oauth(&self) -> (u16, Value) {
        let (status, error, description) = match self {
            Self::AccessDenied => (400, "access_denied", "the user declined".into()),
            Self::AuthorizationPending => (400, "authorization_pending", "the user has not finished".into()),
            Self::ExpiredToken => (400, "expired_token", "the device code has expired".into()),
            Self::InvalidClient(why) => (401, "invalid_client", why.clone()),
            Self::InvalidGrant(dead) => (400, "invalid_grant", format!("{dead:?}").to_lowercase()),
            Self::InvalidRequest(why) => (400, "invalid_request", why.clone()),
            Self::InvalidScope(scope) => (400, "invalid_scope", format!("not granted: {scope}")),
            Self::Secret(secret) => (401, "invalid_client", secret.words().into()),
            Self::SlowDown => (400, "slow_down", "polled faster than the interval".into()),
            Self::UnknownClient(id) => (401, "invalid_client", format!("unknown client {id}")),
            Self::UnknownDeviceCode => (400, "invalid_grant", "unknown device code".into()),
            Self::UnknownTenant(tenant) => (404, "invalid_request", format!("no tenant {tenant}")),
            Self::UnsupportedGrantType(name) => (400, "unsupported_grant_type", format!("not supported: {name}")),
        };
        (status, json!({"error": error, "error_description": description}))
    }

    /// Returns status and body as Microsoft Entra has them.
    pub(super) fn entra(&self, correlation_id: &str) -> (u16, Value) {
        let (status, error, number, suberror, text) = self.aadsts();
        let trace_id = random::uuid();
        let prefix = number.map(|number| format!("AADSTS{number}: ")).unwrap_or_default();
        let mut body = json!({
            "error": error,
            "error_description": format!(
                "{prefix}{text} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {TIMESTAMP}"
            ),
            "timestamp": TIMESTAMP,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        });
        if let Some(number) = number {
            body["error_codes"] = json!([number]);
            body["error_uri"] = format!("https://login.microsoftonline.com/error?code={number}").into();
        }
        if let Some(suberror) = suberror {
            body["suberror"] = suberror.into();
        }
        (status, body)
    }

    /// Returns status, `error`, number, `suberror` and text. Where no exchange is on record, there is no number.
    fn aadsts(&self) -> Aadsts {
        let unnumbered = |error, text: &str| (400, error, None, None, text.to_owned());
        let plain = |error, number: u32, text: &str| (400, error, Some(number), None, text.to_owned());
        match self {
            Self::AccessDenied => unnumbered("authorization_declined", "The user declined."),
            Self::AuthorizationPending => plain(
                "authorization_pending",
                70_016,
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
            ),
            Self::ExpiredToken => plain(
                "expired_token",
                70_020,
                "The provided value for the input parameter 'device_code' is not valid. This device code has \
                 expired.",
            ),
            Self::InvalidClient(why) => (401, "invalid_client", None, None, format!("{why}.")),
            Self::Secret(secret) => secret.aadsts(),
            Self::InvalidGrant(dead) => dead.aadsts(),
            Self::InvalidRequest(why) => plain("invalid_request", 900_144, &format!("{why}.")),
            Self::InvalidScope(scope) => plain("invalid_scope", 70_011, &format!("The scope {scope} is not valid.")),
            Self::SlowDown => unnumbered("slow_down", "Polled faster than the interval."),
            Self::UnknownClient(id) => plain(
                "unauthorized_client",
                700_016,
                &format!("Application with identifier '{id}' was not found in the directory."),
            ),
            Self::UnknownDeviceCode => plain("bad_verification_code", 70_018, "The verification code is not valid."),
            Self::UnknownTenant(tenant) => plain(
                "invalid_request",
                90_002,
                &format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
            ),
            Self::UnsupportedGrantType(name) => plain(
                "unsupported_grant_type",
                70_003,
                &format!("The app requested an unsupported grant type '{name}'."),
            ),
        }
    }
}

impl Secret {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "the client must authenticate",
            Self::Unwanted => "a public client cannot send a client secret",
            Self::Wrong => "wrong client secret",
        }
    }

    fn aadsts(self) -> Aadsts {
        let (number, text) = match self {
            Self::Missing => (
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            ),
            Self::Unwanted => {
                (700_025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
            }
            Self::Wrong => (7_000_215, "Invalid client secret provided."),
        };
        (401, "invalid_client", Some(number), None, text.into())
    }
}

impl Dead {
    fn aadsts(self) -> Aadsts {
        let (number, suberror, text) = match self {
            Self::Expired => (700_082, Some("bad_token"), "The refresh token has expired due to inactivity."),
            Self::Revoked => (50_173, Some("bad_token"), "The provided grant has expired due to it being revoked."),
            Self::Spent => (70_000, Some("bad_token"), "Provided grant is invalid or malformed."),
            Self::WrongClient => (70_000, None, "Provided grant is invalid or malformed."),
            Self::Unknown => (9_002_313, None, "Invalid request. Request is malformed or invalid."),
        };
        (400, "invalid_grant", Some(number), suberror, text.into())
    }
}
