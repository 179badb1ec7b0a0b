//! Who the client is to the authorization server.

use base64::Engine as _;
use url::Url;

use crate::dialect::ClientAuthentication;
pub use crate::dialect::Provider;
use crate::extra::ExtraParameters;
use crate::scope::ScopeSet;
use crate::secret::ClientSecret;
use crate::wire::{Form, ProviderRequest};

/// A client registration: what a profile of the configuration comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The dialect.
    pub provider: Provider,
    /// RFC 6749 §2.2.
    pub client_id: String,
    /// RFC 6749 §2.3.1; public clients have none.
    pub client_secret: Option<ClientSecret>,
    /// How the secret is sent.
    pub client_authentication: ClientAuthentication,
    /// Whether device flows are bound to us by PKCE (RFC 7636).
    pub pkce: bool,
    /// The profile's own scopes, for requests that name none.
    pub scopes: ScopeSet,
    /// Sent with every device authorization and token request.
    pub extra: ExtraParameters,
}

impl Registration {
    /// A public client by its provider's dialect, with nothing more.
    pub fn public(provider: Provider, client_id: impl Into<String>, scopes: ScopeSet) -> Self {
        let dialect = provider.dialect();
        Self {
            provider,
            client_id: client_id.into(),
            client_secret: None,
            client_authentication: dialect.client_authentication,
            pkce: dialect.pkce,
            scopes,
            extra: ExtraParameters::default(),
        }
    }

    /// The scopes a sign-in asks for: what is wanted, and what makes a grant last and names the user.
    ///
    /// Those that the provider is known to take, and those that the profile lists: not every server knows them all.
    pub fn sign_in_scopes(&self, wanted: &ScopeSet) -> ScopeSet {
        let always: ScopeSet = self.provider.dialect().identity_scopes.iter().copied().collect();
        wanted.union(&always).union(&identity_of(&self.scopes))
    }

    /// The scopes a refresh asks for: what is wanted of what was `granted`, and the identity scopes that were granted or
    /// `asked` for.
    ///
    /// RFC 6749 §6 forbids asking for more. Where nothing that is wanted was granted under that name (a server that granted
    /// less, or granted `resource/.default` as what it stands for), no scope is sent: that asks for all that was granted.
    pub fn refresh_scopes(&self, wanted: &ScopeSet, granted: &ScopeSet, asked: &ScopeSet) -> ScopeSet {
        if self.provider.refresh_token_serves_any_scope() {
            return self.sign_in_scopes(wanted);
        }
        let had: ScopeSet = wanted.access().filter(|scope| granted.contains(scope)).collect();
        if had.is_empty() && wanted.access().next().is_some() {
            return had;
        }
        had.union(&identity_of(&granted.union(asked)))
    }

    /// A request in the client's name: `client_id` and, of confidential clients, the secret (RFC 6749 §2.3.1), then the
    /// extra parameters, in the form or in the query as the provider wants them.
    pub(crate) fn request<'a>(
        &'a self,
        mut url: Url,
        fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        extra: &'a ExtraParameters,
    ) -> ProviderRequest {
        let dialect = self.provider.dialect();
        let secret = self.client_secret.as_ref().map(ClientSecret::expose);
        let posted = secret.filter(|_| self.client_authentication == ClientAuthentication::Post);
        let basic = secret.filter(|_| self.client_authentication == ClientAuthentication::Basic);
        let client = [
            ("client_id", Some(self.client_id.as_str())),
            ("client_secret", posted),
            ("client_info", dialect.asks_client_info.then_some("1")),
        ];
        let pairs = fields.into_iter().chain(client);
        let form = if dialect.extra_in_query {
            if extra.iter().next().is_some() {
                url.query_pairs_mut().extend_pairs(extra.iter());
            }
            Form::new(pairs)
        } else {
            Form::new(pairs.chain(extra.iter().map(|(name, value)| (name, Some(value)))))
        };
        let authorization = basic.map(|secret| {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encode(&self.client_id), encode(secret));
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)).into()
        });
        ProviderRequest { url, form: Some(form), authorization, request_id: None }
    }
}

fn identity_of(scopes: &ScopeSet) -> ScopeSet {
    let access: Vec<&str> = scopes.access().collect();
    scopes.iter().filter(|scope| !access.contains(scope)).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::scope::ScopeCase;

    fn registration(provider: Provider) -> Registration {
        Registration::public(provider, "cli", ScopeSet::parse("openid offline_access api"))
    }

    #[test]
    fn a_sign_in_asks_for_what_makes_it_last_and_names_the_user() {
        for (provider, profile, want) in [
            (Provider::Oidc, "openid offline_access api", "mail offline_access openid"),
            (Provider::Entra, "api", "mail offline_access openid profile"),
            (Provider::Github, "repo", "mail"),
            (Provider::Google, "", "email mail openid"),
            (Provider::Okta, "", "mail offline_access openid profile"),
            (Provider::Auth0, "email", "email mail offline_access openid profile"),
            (Provider::Keycloak, "", "mail openid"),
            (Provider::Keycloak, "offline_access", "mail offline_access openid"),
            (Provider::Gitlab, "openid api", "mail openid"),
        ] {
            let registration = Registration::public(provider, "cli", ScopeSet::parse(profile));
            let asked = registration.sign_in_scopes(&ScopeSet::parse("mail"));
            assert_eq!(asked.to_string(), want, "{provider:?}");
        }
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

    #[test]
    fn a_secret_is_sent_one_way() {
        let mut registration = registration(Provider::Oidc);
        registration.client_secret = Some(ClientSecret::new("s:ü"));
        let url = Url::parse("https://a.example/token").unwrap();
        let send = |registration: &Registration| registration.request(url.clone(), [], &ExtraParameters::default());
        let basic = send(&registration);
        assert_eq!(basic.form.unwrap().as_str(), "client_id=cli");
        assert_eq!(basic.authorization.unwrap().expose_secret(), "Basic Y2xpOnMlM0ElQzMlQkM=");
        registration.client_authentication = ClientAuthentication::Post;
        let post = send(&registration);
        assert_eq!(post.form.unwrap().as_str(), "client_id=cli&client_secret=s%3A%C3%BC");
        assert!(post.authorization.is_none());
    }

    #[test]
    fn extra_parameters_go_where_the_provider_reads_them() {
        let extra = ExtraParameters::new([("domain_hint".to_owned(), "a b".to_owned())].into()).unwrap();
        let url = Url::parse("https://a.example/token").unwrap();
        let form = registration(Provider::Oidc).request(url.clone(), [], &extra);
        assert_eq!((form.url.query(), form.form.unwrap().as_str()), (None, "client_id=cli&domain_hint=a+b"));
        let query = registration(Provider::Entra).request(url, [], &extra);
        assert_eq!(query.url.query(), Some("domain_hint=a+b"));
        assert_eq!(query.form.unwrap().as_str(), "client_id=cli&client_info=1");
    }
}
