//! Who the client is to the authorization server, and how that server's dialect differs from the RFCs.

use crate::scope::{ScopeCase, ScopeSet};
use crate::secret::ClientSecret;

/// A provider's dialect: every deviation from the RFCs is a method here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Any OAuth 2.0 / OpenID Connect provider, by its RFCs.
    Oidc,
    /// Microsoft Entra ID, v2.0 endpoints.
    Entra,
}

impl Provider {
    /// The provider's name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Entra => "entra",
        }
    }

    /// How scopes are compared.
    pub fn scope_case(self) -> ScopeCase {
        match self {
            Self::Oidc => ScopeCase::Exact,
            Self::Entra => ScopeCase::Insensitive,
        }
    }

    /// Whether one refresh token serves scopes and resources beyond what it was granted with. RFC 6749 §6 forbids asking
    /// for more; an Entra refresh token is bound to user and client only.
    pub fn refresh_token_serves_any_scope(self) -> bool {
        matches!(self, Self::Entra)
    }

    /// Whether `client_info=1` is asked for, which names the user's home account.
    pub(crate) fn asks_client_info(self) -> bool {
        matches!(self, Self::Entra)
    }
}

/// A client registration: what a profile of the configuration comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The dialect.
    pub provider: Provider,
    /// RFC 6749 §2.2.
    pub client_id: String,
    /// RFC 6749 §2.3.1; public clients have none.
    pub client_secret: Option<ClientSecret>,
    /// The profile's own scopes, for requests that name none.
    pub scopes: ScopeSet,
}

impl Registration {
    /// The scopes a sign-in asks for: what is wanted, and what makes a grant last and names the user.
    ///
    /// Entra always takes `openid profile offline_access`. Elsewhere only those of them that the profile lists, because
    /// not every server knows them all.
    pub fn sign_in_scopes(&self, wanted: &ScopeSet) -> ScopeSet {
        match self.provider {
            Provider::Entra => wanted.union(&["openid", "profile", "offline_access"].into_iter().collect()),
            Provider::Oidc => wanted.union(&identity_of(&self.scopes)),
        }
    }

    /// The scopes a refresh asks for: what is wanted, and of the identity scopes those that were granted.
    pub fn refresh_scopes(&self, wanted: &ScopeSet, granted: &ScopeSet) -> ScopeSet {
        match self.provider {
            Provider::Entra => self.sign_in_scopes(wanted),
            Provider::Oidc => wanted.access().collect::<ScopeSet>().union(&identity_of(granted)),
        }
    }
}

fn identity_of(scopes: &ScopeSet) -> ScopeSet {
    let access: Vec<&str> = scopes.access().collect();
    scopes.iter().filter(|scope| !access.contains(scope)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(provider: Provider) -> Registration {
        Registration {
            provider,
            client_id: "cli".into(),
            client_secret: None,
            scopes: ScopeSet::parse("openid offline_access api"),
        }
    }

    #[test]
    fn a_sign_in_asks_for_what_makes_it_last() {
        let wanted = ScopeSet::parse("mail");
        let oidc = registration(Provider::Oidc).sign_in_scopes(&wanted);
        assert_eq!(oidc, ScopeSet::parse("mail offline_access openid"));
        let entra = registration(Provider::Entra).sign_in_scopes(&wanted);
        assert_eq!(entra, ScopeSet::parse("mail offline_access openid profile"));
    }

    #[test]
    fn a_refresh_never_asks_beyond_the_grant_except_at_entra() {
        let granted = ScopeSet::parse("openid api mail");
        let wanted = ScopeSet::parse("api offline_access");
        assert_eq!(registration(Provider::Oidc).refresh_scopes(&wanted, &granted), ScopeSet::parse("api openid"));
        assert!(registration(Provider::Entra).refresh_scopes(&wanted, &granted).covers(&wanted, ScopeCase::Exact));
    }
}
