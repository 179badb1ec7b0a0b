//! LocalAPI v1: the requests, answers and events on the socket.
//!
//! Requests refuse unknown fields by name (`unsupported_field`), so that a newer client learns that it talks to an older
//! daemon; answers and events may gain fields and kinds, and readers ignore what they do not know.

mod accounts;
mod secrets;
mod status;
mod token;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

pub use self::accounts::{Account, AccountState, Accounts, LastError, Revocation, SignedOut, TokenSummary};
pub use self::secrets::{ClientSecretRequest, UnlockRequest};
pub use self::status::{
    ConfigurationStatus, Event, Finding, Findings, FlightSummary, ProbeRequest, ProfileSummary, Prompts, ProxySummary,
    Reloaded, Status, StoreStatus,
};
pub use self::token::{TokenAnswer, TokenResponse};
use crate::error::ErrorBody;

/// The header every answer carries: the daemon's version.
pub const VERSION_HEADER: &str = "brokerd-version";
/// The `Host` a client sends; `localhost` is accepted as well.
pub const HOST: &str = "brokerd";
/// Largest request or response head, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;
/// Largest request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// A JSON answer.
pub const JSON: &str = "application/json";
/// A stream of events, one JSON object a line.
pub const NDJSON: &str = "application/x-ndjson";

/// Whether a person may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Interaction {
    /// Show a device prompt where one is needed.
    #[default]
    Allow,
    /// Answer `interaction_required` instead.
    Never,
    /// Answer `interaction_required` as well, and raise the prompt where somebody sees it: the caller cannot show one.
    Elsewhere,
}

/// More than the access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Include {
    /// The ID token that came with the access token, where the provider gave one. It may end before that: its `exp` says when.
    IdToken,
}

/// `POST /v1/token` and `POST /v1/login`. Every field is optional; only what is set is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRequest {
    /// A profile of the configuration; without it the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Instead of a profile, whom the token is for: `host[:port][/path]`, looked up in the configuration's `[[hosts]]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// An account: its id, username, or the provider's home or local id. Case-insensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Scopes; without any the profile's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Seconds the token must still live: hard, unlike the default of five minutes. If the provider's tokens live for less, the
    /// newest one is the answer all the same: whoever cannot do with it compares `expires_on` with the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_validity: Option<u64>,
    /// Refresh even if a cached token would do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_refresh: bool,
    /// Lower-case hex SHA-256 of an access token a resource refused: drop exactly that one. See [`TokenRequest::rejecting`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject_token_sha256: Option<String>,
    /// A claims challenge (OpenID Connect Core §5.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<serde_json::Map<String, serde_json::Value>>,
    /// Whether a person may be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Interaction>,
    /// Seconds this caller waits; default 60, with a prompt the code's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Another tenant of the same account (Entra).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// RFC 8707 resource indicator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Audience, for providers that take one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Parameters the provider knows and brokerd does not, sent as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra_parameters: BTreeMap<String, String>,
    /// The caller's language, for the provider's pages (BCP 47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// More than the access token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
}

impl TokenRequest {
    /// The same, of a caller to whom a resource has refused this token: brokerd drops exactly that one, and the answer is another.
    #[must_use]
    pub fn rejecting(mut self, token: &SecretString) -> Self {
        use std::fmt::Write as _;

        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(token.expose_secret()) {
            // Writing to a string cannot fail.
            write!(hash, "{byte:02x}").ok();
        }
        self.reject_token_sha256 = Some(hash);
        self
    }
}

/// Who an account is, in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRef {
    /// Opaque, made by the broker, URL-safe, stable.
    pub id: String,
    /// What the provider calls the user.
    pub username: String,
}

/// The one place where a secret becomes JSON again: on the wire to its owner.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// The same for a token that ends a stream.
fn expose_token<S: Serializer>(token: &TokenResponse, serializer: S) -> Result<S::Ok, S::Error> {
    token.exposed().serialize(serializer)
}

/// The process that asked, as the kernel names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// Process id; absent where the platform does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// The executable's base name; absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The restricted socket it came through, if it did: it may then speak for somebody on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// What a person must see to finish a device flow (RFC 8628 §3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePrompt {
    /// The prompt's id, for `DELETE /v1/prompts/{id}`.
    pub id: String,
    /// The code to enter.
    pub user_code: String,
    /// The page to enter it on: `https`, or loopback; free of control, bidi and invisible characters.
    pub verification_uri: String,
    /// The same with the code in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// When the code runs out, RFC 3339 UTC.
    pub expires_at: String,
    /// Seconds until then, as of this event.
    pub expires_in: u64,
    /// Seconds between two polls.
    pub interval: u64,
    /// The profile it signs in to.
    pub profile: String,
    /// The account asked for, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Where nobody has signed in as `account`: who has, under this profile. A name that was mistyped is seen beside these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_accounts: Vec<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Who asked first.
    pub requested_by: Requester,
}

/// One line of the streams of `/v1/token` and `/v1/login`. As JSON it is that line: with a token, in clear.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenEvent {
    /// The user must act. Others may follow; none is terminal.
    DevicePrompt(Box<DevicePrompt>),
    /// Terminal, of `/v1/token`.
    #[serde(serialize_with = "expose_token")]
    Token(Box<TokenResponse>),
    /// Terminal, of `/v1/login`.
    SignedIn {
        /// Who signed in.
        account: AccountRef,
        /// Under which profile.
        profile: String,
    },
    /// Terminal.
    Error(ErrorBody),
    /// A kind of a newer daemon: to be ignored.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_named_by_its_hash() {
        let request = TokenRequest { profile: Some("work".into()), ..TokenRequest::default() };
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let expected = TokenRequest { reject_token_sha256: Some(abc.into()), ..request.clone() };
        assert_eq!(request.rejecting(&"abc".into()), expected);
    }
}
