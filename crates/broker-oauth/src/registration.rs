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

    /// Whether requests carry an id that its support can look for.
    pub fn takes_request_ids(self) -> bool {
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

    /// The scopes a refresh asks for: what is wanted of what was `granted`, and the identity scopes that were granted or
    /// `asked` for.
    ///
    /// RFC 6749 §6 forbids asking for more. Where nothing that is wanted was granted under that name (a server that granted
    /// less, or granted `resource/.default` as what it stands for), no scope is sent: that asks for all that was granted.
    pub fn refresh_scopes(&self, wanted: &ScopeSet, granted: &ScopeSet, asked: &ScopeSet) -> ScopeSet {
        match self.provider {
            Provider::Entra => self.sign_in_scopes(wanted),
            Provider::Oidc => {
                let had: ScopeSet = wanted.access().filter(|scope| granted.contains(scope)).collect();
                if had.is_empty() && wanted.access().next().is_some() {
                    return had;
                }
                had.union(&identity_of(&granted.union(asked)))
            }
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
        let asked = ScopeSet::parse("openid api mail admin");
        let oidc = |wanted: &str| {
            registration(Provider::Oidc).refresh_scopes(&ScopeSet::parse(wanted), &granted, &asked).to_string()
        };
        assert_eq!(oidc("api offline_access"), "api openid");
        assert_eq!(oidc("api admin"), "api openid");
        assert_eq!(oidc("admin"), "", "all that was granted");
        assert_eq!(oidc("openid"), "openid");
        let entra = registration(Provider::Entra).refresh_scopes(&wanted, &granted, &asked);
        assert!(entra.covers(&wanted, ScopeCase::Exact));
    }
}
