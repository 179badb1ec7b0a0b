//! What a refusal means: for the grant, and for the user.
//!
//! Behaviour comes from `error`, `suberror` and `claims`. Microsoft's AADSTS numbers are read only where its documents tie
//! the fate of a refresh token to them and nothing else in the answer does; what they mean is in [`crate::aadsts`].

use serde_json::{Map, Value};

use crate::aadsts::{self, Fate};
use crate::text::{clean, is_visible};
use crate::wire::{ProviderResponse, text};

/// A parsed OAuth error (RFC 6749 §5.2) with Entra's additions; all text is cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorResponse {
    /// HTTP status.
    pub status: u16,
    /// `error`.
    pub error: String,
    /// `error_description`.
    pub description: Option<String>,
    /// `suberror`.
    pub suberror: Option<String>,
    /// `error_codes`: AADSTS numbers.
    pub error_codes: Vec<i64>,
    /// `correlation_id`.
    pub correlation_id: Option<String>,
    /// `trace_id`.
    pub trace_id: Option<String>,
    /// `timestamp`.
    pub timestamp: Option<String>,
    /// `claims`, a challenge: an object, also where it was sent as a string of JSON. It is to be sent back as it came, so one
    /// with a text in it that cleaning would change is left out whole.
    pub claims: Option<Value>,
    /// Whether there was a challenge, also one that is not passed on.
    pub challenged: bool,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
    /// GitHub's new `interval` with `slow_down`.
    pub interval: Option<u64>,
}

/// Why an exchange with the authorization server gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It said no in OAuth's words.
    #[error("the provider answered {}", .0.error)]
    OAuth(Box<ErrorResponse>),
    /// Its answer is not OAuth: a captive portal, an error page, a cut body.
    #[error("the provider's answer is not an OAuth answer (HTTP {status})")]
    NotOAuth {
        /// HTTP status.
        status: u16,
        /// Seconds to wait.
        retry_after: Option<u64>,
    },
    /// Its answer is larger than any answer is.
    #[error("the provider's answer is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// The page it would send the user to must not be shown.
    #[error("the provider's verification URI is not a safe https address")]
    UnsafeVerificationUri,
}

impl Failure {
    /// Reads an object that has an `error`.
    pub fn oauth(response: &ProviderResponse, object: &Map<String, Value>) -> Self {
        let field = |name| text(object, name).map(|value| clean(&value)).filter(|value| !value.is_empty());
        // RFC 6749 §5.2 has a word there; an object is a gateway's.
        let Some(error) = field("error") else { return Self::not_oauth(response) };
        let codes = object.get("error_codes").and_then(Value::as_array);
        let claims = claims(object);
        Self::OAuth(Box::new(ErrorResponse {
            status: response.status,
            error,
            description: field("error_description"),
            suberror: field("suberror"),
            error_codes: match codes.map(|codes| codes.iter().filter_map(code).take(16).collect::<Vec<_>>()) {
                Some(codes) if !codes.is_empty() => codes,
                _ => field("error_description").and_then(|text| code_in(&text)).into_iter().collect(),
            },
            correlation_id: field("correlation_id"),
            trace_id: field("trace_id"),
            timestamp: field("timestamp"),
            challenged: claims.is_some(),
            claims: claims.filter(may_be_shown),
            retry_after: response.retry_after,
            interval: crate::wire::seconds(object, "interval"),
        }))
    }

    /// Anything else. A page for people that forbids asks no client to come back: it is a firewall's or a portal's.
    pub fn not_oauth(response: &ProviderResponse) -> Self {
        let is_page = response.body.trim_ascii_start().starts_with(b"<");
        let retry_after = response.retry_after.filter(|_| !(response.status == 403 && is_page));
        Self::NotOAuth { status: response.status, retry_after }
    }

    /// What a failed device code poll means (RFC 8628 §3.5).
    pub fn poll_verdict(&self) -> PollVerdict {
        match self {
            Self::OAuth(response) => match response.error.as_str() {
                "authorization_pending" => PollVerdict::Pending,
                "slow_down" => PollVerdict::SlowDown { interval: response.interval },
                _ if response.status >= 500 => PollVerdict::KeepTrying,
                // Entra's word is authorization_declined.
                "access_denied" | "authorization_declined" => PollVerdict::Declined,
                // AADSTS70020, Entra v1, GitHub; and codes that are used up or were never good.
                "expired_token"
                | "code_expired"
                | "token_expired"
                | "bad_verification_code"
                | "incorrect_device_code" => PollVerdict::Expired,
                _ => match response.verdict() {
                    // A gateway's word, in JSON as well as in HTML: the code is as good as before.
                    Verdict::Transient | Verdict::Throttled | Verdict::NotOAuth => PollVerdict::KeepTrying,
                    // What a poll sends is the device code: it is that which is dead.
                    Verdict::GrantDead => PollVerdict::Expired,
                    Verdict::InteractionRequired if response.is_bare_invalid_grant() => PollVerdict::Expired,
                    verdict => PollVerdict::Ended(verdict),
                },
            },
            Self::NotOAuth { .. } | Self::TooLarge { .. } => PollVerdict::KeepTrying,
            Self::UnsafeVerificationUri => PollVerdict::Ended(Verdict::NotOAuth),
        }
    }

    /// What a failed refresh, device authorization or revocation means.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::OAuth(response) => response.verdict(),
            Self::NotOAuth { status: 429, .. } => Verdict::Throttled,
            Self::NotOAuth { status: 408 | 500..=599, .. } => Verdict::Transient,
            Self::NotOAuth { .. } | Self::TooLarge { .. } | Self::UnsafeVerificationUri => Verdict::NotOAuth,
        }
    }

    /// Seconds the server asked to wait.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::OAuth(response) => response.retry_after,
            Self::NotOAuth { retry_after, .. } => *retry_after,
            Self::TooLarge { .. } | Self::UnsafeVerificationUri => None,
        }
    }
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passing: the grant is untouched, try later.
    Transient,
    /// Passing, and the server asked to be left alone for a while.
    Throttled,
    /// Not the authorization server's words: the grant is untouched.
    NotOAuth,
    /// A refusal in a word that no specification has: the grant is untouched.
    Unknown,
    /// The grant is dead: never send it again.
    GrantDead,
    /// The grant lives, but this request needs a person (MFA, consent, a sign-in frequency).
    InteractionRequired,
    /// Policy: a person cannot help either.
    Blocked,
    /// The user said no.
    Declined,
    /// The client, tenant, scope or resource is wrong.
    Misconfigured,
}

/// What a failed poll means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollVerdict {
    /// The user is not done.
    Pending,
    /// Poll slower.
    SlowDown {
        /// The server's new interval, in seconds.
        interval: Option<u64>,
    },
    /// Back off and go on until the code runs out.
    KeepTrying,
    /// The user declined.
    Declined,
    /// The code ran out.
    Expired,
    /// Over.
    Ended(Verdict),
}

impl ErrorResponse {
    fn verdict(&self) -> Verdict {
        match self.error.as_str() {
            "temporarily_unavailable" | "server_error" | "request_timeout" => self.passing(),
            "slow_down" | "too_many_requests" | "rate_limit_exceeded" => Verdict::Throttled,
            // Whatever it says: a gateway's words, or a server's that is not well.
            _ if self.status >= 500 => Verdict::Transient,
            "invalid_grant" => self.invalid_grant(),
            // GitHub's word for it, Cloud Foundry's, and those of servers that tell the two kinds of expiry apart.
            "bad_refresh_token" | "invalid_token" | "expired_token" | "token_expired" => Verdict::GrantDead,
            // Google: the administrator of the user's organisation does not allow the client or a scope.
            "admin_policy_enforced" | "org_internal" => Verdict::Blocked,
            // The words of OpenID Connect Core §3.1.2.6, Auth0's, and those that MSAL reads so.
            "interaction_required"
            | "login_required"
            | "consent_required"
            | "account_selection_required"
            | "mfa_required"
            | "bad_token"
            | "ui_not_allowed"
            | "interrupted_user" => Verdict::InteractionRequired,
            "access_denied" | "authorization_declined" => Verdict::Declined,
            "invalid_client"
            | "unauthorized_client"
            | "invalid_scope"
            | "invalid_target"
            | "invalid_resource"
            | "invalid_request"
            | "invalid_tenant"
            | "unsupported_grant_type"
            | "device_flow_disabled"
            | "incorrect_client_credentials" => Verdict::Misconfigured,
            _ if self.status == 429 => Verdict::Throttled,
            _ if self.status == 408 => Verdict::Transient,
            // RFC 6749 §5.2 has the last two for refusals, and GitHub has 200 for all of its own: it is one, in a word that is the provider's
            // alone.
            _ if matches!(self.status, 200 | 400 | 401) => Verdict::Unknown,
            _ => Verdict::NotOAuth,
        }
    }

    /// Whether it is Entra's AADSTS70000 and nothing else. A scope that was never consented to is refused so, and the refresh token serves the
    /// others on; one that is dead has the suberror `bad_token` beside it.
    fn is_bare_invalid_grant(&self) -> bool {
        self.error == "invalid_grant" && self.suberror.is_none() && self.error_codes == [70_000]
    }

    fn passing(&self) -> Verdict {
        if self.status == 429 { Verdict::Throttled } else { Verdict::Transient }
    }

    /// MSAL takes every `invalid_grant` for a call for a person, but for two suberrors, and keeps the token. We end those
    /// that are dead, so that they are never sent again.
    fn invalid_grant(&self) -> Verdict {
        let fates = || self.error_codes.iter().filter_map(|code| aadsts::row(*code)).map(|row| row.fate);
        let dead = match self.suberror.as_deref() {
            // An app protection policy asks for a managed app: no person can make this one that.
            Some("message_only" | "protection_policy_required") => return Verdict::Blocked,
            // It was issued to another client. It is good for that one.
            Some("client_mismatch") => return Verdict::Misconfigured,
            // Entra says so too of a user one tenant does not know or has disabled: another tenant may serve.
            Some("bad_token") => !fates().any(|fate| fate == Fate::AliveElsewhere),
            Some(
                "basic_action"
                | "additional_action"
                | "consent_required"
                | "user_password_expired"
                | "token_expired"
                | "device_authentication_failed",
            ) => false,
            // A challenge can be met.
            _ if self.challenged => false,
            // A provider without numbers has nothing more to say than RFC 6749 does: the grant is invalid.
            None if self.error_codes.is_empty() => true,
            // Nothing else tells.
            _ => fates().any(|fate| fate == Fate::Dead) && !fates().any(|fate| fate == Fate::AliveElsewhere),
        };
        if dead { Verdict::GrantDead } else { Verdict::InteractionRequired }
    }
}

/// An AADSTS number, also where a gateway has made it a string.
fn code(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The number that Entra's descriptions begin with.
fn code_in(description: &str) -> Option<i64> {
    let rest = description.strip_prefix("AADSTS")?;
    rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

/// Longest challenge, in bytes of JSON. Entra's have some hundred.
const MAX_CLAIMS: usize = 16 * 1024;

fn claims(object: &Map<String, Value>) -> Option<Value> {
    match object.get("claims")? {
        Value::String(json) => serde_json::from_str(json).ok().filter(Value::is_object),
        value => Some(value.clone()).filter(Value::is_object),
    }
}

fn may_be_shown(claims: &Value) -> bool {
    is_clean(claims) && claims.to_string().len() <= MAX_CLAIMS
}

/// Whether all of its texts may be shown. `serde_json` bounds how deep it is.
fn is_clean(value: &Value) -> bool {
    let is_clean_text = |text: &str| text.chars().all(is_visible);
    match value {
        Value::String(text) => is_clean_text(text),
        Value::Array(items) => items.iter().all(is_clean),
        Value::Object(members) => members.iter().all(|(name, value)| is_clean_text(name) && is_clean(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests;
