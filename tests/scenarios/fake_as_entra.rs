//! Does the authorization server of these tests say what Microsoft Entra says? `e2e::real_msal` asks a client of
//! Microsoft's; this asks where there is none.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use support::exchange::{exchange, form, get};
use support::fake_as::{ENTRA_CLIENT_ID, FakeAs, Options};
use tokio::time::advance;

const BASE: &str = "/contoso.onmicrosoft.com/oauth2/v2.0";
const OTHER: &str = "cli";

async fn ask(server: &FakeAs, request: Request<Full<Bytes>>) -> (u16, Value) {
    let (status, body) = exchange(server.dialer().dial().unwrap(), request).await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn post(server: &FakeAs, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    ask(server, form("as.test", &format!("{BASE}{path}"), fields)).await
}

/// Gets a device code for a client and returns it with the user's.
async fn code(server: &FakeAs, client: &str) -> (String, String) {
    let fields = [("client_id", client), ("scope", "User.Read openid offline_access")];
    let (status, answer) = post(server, "/devicecode", &fields).await;
    assert_eq!(status, 200, "{answer}");
    (answer["device_code"].as_str().unwrap().into(), answer["user_code"].as_str().unwrap().into())
}

async fn poll(server: &FakeAs, client: &str, code: &str) -> (u16, Value) {
    advance(Duration::from_secs(5)).await;
    let fields = [("client_id", client), ("grant_type", "device_code"), ("device_code", code), ("code", code)];
    post(server, "/token", &fields).await
}

async fn sign_in(server: &FakeAs) -> Value {
    let (device_code, user_code) = code(server, ENTRA_CLIENT_ID).await;
    server.approve(&user_code, "alice");
    let (status, tokens) = poll(server, ENTRA_CLIENT_ID, &device_code).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_public_learns_it_when_the_user_has_consented() {
    let server = FakeAs::new(Options::default());
    let (device_code, user_code) = code(&server, "confidential").await;
    assert_eq!(poll(&server, "confidential", &device_code).await.1["error"], "authorization_pending");
    server.approve(&user_code, "alice");
    let (status, refused) = poll(&server, "confidential", &device_code).await;
    assert_eq!((status, &refused["error"]), (401, &"invalid_client".into()));
    assert_eq!(refused["error_codes"][0], 7_000_218);
    assert!(server.families().is_empty(), "nobody is signed in");

    let secret = [("client_id", ENTRA_CLIENT_ID), ("client_secret", "x")];
    assert_eq!(post(&server, "/devicecode", &secret).await.1["error_codes"][0], 700_025);
    let wrong = [("client_id", "confidential"), ("client_secret", "x")];
    assert_eq!(post(&server, "/devicecode", &wrong).await.1["error_codes"][0], 7_000_215);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_recorded_has_no_number() {
    let server = FakeAs::new(Options::default());
    let (device_code, user_code) = code(&server, ENTRA_CLIENT_ID).await;
    server.deny(&user_code);
    let (_, refused) = poll(&server, ENTRA_CLIENT_ID, &device_code).await;
    assert_eq!((&refused["error"], refused.get("error_codes")), (&"authorization_declined".into(), None));
    assert!(refused["correlation_id"].is_string());
}

#[tokio::test(start_paused = true)]
async fn instance_discovery_leads_to_the_tenants_metadata() {
    let server = FakeAs::new(Options::default());
    let path = |host: &str| {
        let url = format!("https%3A%2F%2F{host}%2Fcontoso.onmicrosoft.com%2Foauth2%2Fv2.0%2Fauthorize");
        format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={url}")
    };
    let (status, found) = ask(&server, get("as.test", &path("as.test"))).await;
    assert_eq!((status, &found["metadata"][0]["preferred_cache"]), (200, &"as.test".into()));
    let next = found["tenant_discovery_endpoint"].as_str().unwrap();
    let (_, metadata) = ask(&server, get("as.test", next.strip_prefix("https://as.test").unwrap())).await;
    for name in ["authorization", "device_authorization", "token"] {
        let endpoint = metadata[format!("{name}_endpoint")].as_str().unwrap();
        assert!(endpoint.starts_with("https://as.test/contoso.onmicrosoft.com/oauth2/v2.0/"), "{endpoint}");
    }
    let (status, refused) = ask(&server, get("as.test", &path("login.example"))).await;
    assert_eq!((status, &refused["error"]), (400, &"invalid_instance".into()));
}

#[tokio::test(start_paused = true)]
async fn long_lived_tokens_say_when_to_refresh_them() {
    let server = FakeAs::new(Options::default());
    assert_eq!(sign_in(&server).await.get("refresh_in"), None);
    server.reconfigure(|options| options.access_token_lifetime = Duration::from_secs(86_400));
    let tokens = sign_in(&server).await;
    assert_eq!((&tokens["ext_expires_in"], &tokens["refresh_in"]), (&86_400.into(), &43_200.into()));
}

#[tokio::test(start_paused = true)]
async fn a_family_shares_its_refresh_tokens_and_nobody_else_does() {
    let server = FakeAs::new(Options::default());
    let by_the_other = async |tokens: &Value| {
        let token = tokens["refresh_token"].as_str().unwrap();
        let fields = [("client_id", OTHER), ("grant_type", "refresh_token"), ("refresh_token", token)];
        post(&server, "/token", &fields).await
    };
    let tokens = sign_in(&server).await;
    assert_eq!(tokens.get("foci"), None);
    assert_eq!(by_the_other(&tokens).await.1["error"], "invalid_grant");
    server.reconfigure(|options| options.family_clients = vec![ENTRA_CLIENT_ID.into(), OTHER.into()]);
    let tokens = sign_in(&server).await;
    assert_eq!(tokens["foci"], "1");
    assert_eq!(by_the_other(&tokens).await.0, 200);
}
