//! The closed list of errors a LocalAPI answer can carry, each with its HTTP status and `brokerctl`'s exit code.

mod wire;

use serde::{Deserialize, Serialize};

use self::wire::Wire;

/// Declares the codes once; the table below is the whole truth about status and exit code.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $status:literal, $exit:literal;)*) => {
        /// What went wrong, for programs. Stable: codes are added, never renamed.
        ///
        /// A client that meets a code it does not know reads [`ErrorCode::Unknown`] and goes by the HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $doc])* $variant,)*
            /// A code of a newer daemon.
            Unknown,
        }

        impl ErrorCode {
            /// Every code of this version, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the code as it stands in the JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Unknown => "unknown" }
            }

            /// Returns whether clients alone say it: no answer of a daemon has it.
            pub const fn is_clients_own(self) -> bool {
                matches!(self, Self::NotRunning | Self::NoServiceManager)
            }

            /// Returns the HTTP status it is sent with. `expired_token` only ever ends a stream, which began with 202.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* Self::Unknown => 500 }
            }

            /// Returns `brokerctl`'s exit code for it.
            pub const fn exit_code(self) -> u8 {
                match self { $(Self::$variant => $exit,)* Self::Unknown => 1 }
            }

            /// Returns what it means, in one sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),*).trim_ascii_start(),)*
                    Self::Unknown => "A code of a newer daemon.",
                }
            }

            /// Reads a code; one this version does not know is [`ErrorCode::Unknown`].
            pub fn from_name(name: &str) -> Self {
                match name { $($name => Self::$variant,)* _ => Self::Unknown }
            }
        }
    };
}

codes! {
    /// A person must sign in (no grant, a dead one, MFA, consent) and the request said `interaction: never`.
    InteractionRequired = "interaction_required", 401, 3;
    /// Several accounts could be meant; the answer lists them.
    AccountRequired = "account_required", 409, 3;
    /// The user declined.
    AccessDenied = "access_denied", 403, 4;
    /// The prompt was cancelled.
    Cancelled = "cancelled", 409, 4;
    /// Somebody else signed in than was asked for.
    AccountMismatch = "account_mismatch", 409, 4;
    /// Policy says no; asking again cannot help.
    Blocked = "blocked", 403, 4;
    /// The device code ran out before the user finished.
    ExpiredToken = "expired_token", 400, 5;
    /// The caller's `timeout` passed.
    Timeout = "timeout", 504, 5;
    /// Wrong client, tenant, scope, resource or file; the text says which.
    Configuration = "configuration", 400, 6;
    /// No profile was named, and there is not exactly one nor a default.
    ProfileRequired = "profile_required", 400, 6;
    /// No such profile.
    UnknownProfile = "unknown_profile", 404, 6;
    /// No such account.
    UnknownAccount = "unknown_account", 404, 6;
    /// No profile of the configuration is for this host.
    UnknownHost = "unknown_host", 404, 6;
    /// Not this user's daemon, or a request it refuses on principle (a browser's, a foreign `Host`).
    Forbidden = "forbidden", 403, 7;
    /// Nothing listens at the endpoint. Said by clients only: a daemon that answers is running.
    NotRunning = "not_running", 503, 7;
    /// The daemon is leaving.
    ShuttingDown = "shutting_down", 503, 7;
    /// No connection to the provider, or no answer in time.
    ProviderUnreachable = "provider_unreachable", 502, 8;
    /// The provider's answer is not OAuth's.
    ProviderError = "provider_error", 502, 8;
    /// The provider asked to wait, or a restricted socket has had too many new tokens; see `retry_after`. Without that, brokerd itself has
    /// too many sign-ins or connections at once.
    Throttled = "throttled", 429, 8;
    /// The keyring is locked, or did not answer within its deadline.
    KeyringLocked = "keyring_locked", 503, 9;
    /// The keyring is missing, full or broken.
    KeyringUnavailable = "keyring_unavailable", 503, 9;
    /// The request is malformed.
    BadRequest = "bad_request", 400, 1;
    /// The request has a field this daemon does not know: a newer client; restart brokerd.
    UnsupportedField = "unsupported_field", 400, 1;
    /// No such path, prompt or thing.
    NotFound = "not_found", 404, 1;
    /// There is no service manager for `brokerctl service` to use, or none it can reach. Said by clients only.
    NoServiceManager = "no_service_manager", 503, 1;
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, 1;
    /// Head over 16 KiB or body over 64 KiB.
    TooLarge = "too_large", 413, 1;
    /// A fault of brokerd's own; its log has the cause.
    Internal = "internal", 500, 1;
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_name(&name))
    }
}

/// The body of every failure, also the last line of a stream that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct ErrorBody {
    /// The code, for programs.
    pub error: ErrorCode,
    /// One line of what happened, for people.
    pub error_description: String,
    /// One line of what to do about it.
    pub hint: Option<String>,
    /// Seconds to wait before asking again.
    pub retry_after: Option<u64>,
    /// With `account_required`: the accounts to choose from.
    pub accounts: Vec<crate::api::AccountRef>,
    /// What the provider said, where it said something.
    pub provider: Option<Box<ProviderError>>,
    /// With [`ErrorCode::Unknown`]: what is known of the code all the same.
    pub newer: Option<Box<NewerCode>>,
}

/// A code that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewerCode {
    /// As it came.
    pub name: String,
    /// The HTTP status of the answer; `None` in a stream, whose status came before the failure.
    pub status: Option<u16>,
}

impl NewerCode {
    /// Returns what a command ends with: what most codes of that status have in common.
    const fn exit_code(&self) -> u8 {
        match self.status {
            Some(401) => 3,
            Some(403) => 4,
            Some(504) => 5,
            Some(404) => 6,
            Some(429 | 502) => 8,
            _ => ErrorCode::Unknown.exit_code(),
        }
    }
}

impl ErrorBody {
    /// A failure with a description and nothing else.
    pub fn new(error: ErrorCode, description: impl Into<String>) -> Self {
        Self {
            error,
            error_description: description.into(),
            hint: None,
            retry_after: None,
            accounts: Vec::new(),
            provider: None,
            newer: None,
        }
    }

    /// Returns the code as it stands in the JSON, one of a newer daemon too.
    pub fn code(&self) -> &str {
        self.newer().map_or(self.error.as_str(), |newer| &newer.name)
    }

    /// Returns `brokerctl`'s exit code; of a code that this version does not know, by its HTTP status.
    pub fn exit_code(&self) -> u8 {
        self.newer().map_or(self.error.exit_code(), NewerCode::exit_code)
    }

    /// The same, as the body of an answer with this HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        if let Some(newer) = &mut self.newer {
            newer.status = Some(status);
        }
        self
    }

    /// Whoever set another code meant it.
    fn newer(&self) -> Option<&NewerCode> {
        self.newer.as_deref().filter(|_| self.error == ErrorCode::Unknown)
    }

    /// The same, with one line of what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error_description)
    }
}

impl std::error::Error for ErrorBody {}

/// The provider's own words (RFC 6749 §5.2 and Microsoft Entra's additions), cleaned of control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderError {
    /// `error`, for instance `invalid_grant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `error_description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
    /// Entra's `suberror`, for instance `message_only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suberror: Option<String>,
    /// MSAL's classification of the `suberror`: `basic_action`, `additional_action`, `message_only`, `consent_required`,
    /// `user_password_expired`, or `none` for any other. Absent where nothing tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
    /// Entra's AADSTS numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_codes: Vec<i64>,
    /// The id to give to support: of a sign-in that of its first answer, whatever the last one said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Entra's trace id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Entra's time of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// A claims challenge to satisfy by signing in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<serde_json::Value>,
}
