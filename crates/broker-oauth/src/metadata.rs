//! Where a provider's endpoints are, by discovery (RFC 8414, OpenID Connect Discovery 1.0 §4).
//!
//! 1. Ask [`discovery_urls`] in order.
//! 2. Read the first answer that is metadata with [`endpoints`], which insists that it speaks for the issuer asked.

use serde_json::{Map, Value};
use url::Url;

use crate::text::is_https_or_loopback;
use crate::wire::text;

/// The endpoints a sign-in needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// RFC 6749 §3.2.
    pub token: Url,
    /// RFC 8628 §3.1; absent where the provider has no device flow.
    pub device_authorization: Option<Url>,
    /// RFC 7009; absent where grants cannot be given back.
    pub revocation: Option<Url>,
    /// Where a token says whose it is (OpenID Connect Core §5.3).
    pub userinfo: Option<Url>,
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
    /// Entra's document for any tenant: it is a template, and no issuer is called so.
    #[error(
        "the provider calls itself {found:?}, for any tenant: that is Microsoft Entra, use provider = \"entra\" with tenant = \"common\""
    )]
    AnyTenant {
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
    if found != issuer && found.contains("{tenantid}") {
        return Err(MetadataError::AnyTenant { found: crate::text::clean(&found) });
    }
    if found != issuer {
        return Err(MetadataError::OtherIssuer { expected: issuer.into(), found: crate::text::clean(&found) });
    }
    Ok(Endpoints {
        token: url(document, "token_endpoint")?.ok_or(MetadataError::Missing("token_endpoint"))?,
        device_authorization: url(document, "device_authorization_endpoint")?,
        revocation: url(document, "revocation_endpoint")?,
        // It only names people: one that cannot be used is no reason to do without the rest.
        userinfo: url(document, "userinfo_endpoint").ok().flatten(),
    })
}

fn url(document: &Map<String, Value>, name: &'static str) -> Result<Option<Url>, MetadataError> {
    let Some(raw) = text(document, name) else { return Ok(None) };
    match Url::parse(&raw) {
        Ok(url) if is_https_or_loopback(&url) => Ok(Some(url)),
        _ => Err(MetadataError::Insecure(name)),
    }
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
        assert!(matches!(&error, MetadataError::OtherIssuer { .. }), "{error:?}");
        assert!(error.to_string().contains("https://evil.example"), "{error}");
    }

    #[test]
    fn entras_template_is_no_issuer_and_the_provider_to_name_is_told() {
        let document = json!({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "token_endpoint": "t"});
        let error = parse("https://login.microsoftonline.com/common/v2.0", &document).unwrap_err();
        assert!(error.to_string().contains("provider = \"entra\""), "{error}");
    }

    #[test]
    fn plain_http_endpoints_are_refused_off_this_machine() {
        let document = json!({"issuer": "https://a.example", "token_endpoint": "http://a.example/t"});
        assert_eq!(parse("https://a.example", &document), Err(MetadataError::Insecure("token_endpoint")));
        let document = json!({"issuer": "http://127.0.0.1:1", "token_endpoint": "http://127.0.0.1:1/t"});
        assert_eq!(parse("http://127.0.0.1:1", &document).unwrap().device_authorization, None);
    }

    /// An access token goes there: better nobody is named than that it crosses a network in clear text.
    #[test]
    fn a_userinfo_endpoint_that_is_not_https_is_none() {
        let userinfo = |raw: &str| {
            let document = json!({
                "issuer": "https://a.example", "token_endpoint": "https://a.example/t", "userinfo_endpoint": raw,
            });
            parse("https://a.example", &document).unwrap().userinfo.map(String::from)
        };
        for bad in ["http://a.example/u", "http://localhost.a.example/u", "ftp://a.example/u", "data:,u", "/u", ""] {
            assert_eq!(userinfo(bad), None, "{bad}");
        }
        // Another host than the issuer's is the provider's to name.
        for good in ["https://a.example/u", "https://elsewhere.example/u", "http://127.0.0.1:1/u"] {
            assert_eq!(userinfo(good).as_deref(), Some(good));
        }
    }
}
