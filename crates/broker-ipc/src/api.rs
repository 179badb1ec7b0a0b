//! LocalAPI v1: the requests, answers and events on the socket.
//!
//! Requests refuse unknown fields by name (`unsupported_field`), so that a newer client learns that it talks to an older
//! daemon; answers and events may gain fields and kinds, and readers ignore what they do not know.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

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
pub enum Interaction {
    /// Show a device prompt where one is needed.
    #[default]
    Allow,
    /// Answer `interaction_required` instead.
    Never,
}

/// More than the access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Include {
    /// The ID token of the last sign-in or refresh, where the provider gave one.
    IdToken,
}

/// `POST /v1/token` and `POST /v1/login`. Every field is optional; only what is set is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRequest {
    /// A profile of the configuration; without it the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// An account: its id, username, or the provider's home or local id. Case-insensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Scopes; without any the profile's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Seconds the token must still live. A promise, unlike the default of five minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_validity: Option<u64>,
    /// Refresh even if a cached token would do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_refresh: bool,
    /// Lower-case hex SHA-256 of an access token a resource refused: drop exactly that one.
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
    /// The caller's language, for the provider's pages (BCP 47).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// More than the access token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
}

/// Who an account is, in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRef {
    /// Opaque, made by the broker, URL-safe, stable.
    pub id: String,
    /// What the provider calls the user.
    pub username: String,
}

/// A token, as the answer to `/v1/token` or the last event of its stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenResponse {
    /// The token itself.
    #[serde(serialize_with = "expose")]
    pub access_token: SecretString,
    /// `Bearer`, as a rule.
    pub token_type: String,
    /// RFC 3339 UTC; absent where the token never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The same in epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<i64>,
    /// What was granted, space separated.
    pub scope: String,
    /// The profile it was issued under.
    pub profile: String,
    /// The account it belongs to.
    pub account: AccountRef,
    /// With `include: ["id_token"]`.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_option")]
    pub id_token: Option<SecretString>,
}

/// The one place where a secret becomes JSON again: on the wire to its owner.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[expect(clippy::ref_option, reason = "the signature serde calls")]
fn expose_option<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => expose(secret, serializer),
        None => serializer.serialize_none(),
    }
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
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Who asked first.
    pub requested_by: Requester,
}

/// One line of the streams of `/v1/token` and `/v1/login`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TokenEvent {
    /// The user must act. Others may follow; none is terminal.
    DevicePrompt(Box<DevicePrompt>),
    /// Terminal, of `/v1/token`.
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

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// A grant is kept; tokens come silently.
    SignedIn,
    /// The grant is gone or dead: sign in again.
    SignInRequired,
    /// The keyring has not let brokerd see the grant yet.
    NotLoaded,
    /// Rotated, and the keyring has not taken the successor yet: it lives in memory only.
    Unsaved,
    /// Its profile is not in the configuration any more.
    NoProfile,
    /// A state of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// One account, without any secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Opaque, stable id.
    pub id: String,
    /// What the provider calls the user.
    pub username: String,
    /// Its profile.
    pub profile: String,
    /// Where it stands.
    pub state: AccountState,
    /// What the grant covers, space separated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// When it was signed in, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_at: Option<String>,
    /// The access tokens held in memory now.
    #[serde(default)]
    pub tokens: Vec<TokenSummary>,
    /// The last failure, cleared by the next success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// One access token held in memory, without the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenSummary {
    /// What it was granted.
    pub scope: String,
    /// When it expires, RFC 3339 UTC; absent where never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A failure worth remembering.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastError {
    /// When, RFC 3339 UTC.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub body: ErrorBody,
}

/// `GET /v1/accounts`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Accounts {
    /// All accounts of all profiles, by profile and username.
    pub accounts: Vec<Account>,
}

/// `DELETE /v1/accounts/{id}`: what signing out did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedOut {
    /// Whose sign-in ended.
    pub account: AccountRef,
    /// Its profile.
    pub profile: String,
    /// What became of the grant at the provider.
    pub revocation: Revocation,
    /// Why it could not be revoked, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of a grant at the provider when the user signed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The provider confirmed (RFC 7009).
    Revoked,
    /// The provider has no revocation endpoint: the grant lives there until it expires.
    NotSupported,
    /// It could not be reached or refused.
    Failed,
    /// There was nothing to revoke.
    NothingToRevoke,
    /// An outcome of a newer daemon.
    #[serde(other)]
    Unknown,
}

/// `GET /v1/prompts`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Prompts {
    /// Prompts pending now, oldest first.
    pub prompts: Vec<DevicePrompt>,
}

/// One line of `GET /v1/events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A prompt appeared; those pending when the stream opens come first.
    PromptStarted(Box<DevicePrompt>),
    /// A prompt ended.
    PromptEnded {
        /// Which.
        id: String,
        /// `signed_in`, or the error code it ended with.
        outcome: String,
    },
    /// An account appeared, changed its state, or was signed out.
    AccountChanged {
        /// Which.
        account: AccountRef,
        /// Its profile.
        profile: String,
        /// Its state; absent once signed out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<AccountState>,
    },
    /// The reader was too slow and missed some; ask `/v1/prompts` and `/v1/accounts`.
    Lagged {
        /// How many were missed.
        missed: u64,
    },
    /// A kind of a newer daemon: to be ignored.
    #[serde(other)]
    Unknown,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime: u64,
    /// Where grants are kept, and for how long.
    pub store: StoreStatus,
    /// The configuration file and whether it is in force.
    pub configuration: ConfigurationStatus,
    /// The profiles in force.
    pub profiles: Vec<ProfileSummary>,
    /// How many accounts are signed in.
    pub accounts: usize,
    /// Acquisitions in the air: refreshes and device flows.
    pub flights: Vec<FlightSummary>,
    /// What the user should know: repaired indexes, unsaved grants, a store that does not last.
    #[serde(default)]
    pub notices: Vec<String>,
}

/// Where grants are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `keyring`, `kernel`, `file` or `memory`.
    pub kind: String,
    /// How long sign-ins last there, in a sentence.
    pub durability: String,
    /// `ok`, `locked`, `unavailable` or `opening`.
    pub state: String,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The configuration in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// The file looked at.
    pub path: String,
    /// Why it is not in force, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A profile, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileSummary {
    /// Its name.
    pub name: String,
    /// `entra`, `github`, `google` or `oidc`.
    pub provider: String,
    /// The issuer or authority.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// Its default scopes.
    pub scopes: Vec<String>,
    /// Whether it is the default profile.
    pub default: bool,
}

/// An acquisition in the air.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlightSummary {
    /// `refresh` or `device_code`.
    pub kind: String,
    /// The profile.
    pub profile: String,
    /// The account, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How many callers wait for it.
    pub waiters: usize,
}

/// `POST /v1/probe`: a provider to try, by profile or before there is one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeRequest {
    /// A profile of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Or a provider, as in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// With its issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Or tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// `GET /v1/doctor` and `POST /v1/probe`: findings, best news first within each.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Whether every finding is good.
    pub ok: bool,
    /// One a check.
    pub findings: Vec<Finding>,
}

/// One check's outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked, for instance `store` or `discovery`.
    pub check: String,
    /// What it was checked on: a profile, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Whether it is well.
    pub ok: bool,
    /// One line of what was found.
    pub detail: String,
    /// One line of what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// `POST /v1/reload`: what the configuration now is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// Profiles that changed; their cached tokens were dropped.
    pub changed: Vec<String>,
    /// Profiles in force.
    pub profiles: Vec<String>,
}
