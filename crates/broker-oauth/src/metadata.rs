//! Where a provider's endpoints are: discovery (RFC 8414, OpenID Connect Discovery 1.0 §4), or Entra's templates.
//!
//! 1. Ask [`discovery_urls`] in order.
//! 2. Read the first answer that is metadata with [`endpoints`], which insists that it speaks for the issuer asked.

use serde_json::{Map, Value};
use url::Url;

use crate::text::is_https_or_loopback;
use crate::wire::text;

/// Largest metadata document, in bytes.
pub const MAX_METADATA: usize = 256 * 1024;
/// Entra's public cloud.
pub const ENTRA_PUBLIC: &str = "https://login.microsoftonline.com";

/// The endpoints a sign-in needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// RFC 6749 §3.2.
    pub token: Url,
    /// RFC 8628 §3.1; absent where the provider has no device flow.
    pub device_authorization: Option<Url>,
    /// RFC 7009; absent where grants cannot be given back.
    pub revocation: Option<Url>,
}

/// Why metadata was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The document speaks for another issuer (RFC 8414 §3.3: a mix-up, or a spelling mistake in the configuration).
    #[error("the provider calls itself {found:?}, the configuration says {expected:?}")]
    OtherIssuer {
        /// As configured.
        expected: String,
        /// As found, cleaned.
        found: String,
    },
    /// A field is missing.
    #[error("the provider's metadata has no {0}")]
    Missing(&'static str),
    /// A field is no safe URL.
    #[error("the provider's {0} is not an https URL")]
    Insecure(&'static str),
}

/// Returns the places where an issuer's metadata may be, the likelier first.
pub fn discovery_urls(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut openid = issuer.clone();
    openid.set_path(&format!("{path}/.well-known/openid-configuration"));
    let mut oauth = issuer.clone();
    oauth.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    vec![openid, oauth]
}

/// Reads a metadata document that was asked of `issuer` (as configured, to the letter).
pub fn endpoints(issuer: &str, document: &Map<String, Value>) -> Result<Endpoints, MetadataError> {
    let found = text(document, "issuer").ok_or(MetadataError::Missing("issuer"))?;
    if found != issuer {
        return Err(MetadataError::OtherIssuer { expected: issuer.into(), found: crate::text::clean(&found) });
    }
    Ok(Endpoints {
        token: url(document, "token_endpoint")?.ok_or(MetadataError::Missing("token_endpoint"))?,
        device_authorization: url(document, "device_authorization_endpoint")?,
        revocation: url(document, "revocation_endpoint")?,
    })
}

fn url(document: &Map<String, Value>, name: &'static str) -> Result<Option<Url>, MetadataError> {
    let Some(raw) = text(document, name) else { return Ok(None) };
    match Url::parse(&raw) {
        Ok(url) if is_https_or_loopback(&url) => Ok(Some(url)),
        _ => Err(MetadataError::Insecure(name)),
    }
}

/// Returns Entra's v2.0 endpoints for a tenant (an id, a domain, or `organizations`, `common`, `consumers`). Entra has no
/// revocation endpoint. `None` if the tenant is no host name or id.
pub fn entra_endpoints(authority: &Url, tenant: &str) -> Option<Endpoints> {
    let sane = !tenant.is_empty()
        && tenant.len() <= 253
        && tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        && !tenant.starts_with('.');
    let base = authority.path().trim_end_matches('/');
    let at = |leaf: &str| {
        let mut url = authority.clone();
        url.set_path(&format!("{base}/{tenant}/oauth2/v2.0/{leaf}"));
        url
    };
    sane.then(|| Endpoints { token: at("token"), device_authorization: Some(at("devicecode")), revocation: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(issuer: &str, document: &Value) -> Result<Endpoints, MetadataError> {
        endpoints(issuer, document.as_object().unwrap())
    }

    #[test]
    fn metadata_is_looked_for_where_both_standards_put_it() {
        let urls = |issuer: &str| -> Vec<String> {
            discovery_urls(&Url::parse(issuer).unwrap()).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            urls("https://sso.example.com/realms/main"),
            [
                "https://sso.example.com/realms/main/.well-known/openid-configuration",
                "https://sso.example.com/.well-known/oauth-authorization-server/realms/main",
            ]
        );
        assert_eq!(urls("https://a.example/")[0], "https://a.example/.well-known/openid-configuration");
    }

    #[test]
    fn another_issuer_is_not_believed() {
        let document = json!({"issuer": "https://evil.example", "token_endpoint": "https://a.example/t"});
        let error = parse("https://a.example", &document).unwrap_err();
        assert!(error.to_string().contains("https://evil.example"), "{error}");
    }

    #[test]
    fn plain_http_endpoints_are_refused_off_this_machine() {
        let document = json!({"issuer": "https://a.example", "token_endpoint": "http://a.example/t"});
        assert_eq!(parse("https://a.example", &document), Err(MetadataError::Insecure("token_endpoint")));
        let document = json!({"issuer": "http://127.0.0.1:1", "token_endpoint": "http://127.0.0.1:1/t"});
        assert_eq!(parse("http://127.0.0.1:1", &document).unwrap().device_authorization, None);
    }

    #[test]
    fn entra_is_templated_and_tenants_cannot_leave_the_template() {
        let public = Url::parse(ENTRA_PUBLIC).unwrap();
        let endpoints = entra_endpoints(&public, "contoso.onmicrosoft.com").unwrap();
        assert_eq!(
            endpoints.device_authorization.unwrap().as_str(),
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/devicecode"
        );
        for bad in ["", "..", "a/b", "a?b", "a b", "x#y"] {
            assert_eq!(entra_endpoints(&public, bad), None, "{bad:?}");
        }
    }
}
