//! Accounts: who is signed in, how each stands, and what signing out did.

use serde::{Deserialize, Serialize};

use super::AccountRef;
use crate::error::ErrorBody;

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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

impl AccountState {
    /// Returns the state as it stands in the JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInRequired => "sign_in_required",
            Self::NotLoaded => "not_loaded",
            Self::Unsaved => "unsaved",
            Self::NoProfile => "no_profile",
            Self::Unknown => "unknown",
        }
    }
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
    /// When the refresh token ends unless it is used before, RFC 3339 UTC; absent where the provider does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_at: Option<String>,
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
    /// From when on a request for it has it refreshed, RFC 3339 UTC; absent where never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_after: Option<String>,
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
#[non_exhaustive]
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

impl Revocation {
    /// Returns the outcome as it stands in the JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::NotSupported => "not_supported",
            Self::Failed => "failed",
            Self::NothingToRevoke => "nothing_to_revoke",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_json() {
        use AccountState::{NoProfile, NotLoaded, SignInRequired, SignedIn, Unsaved};
        use Revocation::{Failed, NotSupported, NothingToRevoke, Revoked};
        for state in [SignedIn, SignInRequired, NotLoaded, Unsaved, NoProfile, AccountState::Unknown] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for outcome in [Revoked, NotSupported, Failed, NothingToRevoke, Revocation::Unknown] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
