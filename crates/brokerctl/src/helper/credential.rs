//! The one thing that every helper hands over.

use broker_client::{ClientError, TokenResponse};
use secrecy::ExposeSecret;

use crate::commands::token::is_printable;
use crate::failure::Failure;

/// A token that can stand in any of the tools' formats: printable ASCII, no line's end in it.
pub(crate) struct Credential(TokenResponse);

impl Credential {
    pub(crate) fn new(token: TokenResponse) -> Result<Self, Failure> {
        if is_printable(token.access_token.expose_secret()) && is_printable(&token.token_type) {
            return Ok(Self(token));
        }
        let what = "the token has characters that no token may have (RFC 6749 §A.12)";
        Err(ClientError::Protocol(what.to_owned()).into())
    }

    pub(crate) fn token(&self) -> &str {
        self.0.access_token.expose_secret()
    }

    /// Returns `Bearer` and the token, as an `Authorization` header has them (RFC 6750 §2.1).
    pub(crate) fn authorization(&self) -> String {
        format!("{} {}", self.0.token_type, self.token())
    }

    pub(crate) fn token_type(&self) -> &str {
        &self.0.token_type
    }

    /// Returns when it ends, RFC 3339 UTC in whole seconds.
    pub(crate) fn expires_at(&self) -> Option<&str> {
        self.0.expires_at.as_deref()
    }

    /// Returns the same in seconds since the epoch.
    pub(crate) fn expires_on(&self) -> Option<i64> {
        self.0.expires_on
    }

    /// Returns the user name for tools that know passwords only: the configuration's, else the tool's, else a word that
    /// servers which take a token for a password accept.
    pub(crate) fn basic_username<'n>(&'n self, asked: Option<&'n str>) -> &'n str {
        self.0.basic_username.as_deref().or(asked).filter(|name| is_printable(name)).unwrap_or("oauth2")
    }

    /// Returns what the provider calls the user.
    pub(crate) fn account(&self) -> &str {
        &self.0.account.username
    }
}
