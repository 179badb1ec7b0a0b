//! Where a profile's endpoints come from.

use broker_oauth::metadata::{ENTRA_PUBLIC, Endpoints, entra_endpoints};
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

pub(super) fn entra(raw: &RawProfile) -> Result<Authority, Wrong> {
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

pub(super) fn oidc(raw: &RawProfile) -> Result<Authority, Wrong> {
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
