//! A profile: a client registration as the file has it, and as the daemon uses it.

use std::path::{Path, PathBuf};

use broker_oauth::metadata::{ENTRA_PUBLIC, Endpoints, entra_endpoints};
use broker_oauth::registration::{Provider, Registration};
use broker_oauth::scope::{ScopeSet, is_scope_token};
use broker_oauth::secret::ClientSecret;
use broker_oauth::text::is_https_or_loopback;
use broker_oauth::token::Target;
use serde::Deserialize;
use url::Url;

use super::file::{check_file, read_secret};

/// As the file has it; `keys::PROFILE` names the same fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    provider: Option<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    authority: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    #[serde(default)]
    scopes: Vec<String>,
    audience: Option<String>,
    resource: Option<String>,
    default_account: Option<String>,
    ca_file: Option<PathBuf>,
    proxy: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

/// As the daemon uses it. Two that are equal serve the same tokens, so a reload can tell what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The client.
    pub registration: Registration,
    /// Where its endpoints come from.
    pub authority: Authority,
    /// What its tokens are for, unless a request says otherwise.
    pub target: Target,
    /// The account of requests that name none.
    pub default_account: Option<String>,
    /// How its provider is reached.
    pub transport: Transport,
}

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
        /// The cloud.
        authority: Url,
        /// An id, a domain, or `organizations`, `common`, `consumers`.
        tenant: String,
    },
    /// Endpoints from the file.
    Explicit {
        /// The issuer, or the token endpoint where none is named.
        name: String,
        /// The endpoints.
        endpoints: Endpoints,
    },
}

/// How a provider is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transport {
    /// CA certificates trusted beside the platform's (PEM).
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
}

/// What is wrong with a profile.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

fn wrong<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), hint })
}

impl Profile {
    /// What a grant of this profile is bound to: it is never sent anywhere else.
    pub fn issuer(&self) -> String {
        match &self.authority {
            Authority::Issuer { name, .. } | Authority::Explicit { name, .. } => name.clone(),
            Authority::Entra { authority, tenant } => {
                format!("{}/{tenant}", authority.as_str().trim_end_matches('/'))
            }
        }
    }

    /// A profile that is not in the file. Fails with what is wrong and what to do.
    pub(crate) fn from_table(table: toml::Table, directory: &Path) -> Result<Self, (String, &'static str)> {
        let raw =
            table.try_into().map_err(|error: toml::de::Error| (error.message().to_owned(), "check the request"))?;
        Self::build("probe", raw, directory).map_err(|wrong| (wrong.message, wrong.hint))
    }

    pub(super) fn build(name: &str, raw: RawProfile, directory: &Path) -> Result<Self, Wrong> {
        let sane = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !sane {
            return wrong("the name may have letters, digits, '.', '_' and '-' only", "rename the profile");
        }
        let provider = provider(&raw)?;
        let authority = match provider {
            Provider::Entra => entra(&raw)?,
            Provider::Oidc => oidc(&raw)?,
        };
        let Some(client_id) = raw.client_id.clone().filter(|id| !id.is_empty()) else {
            return wrong("client_id is missing", "add the id under which the application is registered");
        };
        let client_secret = match &raw.client_secret_file {
            Some(file) => match read_secret(&directory.join(file)) {
                Ok(secret) => Some(ClientSecret::new(secret.trim_end_matches(['\r', '\n']))),
                Err(why) => return wrong(format!("client_secret_file: {why}"), "give it to you alone: chmod 600"),
            },
            None => None,
        };
        let ca_file = raw.ca_file.as_ref().map(|file| directory.join(file));
        if let Some(Err(why)) = ca_file.as_deref().map(check_file) {
            return wrong(format!("ca_file: {why}"), "who writes it decides whom brokerd trusts: chmod go-w it");
        }
        let registration = Registration { provider, client_id, client_secret, scopes: scopes(&raw.scopes)? };
        Ok(Self {
            name: name.into(),
            registration,
            authority,
            target: Target { tenant: None, resource: raw.resource, audience: raw.audience },
            default_account: raw.default_account,
            transport: Transport { ca_file, proxy: proxy(raw.proxy)? },
        })
    }
}

fn provider(raw: &RawProfile) -> Result<Provider, Wrong> {
    match raw.provider.as_deref() {
        None | Some("oidc") => Ok(Provider::Oidc),
        Some("entra") => Ok(Provider::Entra),
        Some(other @ ("github" | "google")) => wrong(
            format!("provider {other:?} is not built in yet"),
            "name its issuer, or its token_endpoint and device_authorization_endpoint, with provider = \"oidc\"",
        ),
        Some(other) => wrong(format!("provider {other:?} is none of: entra, oidc"), "use one of these"),
    }
}

fn entra(raw: &RawProfile) -> Result<Authority, Wrong> {
    if raw.issuer.is_some() || raw.token_endpoint.is_some() || raw.device_authorization_endpoint.is_some() {
        return wrong("with provider = \"entra\" the endpoints follow from tenant", "leave out issuer and endpoints");
    }
    let Some(tenant) = raw.tenant.clone() else {
        return wrong("tenant is missing", "add the tenant's id or domain, or \"organizations\" for any");
    };
    let authority = url("authority", raw.authority.as_deref().unwrap_or(ENTRA_PUBLIC))?;
    if entra_endpoints(&authority, &tenant).is_none() {
        return wrong(format!("tenant {tenant:?} is neither an id nor a domain"), "use the tenant's id or domain");
    }
    Ok(Authority::Entra { authority, tenant })
}

fn oidc(raw: &RawProfile) -> Result<Authority, Wrong> {
    if raw.tenant.is_some() || raw.authority.is_some() {
        return wrong("tenant and authority belong to provider = \"entra\"", "add that, or leave them out");
    }
    let endpoint = |name, value: &Option<String>| value.as_deref().map(|value| url(name, value)).transpose();
    if let Some(token) = endpoint("token_endpoint", &raw.token_endpoint)? {
        let endpoints = Endpoints {
            device_authorization: endpoint("device_authorization_endpoint", &raw.device_authorization_endpoint)?,
            revocation: endpoint("revocation_endpoint", &raw.revocation_endpoint)?,
            token,
        };
        let name = raw.issuer.clone().unwrap_or_else(|| endpoints.token.to_string());
        return Ok(Authority::Explicit { name, endpoints });
    }
    if raw.device_authorization_endpoint.is_some() || raw.revocation_endpoint.is_some() {
        return wrong("token_endpoint is missing beside the other endpoints", "add it, or leave all to discovery");
    }
    let Some(name) = raw.issuer.clone() else {
        return wrong("issuer is missing", "add the provider's issuer URL, or token_endpoint and the others");
    };
    Ok(Authority::Issuer { url: url("issuer", &name)?, name })
}

fn url(key: &str, value: &str) -> Result<Url, Wrong> {
    match Url::parse(value) {
        Ok(url) if is_https_or_loopback(&url) && url.fragment().is_none() && url.username().is_empty() => Ok(url),
        Ok(_) => wrong(format!("{key} {value:?} is not https"), "use https; plain http is for this machine only"),
        Err(error) => wrong(format!("{key} {value:?} is no URL: {error}"), "write it as https://host/path"),
    }
}

fn scopes(list: &[String]) -> Result<ScopeSet, Wrong> {
    match list.iter().find(|scope| !is_scope_token(scope)) {
        Some(bad) => {
            wrong(format!("scope {bad:?} has a character no scope may have"), "list each scope as its own string")
        }
        None => Ok(list.iter().map(String::as_str).collect()),
    }
}

fn proxy(raw: Option<String>) -> Result<Option<String>, Wrong> {
    match raw {
        Some(proxy) if !Url::parse(&proxy).is_ok_and(|url| url.scheme() == "http" && url.has_host()) => {
            wrong("proxy is no http:// URL", "write it as http://host:port")
        }
        proxy => Ok(proxy),
    }
}
