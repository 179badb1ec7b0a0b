//! Where a profile's endpoints come from.

use broker_oauth::entra::{self, Kind};
use broker_oauth::metadata::Endpoints;
use broker_oauth::text::is_https_or_loopback;
use url::Url;

use super::{RawProfile, Wrong, wrong};

/// Where a profile's endpoints come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Discovery at an issuer.
    Issuer {
        /// To the letter, because metadata must repeat it so.
        name: String,
        /// The same, parsed.
        url: Url,
    },
    /// Entra's templates.
    Entra {
        /// The cloud, by its preferred host.
        authority: Url,
        /// An id, a domain, or `organizations`, `common`, `consumers`.
        tenant: String,
    },
    /// Endpoints from the file.
    Explicit {
        /// The issuer, or the token endpoint where none is named.
        name: String,
        /// The endpoints.
        endpoints: Box<Endpoints>,
    },
}

impl Authority {
    /// Its name. A grant of Entra is good in every tenant of the user, so there it is the cloud's.
    pub(super) fn server(&self) -> String {
        match self {
            Self::Issuer { name, .. } | Self::Explicit { name, .. } => name.clone(),
            Self::Entra { authority, .. } => authority.as_str().trim_end_matches('/').to_owned(),
        }
    }

    /// What people are shown: with the tenant, where there is one.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Entra { tenant, .. } => format!("{}/{tenant}", self.server()),
            Self::Issuer { .. } | Self::Explicit { .. } => self.server(),
        }
    }

    /// The host that requests go to first.
    pub fn url(&self) -> &Url {
        match self {
            Self::Issuer { url, .. } => url,
            Self::Entra { authority, .. } => authority,
            Self::Explicit { endpoints, .. } => &endpoints.token,
        }
    }
}

pub(super) fn entra(raw: &RawProfile) -> Result<Authority, Wrong> {
    if raw.issuer.is_some() {
        return wrong("with provider = \"entra\" the endpoints follow from tenant", "leave out issuer");
    }
    let authority = match (&raw.cloud, &raw.authority) {
        (Some(_), Some(_)) => return wrong("cloud and authority are both there", "keep one of them"),
        (Some(name), None) => cloud(name)?,
        (None, authority) => entra::canonical(url("authority", authority.as_deref().unwrap_or(entra::PUBLIC))?),
    };
    let own_tenant = tenant_of(&authority)?;
    let Some(tenant) = raw.tenant.clone().or(own_tenant) else {
        return wrong("tenant is missing", "add the tenant's id or domain, or \"organizations\" for any");
    };
    if !entra::is_tenant(&tenant) {
        return wrong(format!("tenant {tenant:?} is neither an id nor a domain"), "use the tenant's id or domain");
    }
    Ok(Authority::Entra { authority, tenant })
}

/// AD FS by its templates, for servers whose metadata is not to be had or has no device endpoint.
pub(super) fn adfs(raw: &RawProfile) -> Result<Authority, Wrong> {
    if [&raw.issuer, &raw.tenant, &raw.cloud].into_iter().any(Option::is_some) {
        return wrong("with provider = \"adfs\" the endpoints follow from authority", "leave out the others");
    }
    let Some(name) = &raw.authority else {
        return wrong("authority is missing", "add authority = \"https://host/adfs\"");
    };
    let authority = url("authority", name)?;
    if entra::kind(&authority) != Kind::Adfs {
        return wrong(format!("authority {name:?} is not AD FS"), "write it as https://host/adfs");
    }
    let endpoints = Box::new(entra::adfs_endpoints(&authority));
    Ok(Authority::Explicit { name: name.trim_end_matches('/').to_owned(), endpoints })
}

fn cloud(name: &str) -> Result<Url, Wrong> {
    if name == "germany" {
        return closed();
    }
    entra::cloud(name).ok_or_else(|| Wrong {
        message: format!("cloud {name:?} is none of: {}", entra::clouds().collect::<Vec<_>>().join(", ")),
        hint: "use one of these, or name the cloud's base URL as authority",
    })
}

/// The tenant an authority brings with it, if it can be one for provider "entra" at all.
fn tenant_of(authority: &Url) -> Result<Option<String>, Wrong> {
    match entra::kind(authority) {
        Kind::Ciam { tenant } => Ok(Some(tenant)),
        Kind::Entra if entra::is_cloud(authority) && authority.path() != "/" => wrong(
            format!("authority {authority} has a path"),
            "write the tenant as tenant, and authority without a path",
        ),
        Kind::Entra => Ok(None),
        Kind::Adfs => wrong(format!("authority {authority} is AD FS"), "use provider = \"adfs\", without tenant"),
        Kind::B2c => no_b2c(),
        Kind::Dsts => wrong("dSTS is not supported", "name an authority of Microsoft Entra ID"),
        Kind::Closed => closed(),
    }
}

fn no_b2c<T>() -> Result<T, Wrong> {
    wrong(
        "Azure AD B2C has no device authorization endpoint",
        "sign in through a tenant of Microsoft Entra ID, or another provider that has the device flow",
    )
}

fn closed<T>() -> Result<T, Wrong> {
    wrong(
        "Microsoft Cloud Germany (login.microsoftonline.de) was closed in 2021",
        "use cloud = \"public\", or \"delos\"",
    )
}

pub(super) fn oidc(raw: &RawProfile) -> Result<Authority, Wrong> {
    let entras = [("tenant", &raw.tenant), ("cloud", &raw.cloud), ("authority", &raw.authority)];
    if let Some((key, _)) = entras.into_iter().find(|(_, value)| value.is_some()) {
        return wrong(format!("{key} belongs to provider = \"entra\""), "add that, or leave it out");
    }
    let endpoint = |name, value: &Option<String>| value.as_deref().map(|value| url(name, value)).transpose();
    if let Some(token) = endpoint("token_endpoint", &raw.token_endpoint)? {
        let endpoints = Box::new(Endpoints {
            device_authorization: endpoint("device_authorization_endpoint", &raw.device_authorization_endpoint)?,
            revocation: endpoint("revocation_endpoint", &raw.revocation_endpoint)?,
            userinfo: endpoint("userinfo_endpoint", &raw.userinfo_endpoint)?,
            token,
        });
        let name = match &raw.issuer {
            // It is asked for nothing, and shown all the same.
            Some(issuer) => url("issuer", issuer).map(|_| issuer.clone())?,
            None => endpoints.token.to_string(),
        };
        return Ok(Authority::Explicit { name, endpoints });
    }
    let Some(name) = raw.issuer.clone() else {
        return wrong("issuer is missing", "add the provider's issuer URL, or token_endpoint and the others");
    };
    let url = url("issuer", &name)?;
    // Its metadata has no device endpoint, which would be found out at the first sign-in only.
    if entra::kind(&url) == Kind::B2c {
        return no_b2c();
    }
    Ok(Authority::Issuer { url, name })
}

/// Reads the URL of a key. One that may have a password or a key of an API in it is not quoted.
pub(super) fn url(key: &str, value: &str) -> Result<Url, Wrong> {
    let quoted = if value.contains(['@', '?', '#']) { String::new() } else { format!(" {value:?}") };
    let url = match Url::parse(value) {
        Ok(url) => url,
        Err(error) => return wrong(format!("{key}{quoted} is no URL: {error}"), "write it as https://host/path"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "leave out what stands before the @; a client's secret belongs to client_secret_file or the keyring";
        return wrong(format!("{key} has a user or a password in it"), hint);
    }
    if url.fragment().is_some() {
        return wrong(format!("{key} has a fragment"), "leave out the # and what follows it");
    }
    // RFC 8414 §2; an endpoint may have one (RFC 6749 §3.1).
    if url.query().is_some() && matches!(key, "issuer" | "authority") {
        return wrong(format!("{key} has a query"), "leave out the ? and what follows it");
    }
    if !is_https_or_loopback(&url) {
        return wrong(format!("{key}{quoted} is not https"), "use https; plain http is for this machine only");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::Authority;

    /// A profile with these lines; its error as a person reads it.
    fn profile(lines: &str) -> Result<Profile, String> {
        let table = toml::from_str(&format!("client_id = \"c\"\n{lines}")).unwrap();
        Profile::from_table("probe", table, std::path::Path::new("")).map_err(|(what, hint)| format!("{what}; {hint}"))
    }

    #[test]
    fn a_cloud_by_any_name_binds_the_same_grants_and_the_tenant_does_not() {
        for (lines, bound_to, shown) in [
            (
                "tenant = 't.example'",
                "https://login.microsoftonline.com",
                "https://login.microsoftonline.com/t.example",
            ),
            (
                "tenant = 'common'\nauthority = 'https://sts.windows.net/'",
                "https://login.microsoftonline.com",
                "https://login.microsoftonline.com/common",
            ),
            (
                "tenant = 't.example'\ncloud = 'us-government'",
                "https://login.microsoftonline.us",
                "https://login.microsoftonline.us/t.example",
            ),
            (
                "tenant = 't.example'\nauthority = 'https://login.usgovcloudapi.net'",
                "https://login.microsoftonline.us",
                "https://login.microsoftonline.us/t.example",
            ),
            (
                "authority = 'https://contoso.ciamlogin.com'",
                "https://contoso.ciamlogin.com",
                "https://contoso.ciamlogin.com/contoso.onmicrosoft.com",
            ),
            (
                "authority = 'https://contoso.ciamlogin.com'\ntenant = 'other.example'",
                "https://contoso.ciamlogin.com",
                "https://contoso.ciamlogin.com/other.example",
            ),
        ] {
            let profile = profile(&format!("provider = 'entra'\n{lines}")).unwrap();
            assert_eq!((profile.bound_to().as_str(), profile.issuer().as_str()), (bound_to, shown), "{lines}");
        }
    }

    #[test]
    fn adfs_is_templated_from_its_authority() {
        let profile = profile("provider = 'adfs'\nauthority = 'https://fs.example/adfs/'").unwrap();
        assert_eq!((profile.bound_to(), profile.issuer()), ("https://fs.example/adfs".into(), profile.bound_to()));
        let Authority::Explicit { endpoints, .. } = profile.authority else { panic!("not templated") };
        assert_eq!(endpoints.token.as_str(), "https://fs.example/adfs/oauth2/token");
        assert_eq!(endpoints.device_authorization.unwrap().as_str(), "https://fs.example/adfs/oauth2/devicecode");
    }

    /// Each row: the lines of a profile, and what its error must say.
    #[test]
    fn authorities_that_cannot_work_are_named_when_the_file_is_read() {
        for (lines, named) in [
            ("provider = 'entra'\ntenant = 't'\ncloud = 'public'\nauthority = 'https://login.windows.net'", "keep one"),
            ("provider = 'entra'\ntenant = 't'\ncloud = 'germany'", "closed in 2021"),
            ("provider = 'entra'\ntenant = 't'\nauthority = 'https://login.microsoftonline.de'", "closed in 2021"),
            ("provider = 'entra'\ntenant = 't'\ncloud = 'usgov'", "us-government"),
            ("provider = 'entra'\ntenant = 't'\nauthority = 'https://login.windows.net/t'", "has a path"),
            (
                "provider = 'entra'\nauthority = 'https://contoso.b2clogin.com'",
                "B2C has no device authorization endpoint",
            ),
            ("provider = 'entra'\nauthority = 'https://id.example/t.example/B2C_1_in'", "B2C"),
            ("issuer = 'https://contoso.b2clogin.com/t/v2.0'", "B2C has no device authorization endpoint"),
            ("provider = 'entra'\nauthority = 'https://x.example/dstsv2/t'", "dSTS is not supported"),
            ("provider = 'entra'\nauthority = 'https://fs.example/adfs'", "provider = \"adfs\""),
            ("provider = 'adfs'\nauthority = 'https://fs.example'", "is not AD FS"),
            ("provider = 'adfs'", "authority is missing"),
            ("provider = 'adfs'\nauthority = 'https://fs.example/adfs'\ntenant = 't'", "leave out"),
            ("issuer = 'https://a.example'\ncloud = 'public'", "cloud belongs to provider = \"entra\""),
        ] {
            let error = profile(lines).unwrap_err();
            assert!(error.contains(named), "{lines}: {error}");
        }
    }

    /// Each row: the lines of a profile, and what its error must say.
    #[test]
    fn a_url_with_a_user_a_password_a_fragment_or_an_issuers_query_is_refused_and_not_quoted() {
        let explicit = "token_endpoint = 'https://a.example/t'\ndevice_authorization_endpoint = 'https://a.example/d'";
        for (lines, named) in [
            ("issuer = 'https://ada:hunter2@a.example'", "issuer has a user or a password"),
            ("issuer = 'https://:hunter2@a.example'", "issuer has a user or a password"),
            ("issuer = 'https://hunter2@a.example'", "issuer has a user or a password"),
            ("issuer = 'http://ada:hunter2@a.example'", "issuer has a user or a password"),
            ("issuer = 'https://ada:hunter2@'", "issuer is no URL"),
            ("issuer = 'https://ada:hunter2/x@a.example'", "issuer is no URL"),
            ("issuer = 'https://a.example/#hunter2'", "issuer has a fragment"),
            ("issuer = 'https://a.example/?key=hunter2'", "issuer has a query"),
            (&format!("issuer = 'https://:hunter2@a.example'\n{explicit}"), "issuer has a user or a password"),
            (&format!("issuer = 'https://a.example?hunter2'\n{explicit}"), "issuer has a query"),
            (
                &format!("{explicit}\nrevocation_endpoint = 'https://:hunter2@a.example'"),
                "revocation_endpoint has a user",
            ),
            (
                &format!("{explicit}\nuserinfo_endpoint = 'https://a.example/#hunter2'"),
                "userinfo_endpoint has a fragment",
            ),
            ("provider = 'github'\nauthority = 'https://:hunter2@ghe.example'", "authority has a user or a password"),
            ("provider = 'github'\nauthority = 'https://ghe.example?hunter2'", "authority has a query"),
            (
                &format!("provider = 'github'\nauthority = 'https://:hunter2@ghe.example'\n{explicit}"),
                "authority has a user or a password",
            ),
            (
                "provider = 'entra'\ntenant = 't'\nauthority = 'https://ada:hunter2@login.windows.net'",
                "authority has a user or a password",
            ),
            ("provider = 'adfs'\nauthority = 'https://fs.example/adfs?hunter2'", "authority has a query"),
            ("provider = 'keycloak'\nissuer = 'https://ada:hunter2@a.example'", "issuer has a user or a password"),
        ] {
            let error = profile(lines).err().unwrap_or_else(|| panic!("{lines} is good"));
            assert!(error.contains(named) && !error.contains("hunter2"), "{lines}: {error}");
        }
        let queries =
            "token_endpoint = 'https://a.example/t?v=1'\ndevice_authorization_endpoint = 'https://a.example/d?v=1'";
        assert!(profile(queries).is_ok(), "RFC 6749 §3.2: an endpoint may have a query");
    }

    /// Each row: the lines of a profile, and the key that its error must name.
    #[test]
    fn an_endpoint_that_would_not_be_used_is_named() {
        let entra = "provider = 'entra'\ntenant = 't.example'";
        let adfs = "provider = 'adfs'\nauthority = 'https://fs.example/adfs'";
        for key in ["token_endpoint", "device_authorization_endpoint", "revocation_endpoint", "userinfo_endpoint"] {
            for (lines, follows) in [(entra, "follow from tenant"), (adfs, "follow from authority")] {
                let error = profile(&format!("{lines}\n{key} = 'https://a.example'")).unwrap_err();
                assert!(error.starts_with(key) && error.contains(follows), "{lines}: {error}");
            }
        }
        for key in ["device_authorization_endpoint", "revocation_endpoint", "userinfo_endpoint"] {
            for provider in ["issuer = 'https://a.example'", "provider = 'gitlab'", "provider = 'google'"] {
                let error = profile(&format!("{provider}\n{key} = 'https://a.example'")).unwrap_err();
                assert!(error.contains("token_endpoint is missing") && error.contains(key), "{provider}: {error}");
            }
        }
    }
}
