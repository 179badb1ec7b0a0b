//! What the server has seen and given out, for tests to look at.

use tokio::time::Instant;

use super::fault::{Endpoint, Grant, Select};

/// A request as it arrived. Values are in clear: this server guards nothing, and tests compare them.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it had arrived in full.
    pub at: Instant,
    /// The HTTP method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Where it went.
    pub endpoint: Endpoint,
    /// `grant_type`, of a token request.
    pub grant_type: Option<String>,
    /// The form's fields, in order.
    pub form: Vec<(String, String)>,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status it was answered with; none while it waits, or if it never was.
    pub status: Option<u16>,
    /// Whether nothing will ever come of it: it hangs.
    pub hangs: bool,
    /// When it was answered, or its connection was ended in an answer's place.
    pub ended: Option<Instant>,
}

impl Request {
    /// Returns the form's field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        lookup(&self.form, name)
    }

    /// Returns the header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        lookup(&self.headers, &name.to_ascii_lowercase())
    }

    /// Returns the grant of a token request, if it is one of ours.
    pub fn grant(&self) -> Option<Grant> {
        self.grant_type.as_deref().and_then(Grant::from_grant_type)
    }

    /// Tells whether it is one of those meant.
    pub fn is(&self, select: impl Into<Select>) -> bool {
        match select.into() {
            Select::Endpoint(endpoint) => self.endpoint == endpoint,
            Select::Grant(grant) => self.endpoint == Endpoint::Token && self.grant() == Some(grant),
        }
    }
}

/// Something confidential the server has made or knows, for a search through logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// `access_token`, `refresh_token`, `id_token`, `device_code`, `user_code`, `client_secret` or `code_verifier`.
    ///
    /// A user code belongs on the terminal of the person who asked, and nowhere else.
    pub kind: &'static str,
    /// The value.
    pub value: String,
}

/// A sign-in as the server keeps it: all tokens that go back to one consent.
#[derive(Clone, Debug)]
pub struct Family {
    /// Who signed in.
    pub user: String,
    /// With which client.
    pub client_id: String,
    /// What was granted.
    pub scope: Vec<String>,
    /// When its device code was redeemed.
    pub began: Instant,
    /// How often it was refreshed.
    pub refreshes: usize,
    /// Why it ended, if it did.
    pub revoked: Option<Revoked>,
}

/// Why a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Somebody at the provider: [`FakeAs::revoke_user`](super::FakeAs::revoke_user).
    Administrator,
    /// The client, by RFC 7009.
    Client,
    /// The device code was redeemed a second time.
    Redeemed,
    /// A spent refresh token came back.
    Reuse,
}

/// An access token as a resource server would see it.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// Whose.
    pub user: String,
    /// For which client.
    pub client_id: String,
    /// What it is good for.
    pub scope: Vec<String>,
    /// `resource` and `audience` it was asked for with.
    pub audience: Vec<String>,
    /// The tenant of the Microsoft Entra dialect.
    pub tenant: Option<String>,
    /// When it was given.
    pub issued: Instant,
    /// When it ends.
    pub expires: Instant,
}

pub(super) fn lookup<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
