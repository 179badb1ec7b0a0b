//! How providers differ from the RFCs and from each other: one row of [`DIALECTS`] each, and every deviation one field.
//!
//! Code reads fields and never asks which provider it is. A new provider is a name in [`Provider`] and a row here, at the
//! same place in the order.

mod table;

use url::Url;

pub use self::table::DIALECTS;
use crate::scope::ScopeCase;

/// A provider's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Any OAuth 2.0 / OpenID Connect provider, by its RFCs.
    Oidc,
    /// Microsoft Entra ID, v2.0 endpoints.
    Entra,
    /// GitHub, github.com or Enterprise Server.
    Github,
    /// Google accounts.
    Google,
    /// Okta, an organisation's or a custom authorization server.
    Okta,
    /// Auth0.
    Auth0,
    /// Keycloak and what is built on it.
    Keycloak,
    /// GitLab, gitlab.com or self-managed.
    Gitlab,
    /// AD FS 2019 and later.
    Adfs,
}

/// A provider's dialect.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub struct Dialect {
    /// The provider.
    pub provider: Provider,
    /// Its name in the configuration.
    pub name: &'static str,
    /// Where its endpoints come from.
    pub endpoints: EndpointSource,
    /// How scopes are compared.
    pub scope_case: ScopeCase,
    /// What separates the scopes of an answer. RFC 6749 §3.3 says a space; a comma is a letter of a scope there.
    pub scope_separators: &'static [char],
    /// Identity scopes every sign-in asks for, beyond those that the profile lists.
    pub identity_scopes: &'static [&'static str],
    /// Whether one refresh token serves scopes and resources beyond what it was granted with. RFC 6749 §6 forbids asking
    /// for more; an Entra refresh token is bound to user and client only.
    pub refresh_token_serves_any_scope: bool,
    /// Whether a refresh may name another `audience` than the sign-in. Auth0 answers with a token for the sign-in's own.
    pub refresh_takes_audience: bool,
    /// Whether `client_info=1` is asked for, which names the user's home account.
    pub asks_client_info: bool,
    /// Whether requests carry an id that its support can look for.
    pub takes_request_ids: bool,
    /// Whether a poll repeats the claims challenge: RFC 8628 has no such parameter, Entra reads it with the code.
    pub claims_in_poll: bool,
    /// Whether a client may say what it is capable of (`xms_cc`).
    pub client_capabilities: bool,
    /// Whether clients are in families that share refresh tokens.
    pub families: bool,
    /// What a person sees who is refused, and who polls does not: told when a code runs out.
    pub unseen: &'static str,
    /// How a client secret is sent, unless the configuration says otherwise.
    pub client_authentication: ClientAuthentication,
    /// Where to get the client secret, if the provider insists on one; public clients do without elsewhere.
    pub client_secret_required: Option<&'static str>,
    /// Whether a device authorization request carries a PKCE challenge (RFC 7636), unless the configuration says otherwise.
    pub pkce: bool,
    /// What a token is that comes with neither a refresh token nor `expires_in`.
    pub without_expiry: WithoutExpiry,
    /// Where a user is named if the token response does not.
    pub userinfo: Option<Userinfo>,
    /// What a user can do where grants cannot be given back; told when signing out.
    pub cannot_revoke: &'static str,
    /// The parameter of the query that carries the user's language, beside `ui_locales`.
    pub locale_in_query: Option<&'static str>,
    /// Whether extra parameters go into the query and not into the form.
    pub extra_in_query: bool,
    /// What to do when the client is refused.
    pub client_hint: Option<&'static str>,
    /// What to do when a scope is refused.
    pub scope_hint: Option<&'static str>,
}

/// Where a provider's endpoints come from. Explicit ones in the configuration win, except over a tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointSource {
    /// A template with the tenant in it.
    Tenant,
    /// AD FS's template, below the authority.
    Adfs,
    /// Discovery at an issuer; what the metadata leaves out is where it is known to be.
    Issuer {
        /// The issuer, where it is the same for most.
        default: Option<&'static str>,
        /// What to do where there is none in the configuration.
        missing: &'static str,
        /// Whether the provider's issuers end with a slash; `None`: as written.
        trailing_slash: Option<bool>,
        /// Where endpoints are that the metadata does not name.
        known: Option<Known>,
    },
    /// Paths on a host that the configuration may name as `authority`.
    Host {
        /// The host, unless the configuration names another.
        default: &'static str,
        /// Where the endpoints are.
        known: Known,
        /// Hosts, and by a dot at the beginning domains, whose tokens say whose they are at this path of `api.` before the
        /// host, and not below the host itself.
        api: (&'static [&'static str], &'static str),
    },
    /// Always the same.
    Fixed {
        /// What the provider calls itself.
        issuer: &'static str,
        /// RFC 8628 §3.1.
        device_authorization: &'static str,
        /// RFC 6749 §3.2.
        token: &'static str,
        /// RFC 7009.
        revocation: &'static str,
        /// OpenID Connect Core §5.3.
        userinfo: &'static str,
    },
}

/// Paths below an issuer or a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What comes before the paths if the issuer has none of its own.
    pub root: &'static str,
    /// RFC 8628 §3.1.
    pub device_authorization: &'static str,
    /// RFC 6749 §3.2.
    pub token: &'static str,
    /// RFC 7009, where there is one for public clients.
    pub revocation: Option<&'static str>,
    /// Where a token says whose it is.
    pub userinfo: Option<&'static str>,
}

impl Known {
    /// The address of one of the paths, below an issuer or a host.
    pub fn url(&self, base: &Url, path: &str) -> Url {
        let own = base.path().trim_end_matches('/');
        let mut url = base.clone();
        url.set_path(&format!("{}{path}", if own.is_empty() { self.root } else { own }));
        url
    }
}

/// How a client proves itself (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`: the `Authorization` header.
    Basic,
    /// `client_secret_post`: a field of the form.
    Post,
}

/// What a token is that comes with neither a refresh token nor `expires_in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutExpiry {
    /// It lasts until it is revoked, and is the grant.
    Lasts,
    /// The provider always says; an answer that does not was cut, and its token is believed for a short while only.
    Short,
}

/// Where a user is named if the token response does not, and by which fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Userinfo {
    /// Asked only for tokens that were granted this scope.
    pub needs_scope: Option<&'static str>,
    /// The field that never changes.
    pub id: &'static str,
    /// What to call the user: the first of these that is there.
    pub names: &'static [&'static str],
}

impl Provider {
    /// How it speaks.
    pub const fn dialect(self) -> &'static Dialect {
        const TABLE: &[Dialect; 9] = &DIALECTS;
        &TABLE[self as usize]
    }

    /// The provider of that name in the configuration.
    pub fn named(name: &str) -> Option<Self> {
        DIALECTS.iter().find(|dialect| dialect.name == name).map(|dialect| dialect.provider)
    }

    /// The provider's name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.dialect().name
    }

    /// How scopes are compared.
    pub fn scope_case(self) -> ScopeCase {
        self.dialect().scope_case
    }

    /// Whether one refresh token serves scopes and resources beyond what it was granted with.
    pub fn refresh_token_serves_any_scope(self) -> bool {
        self.dialect().refresh_token_serves_any_scope
    }

    /// Whether requests carry an id that its support can look for.
    pub fn takes_request_ids(self) -> bool {
        self.dialect().takes_request_ids
    }
}
