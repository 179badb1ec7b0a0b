//! A provider by its name: which keys its profiles need, and where its endpoints are.

use broker_oauth::dialect::{DIALECTS, EndpointSource, Known, Provider};
use broker_oauth::metadata::Endpoints;
use url::Url;

use super::{Authority, RawProfile, Wrong, authority, wrong};
use crate::config::nearest;

pub(super) fn provider(name: Option<&str>) -> Result<Provider, Wrong> {
    let name = name.unwrap_or(Provider::Oidc.as_str());
    Provider::named(name).map_or_else(
        || {
            let names: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name).collect();
            let near = nearest(name, &names).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            wrong(format!("provider {name:?} is none of: {}{near}", names.join(", ")), "use one of these")
        },
        Ok,
    )
}

/// Where the endpoints come from. Explicit ones win, so that a gateway in front of a provider can be named.
pub(super) fn authority(provider: Provider, raw: &mut RawProfile) -> Result<Authority, Wrong> {
    check_endpoints(provider, raw)?;
    match provider.dialect().endpoints {
        EndpointSource::Tenant => authority::entra(raw),
        EndpointSource::Adfs => authority::adfs(raw),
        EndpointSource::Issuer { default, missing, trailing_slash, .. } => {
            let entras = raw.tenant.is_some() || raw.authority.is_some() || raw.cloud.is_some();
            let issuer = raw.issuer.take().or(default.map(str::to_owned));
            if issuer.is_none() && raw.token_endpoint.is_none() && !entras {
                return wrong("issuer is missing", missing);
            }
            raw.issuer = issuer.map(|issuer| spelled(&issuer, trailing_slash));
            authority::oidc(raw)
        }
        EndpointSource::Host { default, known, api } => {
            let only_here = "the endpoints follow from authority";
            let keys =
                [("issuer", raw.issuer.is_some()), ("tenant", raw.tenant.is_some()), ("cloud", raw.cloud.is_some())];
            refuse(provider, keys, only_here)?;
            let base = raw.authority.take();
            let name = spelled(base.as_deref().unwrap_or(default), Some(false));
            let url = authority::url("authority", &name)?;
            if raw.token_endpoint.is_some() {
                raw.issuer = Some(name);
                return authority::oidc(raw);
            }
            let endpoints = Box::new(on_host(&url, &known, api));
            Ok(Authority::Explicit { name, endpoints })
        }
        EndpointSource::Fixed { issuer, device_authorization, token, revocation, userinfo } => {
            let keys = [
                ("issuer", raw.issuer.is_some()),
                ("tenant", raw.tenant.is_some()),
                ("authority", raw.authority.is_some()),
                ("cloud", raw.cloud.is_some()),
            ];
            refuse(provider, keys, "its endpoints are always the same")?;
            if raw.token_endpoint.is_some() {
                raw.issuer = Some(issuer.into());
                return authority::oidc(raw);
            }
            let url = |url| authority::url("endpoint", url);
            let endpoints = Box::new(Endpoints {
                token: url(token)?,
                device_authorization: Some(url(device_authorization)?),
                revocation: Some(url(revocation)?),
                userinfo: Some(url(userinfo)?),
            });
            Ok(Authority::Explicit { name: issuer.into(), endpoints })
        }
    }
}

/// Names an endpoint that would not be used: where all follow from another key, or without the one that makes them explicit.
fn check_endpoints(provider: Provider, raw: &RawProfile) -> Result<(), Wrong> {
    let keys = [
        ("token_endpoint", raw.token_endpoint.is_some()),
        ("device_authorization_endpoint", raw.device_authorization_endpoint.is_some()),
        ("revocation_endpoint", raw.revocation_endpoint.is_some()),
        ("userinfo_endpoint", raw.userinfo_endpoint.is_some()),
    ];
    match provider.dialect().endpoints {
        EndpointSource::Tenant => refuse(provider, keys, "the endpoints follow from tenant"),
        EndpointSource::Adfs => refuse(provider, keys, "the endpoints follow from authority"),
        _ if raw.token_endpoint.is_some() => Ok(()),
        _ => match keys.iter().find(|(_, there)| *there) {
            Some((key, _)) => {
                wrong(format!("token_endpoint is missing beside {key}"), "add it, or leave out all endpoints")
            }
            None => Ok(()),
        },
    }
}

/// Names a key that has no meaning for the provider.
fn refuse<const N: usize>(provider: Provider, keys: [(&str, bool); N], why: &str) -> Result<(), Wrong> {
    let name = provider.as_str();
    if let Some((key, _)) = keys.iter().find(|(_, there)| *there) {
        return wrong(format!("{key} is not for provider = {name:?}: {why}"), "leave it out");
    }
    Ok(())
}

/// An issuer as its provider writes it: a slash at the end is part of it, and easily forgotten.
fn spelled(issuer: &str, trailing_slash: Option<bool>) -> String {
    let bare = issuer.trim_end_matches('/');
    match trailing_slash {
        None => issuer.to_owned(),
        Some(false) => bare.to_owned(),
        Some(true) => format!("{bare}/"),
    }
}

fn on_host(base: &Url, known: &Known, (hosts, path): (&[&str], &str)) -> Endpoints {
    let at = |path| known.url(base, path);
    let host = base.host_str().unwrap_or_default();
    let has_api_host = hosts.iter().any(|known| *known == host || known.starts_with('.') && host.ends_with(known));
    let mut api = base.clone();
    let userinfo = if has_api_host && api.set_host(Some(&format!("api.{host}"))).is_ok() {
        api.set_path(path);
        Some(api)
    } else {
        known.userinfo.map(at)
    };
    Endpoints {
        token: at(known.token),
        device_authorization: Some(at(known.device_authorization)),
        revocation: known.revocation.map(at),
        userinfo,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, ConfigError, Profile};

    /// The profile begins on line 2.
    fn parse(lines: &str) -> Result<Profile, ConfigError> {
        let text = format!("\n[profiles.p]\nclient_id = \"cli\"\n{lines}");
        Config::parse(Path::new("/etc/config.toml"), &text).map(|config| Profile::clone(&config.profiles["p"]))
    }

    fn explicit(lines: &str) -> Endpoints {
        match parse(lines).unwrap().authority {
            Authority::Explicit { endpoints, .. } => *endpoints,
            other => panic!("not explicit: {other:?}"),
        }
    }

    #[test]
    fn a_minimal_profile_of_each_provider_is_right() {
        for (lines, issuer) in [
            ("issuer = \"https://a.example/x/\"", "https://a.example/x/"),
            ("provider = \"entra\"\ntenant = \"a.example\"", "https://login.microsoftonline.com/a.example"),
            ("provider = \"github\"", "https://github.com"),
            ("provider = \"github\"\nauthority = \"https://ghe.example.com/\"", "https://ghe.example.com"),
            ("provider = \"google\"\nclient_secret = \"keyring\"", "https://accounts.google.com"),
            (
                "provider = \"okta\"\nissuer = \"https://a.okta.com/oauth2/default/\"",
                "https://a.okta.com/oauth2/default",
            ),
            ("provider = \"auth0\"\nissuer = \"https://a.eu.auth0.com\"", "https://a.eu.auth0.com/"),
            ("provider = \"keycloak\"\nissuer = \"https://a.example/realms/r/\"", "https://a.example/realms/r"),
            ("provider = \"gitlab\"", "https://gitlab.com"),
            ("provider = \"gitlab\"\nissuer = \"https://git.example.com/\"", "https://git.example.com"),
        ] {
            assert_eq!(parse(lines).unwrap().issuer(), issuer, "{lines}");
        }
    }

    /// Each row: the lines, the one of the file that is named, and what the error must say.
    #[test]
    fn what_a_provider_needs_or_refuses_is_named_with_the_line() {
        for (lines, line, named) in [
            ("provider = \"entra\"", 2, "tenant"),
            ("provider = \"gihub\"", 4, "did you mean \"github\""),
            ("provider = \"github\"\nissuer = \"https://github.com\"", 5, "issuer is not for"),
            ("provider = \"github\"\ntenant = \"a\"", 5, "tenant is not for"),
            ("provider = \"github\"\nauthority = \"http://ghe.example.com\"", 5, "https"),
            ("provider = \"github\"\nuserinfo_endpoint = \"https://a.example/u\"", 2, "token_endpoint is missing"),
            ("provider = \"github\"\ncloud = \"public\"", 5, "cloud is not for"),
            ("provider = \"google\"", 2, "TVs and Limited Input devices"),
            (
                "provider = \"google\"\nclient_secret = \"keyring\"\nissuer = \"https://a.example\"",
                6,
                "issuer is not for",
            ),
            ("provider = \"okta\"", 2, "oauth2/default"),
            ("provider = \"auth0\"", 2, "auth0.com"),
            ("provider = \"keycloak\"", 2, "realms/main"),
            (
                "provider = \"keycloak\"\nissuer = \"https://a.example\"\nauthority = \"https://a.example\"",
                6,
                "authority",
            ),
            ("provider = \"gitlab\"\ntenant = \"a\"", 5, "tenant"),
            ("provider = \"gitlab\"\nclient_authentication = \"jwt\"", 5, "basic, post"),
            (
                "provider = \"entra\"\ntenant = \"t\"\nuserinfo_endpoint = \"https://a.example\"",
                6,
                "userinfo_endpoint is not for",
            ),
            (
                "issuer = \"https://a.example\"\nuserinfo_endpoint = \"https://a.example\"",
                2,
                "token_endpoint is missing",
            ),
            ("provider = \"gitlab\"\nclient_authentication = \"post\"", 5, "client_authentication is there without"),
            ("provider = \"gitlab\"\nclient_secret = \"hunter2\"", 5, "never put a secret"),
            ("provider = \"gitlab\"\nclient_secret = 123456", 5, "never put a secret"),
            ("provider = \"gitlab\"\nclient_secret = [\"hunter2\"]", 5, "never put a secret"),
            (
                "provider = \"gitlab\"\nextra_parameters = { scope = \"api\" }",
                5,
                "\"scope\" is a parameter that brokerd sets",
            ),
            ("provider = \"gitlab\"\nextra_parameters = { \"a b\" = \"x\" }", 5, "\"a b\" is no name"),
        ] {
            let error = parse(lines).unwrap_err();
            assert_eq!(error.line, Some(line), "{lines}: {error}");
            let told = format!("{error}; {}", error.hint);
            assert!(told.contains(named) && !error.hint.is_empty(), "{lines}: {told}");
            assert!(!told.contains("hunter2") && !told.contains("123456"), "{told}");
        }
    }

    #[test]
    fn githubs_users_are_named_by_the_api_of_their_own_host() {
        let userinfo = |lines: &str| explicit(&format!("provider = \"github\"\n{lines}")).userinfo.unwrap().to_string();
        assert_eq!(userinfo(""), "https://api.github.com/user");
        assert_eq!(userinfo("authority = \"https://octo.ghe.com\""), "https://api.octo.ghe.com/user");
        assert_eq!(userinfo("authority = \"https://ghe.example.com\""), "https://ghe.example.com/api/v3/user");
        assert_eq!(userinfo("authority = \"https://notgithub.com\""), "https://notgithub.com/api/v3/user");
        let endpoints = explicit("provider = \"github\"");
        assert_eq!(endpoints.token.as_str(), "https://github.com/login/oauth/access_token");
        assert_eq!(endpoints.device_authorization.unwrap().as_str(), "https://github.com/login/device/code");
        assert_eq!(endpoints.revocation, None);
    }

    #[test]
    fn explicit_endpoints_win_over_a_preset_and_keep_its_name() {
        let lines = "provider = \"google\"\nclient_secret = \"keyring\"\n\
                     token_endpoint = \"https://gw.example/token\"\n\
                     device_authorization_endpoint = \"https://gw.example/device\"";
        assert_eq!(explicit(lines).token.as_str(), "https://gw.example/token");
        assert_eq!(parse(lines).unwrap().issuer(), "https://accounts.google.com");
    }
}
