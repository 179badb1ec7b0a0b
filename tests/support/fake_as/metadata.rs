//! Where everything is: the metadata documents, and the routes behind them.

use serde_json::{Value, json};

use super::options::{Discovery, Tenant};
use super::state::State;
use super::token;

/// What a path means.
#[derive(Debug)]
pub(super) enum Route {
    DeviceAuthorization { tenant: Option<String> },
    DevicePage,
    EntraInstance,
    EntraMetadata { tenant: String },
    Metadata,
    Revocation,
    Token { tenant: Option<String> },
    Userinfo,
    Unknown,
}

impl State {
    pub(super) fn route(&self, path: &str) -> Route {
        let base = self.issuer_path();
        if let Some(route) = self.metadata_route(path, &base) {
            return route;
        }
        if let Some(route) = self.quirk_route(path) {
            return route;
        }
        match path.strip_prefix(base.as_str()) {
            Some("/device_authorization") => return Route::DeviceAuthorization { tenant: None },
            Some("/token") => return Route::Token { tenant: None },
            Some("/revoke") => return Route::Revocation,
            Some("/device") => return Route::DevicePage,
            Some("/userinfo") => return Route::Userinfo,
            _ => {}
        }
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments[..] {
            ["common", "discovery", "instance"] => Route::EntraInstance,
            [tenant, "oauth2", "v2.0", "devicecode"] => Route::DeviceAuthorization { tenant: Some(tenant.into()) },
            [tenant, "oauth2", "v2.0", "token"] => Route::Token { tenant: Some(tenant.into()) },
            [tenant, "v2.0", ".well-known", "openid-configuration"] => Route::EntraMetadata { tenant: tenant.into() },
            _ => Route::Unknown,
        }
    }

    /// OpenID Connect appends the well-known path to the issuer's, RFC 8414 §3.1 puts it in front.
    fn metadata_route(&self, path: &str, base: &str) -> Option<Route> {
        let openid = path == format!("{base}/.well-known/openid-configuration")
            || path == format!("/.well-known/openid-configuration{base}");
        let oauth = path == format!("/.well-known/oauth-authorization-server{base}");
        let published = match self.options.discovery {
            Discovery::Both => openid || oauth,
            Discovery::None => false,
            Discovery::OAuth => oauth,
            Discovery::OpenId => openid,
        };
        match (published, openid || oauth) {
            (true, _) => Some(Route::Metadata),
            (false, true) => Some(Route::Unknown),
            (false, false) => None,
        }
    }

    pub(super) fn metadata(&self) -> Value {
        let base = format!("{}{}", self.origin(), self.issuer_path());
        let mut document = json!({
            "issuer": self.options.issuer,
            "device_authorization_endpoint": format!("{base}/device_authorization"),
            "token_endpoint": format!("{base}/token"),
            "revocation_endpoint": format!("{base}/revoke"),
            "userinfo_endpoint": format!("{base}/userinfo"),
            "response_types_supported": [],
            "grant_types_supported": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["none"],
        });
        token::lay_over(&mut document, &self.options.metadata_overrides);
        document
    }

    /// Microsoft Entra's document: endpoints by the name asked with, the issuer by the tenant's id, no revocation.
    pub(super) fn entra_metadata(&self, asked: &str, tenant: &Tenant) -> Value {
        let origin = self.origin();
        let mut document = json!({
            "issuer": format!("{origin}/{}/v2.0", tenant.id),
            "authorization_endpoint": format!("{origin}/{asked}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{origin}/{asked}/oauth2/v2.0/devicecode"),
            "token_endpoint": format!("{origin}/{asked}/oauth2/v2.0/token"),
            "jwks_uri": format!("{origin}/{asked}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        if matches!(asked, "common" | "organizations") {
            document["issuer"] = format!("{origin}/{{tenantid}}/v2.0").into();
        }
        token::lay_over(&mut document, &self.options.metadata_overrides);
        document
    }
}
