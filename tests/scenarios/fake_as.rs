//! The authorization server that all other scenarios trust: does it keep to the RFCs itself?

use std::time::Duration;

use serde_json::Value;
use support::exchange::{exchange, form, get};
use support::fake_as::{ENTRA_CLIENT_ID, Endpoint, FakeAs, Fault, Grant, Options, Revoked, Rotation};
use tokio::time::{advance, timeout};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[tokio::test(start_paused = true)]
async fn device_flow_from_request_to_tokens() {
    let server = FakeAs::new(Options::default());
    let request = start(&server, "openid offline_access").await;
    assert_eq!(request["interval"], 5);
    assert_eq!(poll(&server, &request).await.1["error"], "authorization_pending");

    server.approve(&server.next_user_code().await.to_lowercase(), "alice");
    advance(Duration::from_secs(5)).await;
    let (status, tokens) = poll(&server, &request).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "openid offline_access");
    let access = server.access_token(tokens["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(access.user, "alice");
    for member in ["access_token", "refresh_token", "id_token"] {
        let value = tokens[member].as_str().unwrap();
        assert!(server.secrets().iter().any(|issued| issued.value == value), "{member}");
    }
    assert_eq!(server.count(Grant::DeviceCode), 2);
}

#[tokio::test(start_paused = true)]
async fn polling_too_fast_costs_five_seconds_each_time() {
    let server = FakeAs::new(Options::default());
    let request = start(&server, "openid").await;
    poll(&server, &request).await;
    advance(Duration::from_secs(4)).await;
    assert_eq!(poll(&server, &request).await.1["error"], "slow_down");
    advance(Duration::from_secs(9)).await;
    assert_eq!(poll(&server, &request).await.1["error"], "slow_down");
    advance(Duration::from_secs(15)).await;
    assert_eq!(poll(&server, &request).await.1["error"], "authorization_pending");
}

#[tokio::test(start_paused = true)]
async fn a_device_code_expires_is_declined_and_works_once() {
    let server = FakeAs::new(Options::default());
    let expiring = start(&server, "openid").await;
    advance(Duration::from_secs(900)).await;
    assert_eq!(poll(&server, &expiring).await.1["error"], "expired_token");
    assert_eq!(server.pending_user_codes(), Vec::<String>::new());

    let declined = start(&server, "openid").await;
    server.deny(declined["user_code"].as_str().unwrap());
    assert_eq!(poll(&server, &declined).await.1["error"], "access_denied");

    let (request, tokens) = sign_in(&server).await;
    assert_eq!(poll(&server, &request).await.1["error"], "invalid_grant");
    assert_eq!(refresh(&server, &tokens).await.1["error"], "invalid_grant");
    assert_eq!(server.revoked_families()[0].revoked, Some(Revoked::Redeemed));
}

#[tokio::test(start_paused = true)]
async fn a_spent_refresh_token_ends_the_sign_in() {
    let server = FakeAs::new(Options::default());
    let (_, first) = sign_in(&server).await;
    let (_, second) = refresh(&server, &first).await;
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(refresh(&server, &first).await.1["error"], "invalid_grant");
    assert_eq!(refresh(&server, &second).await.1["error"], "invalid_grant");
    assert_eq!(server.reuse_detected(), 1);
    assert!(server.access_token(second["access_token"].as_str().unwrap()).is_none());
}

#[tokio::test(start_paused = true)]
async fn kinder_rotations() {
    let server = FakeAs::new(Options { rotation: Rotation::Grace(Duration::from_secs(30)), ..Options::default() });
    let (_, first) = sign_in(&server).await;
    refresh(&server, &first).await;
    advance(Duration::from_secs(30)).await;
    assert_eq!(refresh(&server, &first).await.0, 200);
    server.reconfigure(|options| options.rotation = Rotation::Tolerant);
    advance(Duration::from_secs(30)).await;
    assert_eq!(refresh(&server, &first).await.0, 200);
    server.reconfigure(|options| options.rotation = Rotation::None);
    assert_eq!(refresh(&server, &first).await.1.get("refresh_token"), None);
}

#[tokio::test(start_paused = true)]
async fn clients_prove_what_they_must() {
    let server = FakeAs::new(Options::default());
    let path = "/device_authorization";
    let (status, answer) = post(&server, path, &[("client_id", "nobody")]).await;
    assert_eq!((status, &answer["error"]), (401, &"invalid_client".into()));
    let secretless = post(&server, path, &[("client_id", "confidential")]).await;
    assert_eq!(secretless.0, 401);
    let secret = "client-secret-0f8c2b71";
    let fields = [("client_id", "confidential"), ("client_secret", secret)];
    assert_eq!(post(&server, path, &fields).await.0, 200);
    let twice = [("client_id", "cli"), ("client_id", "cli")];
    assert_eq!(post(&server, path, &twice).await.1["error"], "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn revocation_ends_the_sign_in() {
    let server = FakeAs::new(Options::default());
    let (_, tokens) = sign_in(&server).await;
    let token = tokens["refresh_token"].as_str().unwrap();
    let (status, _) = post(&server, "/revoke", &[("client_id", "cli"), ("token", token)]).await;
    assert_eq!(status, 200);
    assert_eq!(server.revoked_families()[0].revoked, Some(Revoked::Client));
    assert_eq!(refresh(&server, &tokens).await.1["error"], "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn metadata_lies_where_both_standards_look() {
    let server = FakeAs::new(Options { issuer: "https://as.test/realms/main".into(), ..Options::default() });
    for path in ["/realms/main/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/main"]
    {
        let (status, document) = ask(&server, get("as.test", path)).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(document["issuer"], "https://as.test/realms/main");
        assert_eq!(document["token_endpoint"], "https://as.test/realms/main/token");
    }
}

#[tokio::test(start_paused = true)]
async fn entra_speaks_its_dialect() {
    let server = FakeAs::new(Options::default());
    let base = "/contoso.onmicrosoft.com/oauth2/v2.0";
    let fields = [("client_id", ENTRA_CLIENT_ID), ("scope", "User.Read openid offline_access")];
    let (_, request) = post(&server, &format!("{base}/devicecode"), &fields).await;
    assert_eq!(request.get("verification_uri_complete"), None);
    let code = request["device_code"].as_str().unwrap();
    let fields =
        [("client_id", ENTRA_CLIENT_ID), ("grant_type", "device_code"), ("device_code", code), ("client_info", "1")];
    let token = format!("{base}/token");
    let (_, pending) = post(&server, &token, &fields).await;
    assert_eq!(pending["error_codes"][0], 70_016);
    server.approve(request["user_code"].as_str().unwrap(), "bob");
    advance(Duration::from_secs(5)).await;
    let (status, tokens) = post(&server, &token, &fields).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["scope"], "User.Read openid");
    assert!(tokens["client_info"].is_string() && tokens["ext_expires_in"].is_number());

    let (status, answer) = post(&server, &format!("{base}/devicecode"), &[("client_id", "x")]).await;
    assert_eq!((status, &answer["error"]), (400, &"unauthorized_client".into()));
    let nowhere = "/nowhere.example/oauth2/v2.0/devicecode";
    let (_, answer) = post(&server, nowhere, &fields[..1]).await;
    assert_eq!(answer["error_codes"][0], 90_002);
}

#[tokio::test(start_paused = true)]
async fn gates_and_faults() {
    let server = FakeAs::new(Options::default());
    let (_, tokens) = sign_in(&server).await;

    let gate = server.hold(Grant::RefreshToken);
    let (answer, ()) = tokio::join!(refresh(&server, &tokens), async {
        gate.arrived().await;
        assert_eq!(server.count(Grant::RefreshToken), 1);
        assert_eq!(server.families()[0].refreshes, 0);
        gate.open();
    });
    assert_eq!(answer.0, 200);

    // A caller that leaves does not unspend its token.
    let gate = server.hold(Endpoint::Token);
    let given_up = timeout(Duration::from_secs(1), refresh(&server, &answer.1)).await;
    assert!(given_up.is_err());
    gate.open();
    server.wait_for(|log| log.iter().all(|request| request.status.is_some())).await;
    assert_eq!(server.families()[0].refreshes, 2);

    server.script(Endpoint::Discovery, Fault::status(503));
    let path = "/.well-known/openid-configuration";
    assert_eq!(ask(&server, get("as.test", path)).await.0, 503);
    assert_eq!(ask(&server, get("as.test", path)).await.0, 200);
    server.script(Endpoint::Discovery, Fault::CloseConnection);
    let io = server.dialer().dial().unwrap();
    exchange(io, get("as.test", path)).await.unwrap_err();
    server.refuse_connections(true);
    server.dialer().dial().unwrap_err();
}

#[tokio::test]
async fn a_person_confirms_on_the_page() {
    let server = FakeAs::listen(Options::default()).await.unwrap();
    let request = start(&server, "openid").await;
    let page = request["verification_uri_complete"].as_str().unwrap();
    support::browser::confirm(page, "bob").await.unwrap();
    let (_, tokens) = poll(&server, &request).await;
    assert_eq!(server.access_token(tokens["access_token"].as_str().unwrap()).unwrap().user, "bob");
    support::browser::confirm(page, "bob").await.unwrap_err();

    let request = start(&server, "openid").await;
    support::browser::deny(request["verification_uri_complete"].as_str().unwrap()).await.unwrap();
    assert_eq!(poll(&server, &request).await.1["error"], "access_denied");
}

/// Runs a device flow to its end and returns its first and last answer.
async fn sign_in(server: &FakeAs) -> (Value, Value) {
    let request = start(server, "openid offline_access").await;
    server.approve(request["user_code"].as_str().unwrap(), "alice");
    let (status, tokens) = poll(server, &request).await;
    assert_eq!(status, 200, "{tokens}");
    (request, tokens)
}

async fn start(server: &FakeAs, scope: &str) -> Value {
    let fields = [("client_id", "cli"), ("scope", scope)];
    let (status, answer) = post(server, "/device_authorization", &fields).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn poll(server: &FakeAs, request: &Value) -> (u16, Value) {
    let code = request["device_code"].as_str().unwrap();
    let fields = [("client_id", "cli"), ("grant_type", DEVICE_CODE), ("device_code", code)];
    post(server, "/token", &fields).await
}

async fn refresh(server: &FakeAs, tokens: &Value) -> (u16, Value) {
    let token = tokens["refresh_token"].as_str().unwrap();
    let fields = [("client_id", "cli"), ("grant_type", "refresh_token"), ("refresh_token", token)];
    post(server, "/token", &fields).await
}

async fn post(server: &FakeAs, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    ask(server, form("as.test", path, fields)).await
}

async fn ask(server: &FakeAs, request: hyper::Request<http_body_util::Full<bytes::Bytes>>) -> (u16, Value) {
    let io = server.dialer().dial().unwrap();
    let (status, body) = exchange(io, request).await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}
