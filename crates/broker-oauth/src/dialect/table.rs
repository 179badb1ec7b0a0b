//! The table: what each provider does otherwise.

use super::{ClientAuthentication, Dialect, EndpointSource, Known, Provider, Userinfo, WithoutExpiry};
use crate::scope::ScopeCase;

/// OpenID Connect Core §5.3.
const OPENID_USERINFO: Userinfo =
    Userinfo { needs_scope: Some("openid"), id: "sub", names: &["preferred_username", "email"] };

/// By RFC: what every row starts from.
const RFC: Dialect = Dialect {
    provider: Provider::Oidc,
    name: "oidc",
    endpoints: EndpointSource::Issuer {
        default: None,
        missing: "add the provider's issuer URL, or token_endpoint and the others",
        trailing_slash: None,
        known: None,
    },
    scope_case: ScopeCase::Exact,
    scope_separators: &[' '],
    identity_scopes: &[],
    refresh_token_serves_any_scope: false,
    refresh_takes_audience: true,
    asks_client_info: false,
    takes_request_ids: false,
    claims_in_poll: false,
    client_capabilities: false,
    families: false,
    unseen: "if the page showed a refusal, a policy of the provider may forbid device codes",
    client_authentication: ClientAuthentication::Basic,
    client_secret_required: None,
    pkce: false,
    without_expiry: WithoutExpiry::Short,
    userinfo: Some(OPENID_USERINFO),
    cannot_revoke: "the provider has no revocation endpoint: the grant ends there when it expires, or on its own pages",
    locale_in_query: None,
    extra_in_query: false,
    client_hint: None,
    scope_hint: None,
};

/// Every dialect, in the order of [`Provider`].
pub const DIALECTS: [Dialect; 9] = [
    Dialect {
        // Whoever it is: some separate by commas, some issue tokens that last.
        scope_separators: &[' ', ','],
        without_expiry: WithoutExpiry::Lasts,
        ..RFC
    },
    Dialect {
        provider: Provider::Entra,
        name: "entra",
        endpoints: EndpointSource::Tenant,
        scope_case: ScopeCase::Insensitive,
        identity_scopes: &["openid", "profile", "offline_access"],
        refresh_token_serves_any_scope: true,
        asks_client_info: true,
        takes_request_ids: true,
        claims_in_poll: true,
        client_capabilities: true,
        families: true,
        unseen: "if the page in the browser refused (Conditional Access says AADSTS53003 there and only there), a policy \
                 forbids it: give the page's ids to an administrator",
        client_authentication: ClientAuthentication::Post,
        userinfo: None,
        locale_in_query: Some("mkt"),
        extra_in_query: true,
        ..RFC
    },
    Dialect {
        provider: Provider::Github,
        name: "github",
        endpoints: EndpointSource::Host {
            default: "https://github.com",
            known: Known {
                root: "",
                device_authorization: "/login/device/code",
                token: "/login/oauth/access_token",
                // DELETE /applications/{client_id}/token wants the client secret, which a device flow does without.
                revocation: None,
                userinfo: Some("/api/v3/user"),
            },
            api: (&["github.com", ".ghe.com"], "/user"),
        },
        scope_separators: &[' ', ','],
        client_authentication: ClientAuthentication::Post,
        without_expiry: WithoutExpiry::Lasts,
        userinfo: Some(Userinfo { needs_scope: None, id: "id", names: &["login"] }),
        cannot_revoke: "GitHub lets no public client revoke: the token lives until the user revokes it on GitHub, under \
                        Settings > Applications (https://github.com/settings/applications)",
        client_hint: Some("check client_id, and that device flow is enabled in the settings of the GitHub app"),
        ..RFC
    },
    Dialect {
        provider: Provider::Google,
        name: "google",
        endpoints: EndpointSource::Fixed {
            issuer: "https://accounts.google.com",
            device_authorization: "https://oauth2.googleapis.com/device/code",
            token: "https://oauth2.googleapis.com/token",
            revocation: "https://oauth2.googleapis.com/revoke",
            userinfo: "https://openidconnect.googleapis.com/v1/userinfo",
        },
        identity_scopes: &["openid", "email"],
        client_authentication: ClientAuthentication::Post,
        client_secret_required: Some(
            "Google wants it of device clients too: make a client of the type \"TVs and Limited Input devices\" in the Google \
             Cloud console, and set client_secret = \"keyring\", or put its secret into a file named by client_secret_file",
        ),
        client_hint: Some(
            "make the client anew in the Google Cloud console, of the type \"TVs and Limited Input devices\"",
        ),
        scope_hint: Some(
            "Google allows device clients few scopes: openid, email, profile, drive.appdata, drive.file, youtube",
        ),
        ..RFC
    },
    Dialect {
        provider: Provider::Okta,
        name: "okta",
        endpoints: EndpointSource::Issuer {
            default: None,
            missing: "add issuer = \"https://example.okta.com\", or the issuer of a custom authorization server there: …/oauth2/default",
            trailing_slash: Some(false),
            known: Some(Known {
                root: "/oauth2",
                device_authorization: "/v1/device/authorize",
                token: "/v1/token",
                revocation: Some("/v1/revoke"),
                userinfo: Some("/v1/userinfo"),
            }),
        },
        identity_scopes: &["openid", "profile", "offline_access"],
        client_hint: Some(
            "check client_id, and switch on Device Authorization and Refresh Token in the app's grant types",
        ),
        scope_hint: Some("an access policy of the authorization server must allow these scopes and the device grant"),
        ..RFC
    },
    Dialect {
        provider: Provider::Auth0,
        name: "auth0",
        endpoints: EndpointSource::Issuer {
            default: None,
            missing: "add issuer = \"https://example.eu.auth0.com\", the domain of the Auth0 tenant",
            trailing_slash: Some(true),
            known: Some(Known {
                root: "",
                device_authorization: "/oauth/device/code",
                token: "/oauth/token",
                revocation: Some("/oauth/revoke"),
                userinfo: Some("/userinfo"),
            }),
        },
        identity_scopes: &["openid", "profile", "offline_access"],
        refresh_takes_audience: false,
        client_authentication: ClientAuthentication::Post,
        client_hint: Some(
            "check client_id: a Native application with the Device Code and Refresh Token grants switched on",
        ),
        ..RFC
    },
    Dialect {
        provider: Provider::Keycloak,
        name: "keycloak",
        endpoints: EndpointSource::Issuer {
            default: None,
            missing: "add issuer = \"https://sso.example.com/realms/main\", the URL of the realm",
            trailing_slash: Some(false),
            known: Some(Known {
                root: "",
                device_authorization: "/protocol/openid-connect/auth/device",
                token: "/protocol/openid-connect/token",
                revocation: Some("/protocol/openid-connect/revoke"),
                userinfo: Some("/protocol/openid-connect/userinfo"),
            }),
        },
        identity_scopes: &["openid"],
        pkce: true,
        client_hint: Some(
            "check client_id, and switch on OAuth 2.0 Device Authorization Grant in the client's settings",
        ),
        ..RFC
    },
    Dialect {
        provider: Provider::Gitlab,
        name: "gitlab",
        endpoints: EndpointSource::Issuer {
            default: Some("https://gitlab.com"),
            missing: "add issuer = \"https://gitlab.example.com\"",
            trailing_slash: Some(false),
            known: Some(Known {
                root: "",
                device_authorization: "/oauth/authorize_device",
                token: "/oauth/token",
                revocation: Some("/oauth/revoke"),
                userinfo: Some("/oauth/userinfo"),
            }),
        },
        client_authentication: ClientAuthentication::Post,
        client_hint: Some(
            "check client_id, and that the application is not confidential; the device flow needs GitLab 17.1",
        ),
        scope_hint: Some("tick the scopes in the settings of the GitLab application, openid among them"),
        ..RFC
    },
    Dialect {
        // By the RFCs, from endpoints of its own.
        provider: Provider::Adfs,
        name: "adfs",
        endpoints: EndpointSource::Adfs,
        scope_separators: &[' ', ','],
        without_expiry: WithoutExpiry::Lasts,
        ..RFC
    },
];

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn every_row_is_at_its_providers_place_and_has_a_name_of_its_own() {
        for (place, dialect) in DIALECTS.iter().enumerate() {
            assert_eq!(dialect.provider as usize, place, "{}", dialect.name);
            assert_eq!(Provider::named(dialect.name), Some(dialect.provider));
            assert_eq!(dialect.provider.as_str(), dialect.name);
        }
        assert_eq!(Provider::named("azure"), None);
    }

    /// Entra's documentation has all of it; of the others nothing says so.
    #[test]
    fn what_only_entra_has_and_only_auth0_has_not() {
        for dialect in &DIALECTS {
            let provider = dialect.provider;
            let of = [
                provider.refresh_token_serves_any_scope(),
                provider.takes_request_ids(),
                dialect.claims_in_poll,
                dialect.client_capabilities,
                dialect.families,
            ];
            assert_eq!(of, [provider == Provider::Entra; 5], "{}", dialect.name);
            assert_eq!(dialect.refresh_takes_audience, provider != Provider::Auth0, "{}", dialect.name);
        }
    }

    #[test]
    fn every_address_is_https_and_every_path_begins_with_a_slash() {
        let secure = |url: &str| assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
        let paths = |known: Known| {
            let optional = [known.revocation, known.userinfo];
            for path in [known.device_authorization, known.token].into_iter().chain(optional.into_iter().flatten()) {
                assert!(path.starts_with('/'), "{path}");
            }
        };
        for dialect in &DIALECTS {
            match dialect.endpoints {
                EndpointSource::Tenant | EndpointSource::Adfs => {}
                EndpointSource::Issuer { default, known, .. } => {
                    default.into_iter().for_each(secure);
                    known.into_iter().for_each(paths);
                }
                EndpointSource::Host { default, known, .. } => {
                    secure(default);
                    paths(known);
                }
                EndpointSource::Fixed { issuer, device_authorization, token, revocation, userinfo } => {
                    [issuer, device_authorization, token, revocation, userinfo].into_iter().for_each(secure);
                }
            }
        }
    }

    #[test]
    fn what_the_metadata_leaves_out_is_below_the_issuer_or_its_root() {
        let device = |name: &str, issuer: &str| match Provider::named(name).unwrap().dialect().endpoints {
            EndpointSource::Issuer { known: Some(known), .. } | EndpointSource::Host { known, .. } => {
                known.url(&Url::parse(issuer).unwrap(), known.device_authorization).to_string()
            }
            EndpointSource::Fixed { device_authorization, .. } => device_authorization.to_owned(),
            _ => panic!("{name} has no known paths"),
        };
        for (name, issuer, want) in [
            ("okta", "https://a.okta.com", "https://a.okta.com/oauth2/v1/device/authorize"),
            ("okta", "https://a.okta.com/oauth2/default", "https://a.okta.com/oauth2/default/v1/device/authorize"),
            ("auth0", "https://a.auth0.com/", "https://a.auth0.com/oauth/device/code"),
            ("gitlab", "https://a.example/git", "https://a.example/git/oauth/authorize_device"),
            (
                "keycloak",
                "https://a.example/realms/a",
                "https://a.example/realms/a/protocol/openid-connect/auth/device",
            ),
            ("github", "https://github.com", "https://github.com/login/device/code"),
            ("google", "https://accounts.google.com", "https://oauth2.googleapis.com/device/code"),
        ] {
            assert_eq!(device(name, issuer), want);
        }
    }

    /// What each provider is known for. A row that loses it is wrong, however well the code reads it.
    #[test]
    fn each_row_says_what_its_provider_is_known_for() {
        let of = |name: &str| Provider::named(name).unwrap().dialect();
        let names = |says: fn(&Dialect) -> bool| -> Vec<&str> {
            DIALECTS.iter().filter(|dialect| says(dialect)).map(|dialect| dialect.name).collect()
        };
        assert!(of("entra").refresh_token_serves_any_scope && of("entra").extra_in_query);
        assert_eq!((of("entra").endpoints, of("adfs").endpoints), (EndpointSource::Tenant, EndpointSource::Adfs));
        assert_eq!((of("entra").locale_in_query, of("entra").userinfo), (Some("mkt"), None));
        assert_eq!(names(|dialect| dialect.scope_case == ScopeCase::Insensitive), ["entra"]);
        assert!(of("entra").unseen.contains("Conditional Access") && of("github").cannot_revoke.contains("GitHub"));
        // Tokens that last, and commas between scopes, are for GitHub and for whom nothing is known of.
        for says in [
            |dialect: &Dialect| dialect.without_expiry == WithoutExpiry::Lasts,
            |dialect: &Dialect| dialect.scope_separators.contains(&','),
        ] {
            assert_eq!(names(says), ["oidc", "github", "adfs"]);
        }
        assert!(of("github").identity_scopes.is_empty());
        assert!(of("google").client_secret_required.is_some());
        let post = names(|dialect| dialect.client_authentication == ClientAuthentication::Post);
        assert_eq!(post, ["entra", "github", "google", "auth0", "gitlab"]);
        assert_eq!(names(|dialect| dialect.pkce), ["keycloak"], "elsewhere it is not known to be harmless");
        // Where a person can do something about it, and it is known where.
        let client = names(|dialect| dialect.client_hint.is_some());
        assert_eq!(client, ["github", "google", "okta", "auth0", "keycloak", "gitlab"]);
        assert_eq!(names(|dialect| dialect.scope_hint.is_some()), ["google", "okta", "gitlab"]);
        for name in ["okta", "auth0"] {
            assert!(of(name).identity_scopes.contains(&"offline_access"), "{name}");
        }
    }
}
