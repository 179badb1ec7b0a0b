//! What Microsoft Entra says beyond the standards, as clients of its own expect it: instance discovery, and the members
//! it adds to token responses.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::failure::TIMESTAMP;
use super::journal::{Request, lookup};
use super::options::User;
use super::random;
use super::state::{Call, Dialect, State};

impl State {
    /// Tells which clouds there are: one, this server, by the name it is asked with and by its address.
    pub(super) fn instance_discovery(&self, request: &Request) -> (u16, Value) {
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let asked = lookup(&query, "authorization_endpoint").and_then(|url| Url::parse(url).ok());
        let origin = Url::parse(&self.origin()).expect("the issuer is a URL");
        let own = origin.host_str().unwrap_or_default();
        let Some(asked) = asked.filter(|url| url.host_str() == Some(own)) else {
            return invalid_instance();
        };
        // The name without the port: clients of Microsoft Entra take hosts apart by it.
        let tenant = asked.path_segments().and_then(|mut path| path.next()).unwrap_or("common");
        let document = json!({
            "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", self.origin()),
            "api-version": lookup(&query, "api-version").unwrap_or("1.1"),
            "metadata": [{"preferred_network": own, "preferred_cache": own, "aliases": [own, "127.0.0.1"]}],
        });
        (200, document)
    }

    /// Adds what Microsoft Entra adds, and leaves `offline_access` out of the scope as it does.
    pub(super) fn speak_entra(&self, call: &Call<'_>, user: &User, scope: &[String], answer: &mut Value) {
        let scope: Vec<&str> = scope.iter().map(String::as_str).filter(|name| *name != "offline_access").collect();
        answer["scope"] = scope.join(" ").into();
        answer["ext_expires_in"] = answer["expires_in"].clone();
        let lifetime = self.options.access_token_lifetime;
        if lifetime > LONG_LIVED {
            answer["refresh_in"] = (lifetime.as_secs() / 2).into();
        }
        if answer["refresh_token"].is_string() && self.is_family_client(call.client_id) {
            answer["foci"] = "1".into();
        }
        if call.required("client_info").is_ok_and(|value| value == "1") {
            let home = &self.options.tenants.first().expect("everybody has a home tenant").id;
            let client_info = json!({"uid": user.sub, "utid": home}).to_string();
            answer["client_info"] = URL_SAFE_NO_PAD.encode(client_info).into();
        }
    }

    /// Tells whether a client may redeem another's refresh token.
    pub(super) fn of_one_family(&self, other: &str, call: &Call<'_>) -> bool {
        matches!(call.dialect, Dialect::Entra(_))
            && self.is_family_client(other)
            && self.is_family_client(call.client_id)
    }

    fn is_family_client(&self, id: &str) -> bool {
        self.options.family_clients.iter().any(|client| client == id)
    }
}

fn invalid_instance() -> (u16, Value) {
    let (trace_id, correlation_id) = (random::uuid(), random::uuid());
    let body = json!({
        "error": "invalid_instance",
        "error_description": format!(
            "AADSTS50049: Unknown or invalid instance. Trace ID: {trace_id} Correlation ID: {correlation_id} \
             Timestamp: {TIMESTAMP}"
        ),
        "error_codes": [50_049],
        "timestamp": TIMESTAMP,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": "https://login.microsoftonline.com/error?code=50049",
    });
    (400, body)
}

/// Access tokens that live longer than this come with a time to refresh them at.
const LONG_LIVED: Duration = Duration::from_secs(2 * 3600);
