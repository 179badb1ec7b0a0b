//! How the server is set up: who may sign in, with which client, and how it treats tokens.

use std::time::Duration;

use serde_json::{Map, Value};

use super::dialects::Quirks;

/// How the server behaves. [`FakeAs::reconfigure`](super::FakeAs::reconfigure) changes it while it runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The issuer's URL; a path in it becomes part of every endpoint.
    pub issuer: String,
    /// Who can sign in.
    pub users: Vec<User>,
    /// The registered clients.
    pub clients: Vec<Client>,
    /// The tenants of the Microsoft Entra dialect; the first is everybody's home.
    pub tenants: Vec<Tenant>,
    /// The clients of Microsoft Entra's family "1", which may redeem each other's refresh tokens.
    pub family_clients: Vec<String>,
    /// Which metadata documents it publishes.
    pub discovery: Discovery,
    /// How long an access token lives.
    pub access_token_lifetime: Duration,
    /// How long a refresh token lives unused.
    pub refresh_token_lifetime: Duration,
    /// How long a device code lives.
    pub device_code_lifetime: Duration,
    /// The `interval` of the device authorization response; none leaves it out, which means five seconds.
    pub interval: Option<Duration>,
    /// Whether polling faster than the interval is answered with `slow_down`.
    pub enforce_interval: bool,
    /// What becomes of a refresh token that was used.
    pub rotation: Rotation,
    /// When a refresh token is given out.
    pub refresh_tokens: RefreshTokens,
    /// Grants at most these scopes; none grants what is asked for.
    pub grantable_scopes: Option<Vec<String>>,
    /// Whether redeeming a device code twice revokes what it was redeemed for, as node-oidc-provider does.
    pub second_redemption_revokes: bool,
    /// Whether a revocation ends every sign-in of that user with that client, not only the one whose token it names (RFC 7009
    /// §2.1 leaves to the server what ends with a token).
    pub revocation_ends_all: bool,
    /// Members laid over the metadata document; `null` takes one out.
    pub metadata_overrides: Map<String, Value>,
    /// Members laid over each device authorization response; `null` takes one out.
    pub device_overrides: Map<String, Value>,
    /// Members laid over each token response; `null` takes one out.
    pub token_overrides: Map<String, Value>,
    /// What its answers say of the time (`Date`); none is the machine's own.
    pub date: Option<String>,
    /// Habits that no RFC has.
    pub quirks: Quirks,
    /// How long [`FakeAs::wait_for`](super::FakeAs::wait_for) waits before it reports that nothing came.
    ///
    /// A day by default, which a paused clock passes at once when nothing else is left to happen; a server on a
    /// real socket starts with half a minute.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            issuer: "https://as.test".into(),
            users: vec![User::new("alice"), User::new("bob")],
            clients: vec![
                Client::public("cli"),
                Client::public(ENTRA_CLIENT_ID),
                Client::confidential("confidential", "client-secret-0f8c2b71"),
            ],
            tenants: vec![
                Tenant::new("contoso.onmicrosoft.com", "c0ffee00-0000-4000-8000-000000000001"),
                Tenant::new("fabrikam.onmicrosoft.com", "c0ffee00-0000-4000-8000-000000000002"),
            ],
            family_clients: Vec::new(),
            discovery: Discovery::Both,
            access_token_lifetime: Duration::from_secs(3600),
            refresh_token_lifetime: Duration::from_secs(90 * 24 * 3600),
            device_code_lifetime: Duration::from_secs(900),
            interval: Some(Duration::from_secs(5)),
            enforce_interval: true,
            rotation: Rotation::Strict,
            refresh_tokens: RefreshTokens::WithOfflineAccess,
            grantable_scopes: None,
            second_redemption_revokes: true,
            revocation_ends_all: false,
            metadata_overrides: Map::new(),
            device_overrides: Map::new(),
            token_overrides: Map::new(),
            date: None,
            quirks: Quirks::default(),
            patience: Duration::from_secs(24 * 3600),
        }
    }
}

/// The public client of the Microsoft Entra dialect; the plain one is `cli`.
pub const ENTRA_CLIENT_ID: &str = "11111111-2222-3333-4444-555555555555";

/// Somebody with an account at the server.
#[derive(Clone, Debug)]
pub struct User {
    /// What tests and the page call the user.
    pub name: String,
    /// The OpenID Connect subject; Microsoft Entra's `oid` in that dialect.
    pub sub: String,
    /// `preferred_username`.
    pub username: String,
}

impl User {
    /// A user with an address at example.com and a subject made of the name, so that it is the same in every run.
    pub fn new(name: &str) -> Self {
        let number = name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        Self {
            name: name.into(),
            sub: format!("5ab00000-0000-4000-8000-{:012x}", number & 0xffff_ffff_ffff),
            username: format!("{name}@example.com"),
        }
    }
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// The secret of a confidential client.
    pub secret: Option<String>,
}

impl Client {
    /// A client without a secret.
    pub fn public(id: &str) -> Self {
        Self { id: id.into(), secret: None }
    }

    /// A client that must prove itself, in the form or by HTTP Basic.
    pub fn confidential(id: &str, secret: &str) -> Self {
        Self { id: id.into(), secret: Some(secret.into()) }
    }
}

/// A directory of the Microsoft Entra dialect.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its domain, good in a URL in place of the id.
    pub domain: String,
    /// Its id, the `tid` of tokens.
    pub id: String,
}

impl Tenant {
    /// A tenant by domain and id.
    pub fn new(domain: &str, id: &str) -> Self {
        Self { domain: domain.into(), id: id.into() }
    }
}

/// Which metadata documents are published; those of the Microsoft Entra dialect always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// Both below.
    Both,
    /// None: endpoints must be configured.
    None,
    /// RFC 8414 only.
    OAuth,
    /// OpenID Connect Discovery only.
    OpenId,
}

/// When a refresh token is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokens {
    /// Whatever the scopes.
    Always,
    /// Never: the access token is all there is.
    Never,
    /// With the scope `offline_access` only.
    WithOfflineAccess,
}

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Replaced; the old one still works this long after its first use, and ends the family later.
    Grace(Duration),
    /// Kept: the answer has no refresh token.
    None,
    /// Replaced; using the old one again revokes the whole family, the newest included (RFC 9700 §4.14.2).
    Strict,
    /// Replaced; the old one goes on working, as with Microsoft Entra.
    Tolerant,
}
