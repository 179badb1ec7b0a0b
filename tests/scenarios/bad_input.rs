//! What no authorization server should send, in each leg: a named error or a token, and the sign-in is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_client::TokenRequest;
use serde_json::{Map, Value, json};
use support::fake_as::{Endpoint, Fault, Grant, Rotation, User};
use support::rig::{Rig, exposed, interactive, never, s};

/// More than anything can be.
const HUGE: u64 = u64::MAX;
/// The expected outcome that is no error.
const TOKEN: &str = "token";

fn forced() -> TokenRequest {
    TokenRequest { force_refresh: true, ..never() }
}

/// A server that forgives a refresh token sent twice: these answers are lost, and what was rotated with them.
fn rig() -> Rig {
    Rig::setup().provider(|options| options.rotation = Rotation::Tolerant).start()
}

fn entra() -> Rig {
    Rig::setup().entra("").start()
}

fn answer(body: impl Into<String>) -> Fault {
    status(200, body, &[])
}

fn status(code: u16, body: impl Into<String>, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault::Status { code, body: body.into(), content_type: "application/json".into(), headers }
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

/// The sign-in outlived what happened: the next good answer serves, and no person was asked.
async fn kept(rig: &Rig, what: &str) {
    let prompts = rig.fake.count(Endpoint::DeviceAuthorization);
    rig.fake.clear();
    rig.fake.reconfigure(|options| options.token_overrides.clear());
    rig.expire().await;
    // Forced: what was said to live for ever is at hand still.
    let token = rig.token(&forced()).await;
    assert!(rig.fake.access_token(exposed(&token)).is_some(), "{what}");
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), prompts, "{what}");
    assert_eq!(token.account.username, "alice@example.com", "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_dead_on_arrival_is_not_shown() {
    let rig = rig();
    rig.fake.reconfigure(|options| options.device_overrides = one("expires_in", json!(0)));
    assert_eq!(rig.call(&interactive()).failure().await.error.as_str(), "expired_token");
}

/// `null` takes the member out here; as itself it is in the test below.
#[tokio::test(start_paused = true)]
async fn odd_numbers_in_a_device_authorization() {
    for (member, value, outcome) in [
        ("expires_in", json!(-1), TOKEN),
        ("expires_in", json!(HUGE), TOKEN),
        ("expires_in", json!(1e300), TOKEN),
        ("expires_in", json!("900"), TOKEN),
        ("expires_in", json!("soon"), TOKEN),
        ("expires_in", json!([900]), TOKEN),
        ("expires_in", json!(null), TOKEN),
        ("interval", json!(0), TOKEN),
        ("interval", json!(-5), TOKEN),
        ("interval", json!(HUGE), "expired_token"),
        ("interval", json!("5"), TOKEN),
        ("interval", json!("often"), TOKEN),
        ("interval", json!(null), TOKEN),
    ] {
        let rig = rig();
        rig.fake.reconfigure(|options| options.device_overrides = one(member, value.clone()));
        let mut call = rig.call(&interactive());
        let prompt = call.prompt().await;
        assert!(prompt.expires_in <= 86_400 && (1..=86_400).contains(&prompt.interval), "{member} {value}: {prompt:?}");
        if outcome == TOKEN {
            rig.fake.approve(&prompt.user_code, "alice");
            call.token().await;
            kept(&rig, member).await;
        } else {
            assert_eq!(call.failure().await.error.as_str(), outcome, "{member} {value}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn odd_numbers_in_a_token_response() {
    for (member, value) in [
        ("expires_in", json!(0)),
        ("expires_in", json!(-1)),
        ("expires_in", json!(HUGE)),
        ("expires_in", json!(-1e300)),
        ("expires_in", json!("3600")),
        ("expires_in", json!("for ever")),
        ("expires_in", json!({"seconds": 3600})),
        ("expires_in", json!(null)),
        ("refresh_in", json!(-1)),
        ("refresh_in", json!(HUGE)),
        ("refresh_in", json!("1800")),
        ("token_type", json!(7)),
        ("scope", json!({"a": "b"})),
    ] {
        let what = format!("{member} {value}");
        // To a poll.
        let rig = rig();
        rig.fake.reconfigure(|options| options.token_overrides = one(member, value.clone()));
        rig.sign_in("alice").await;
        kept(&rig, &what).await;
        // To a refresh.
        rig.fake.reconfigure(|options| options.token_overrides = one(member, value));
        rig.token(&forced()).await;
        kept(&rig, &what).await;
    }
}

/// A member that is there and `null`, in each leg.
#[tokio::test(start_paused = true)]
async fn a_null_is_as_good_as_nothing() {
    let rig = rig();
    let prompt = json!({
        "device_code": "made-up-code", "user_code": "AB-CD", "verification_uri": "http://127.0.0.1:7001/device",
        "verification_uri_complete": null, "expires_in": null, "interval": null, "error": null,
    });
    let tokens = json!({
        "access_token": "made-up-token", "token_type": null, "expires_in": null, "refresh_token": null, "scope": null,
        "id_token": null, "client_info": null, "refresh_in": null, "error": null,
    });
    rig.fake.script(Endpoint::DeviceAuthorization, answer(prompt.to_string()));
    rig.fake.script(Grant::DeviceCode, answer(tokens.to_string()));
    let mut call = rig.call(&interactive());
    let shown = call.prompt().await;
    assert_eq!((shown.expires_in, shown.interval, shown.verification_uri_complete), (900, 5, None));
    assert_eq!(exposed(&call.token().await), "made-up-token");

    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.fake.script(Grant::RefreshToken, answer(tokens.to_string()));
    assert_eq!(exposed(&rig.token(&forced()).await), "made-up-token");
    kept(&rig, "null").await;
}

/// Bodies that are no answer, with what they come to in a device authorization and in a refresh. A poll goes on.
fn bodies() -> Vec<(&'static str, Fault)> {
    let redirect = |code| status(code, "", &[("location", "http://127.0.0.1:7002/token")]);
    let token = r#"{"access_token":"made-up-token","token_type":"Bearer","expires_in":3600"#;
    vec![
        ("301", redirect(301)),
        ("302", redirect(302)),
        ("307", redirect(307)),
        ("308", redirect(308)),
        ("redirect with a token", status(302, format!("{token}}}"), &[("location", "http://127.0.0.1:7002/token")])),
        ("nothing", answer("")),
        ("204", status(204, "", &[])),
        ("null", answer("null")),
        ("an array", answer(format!("[{token}}}]"))),
        ("a string", answer("\"access_token=made-up-token\"")),
        ("an empty object", answer("{}")),
        ("a cut body", answer(&token[..token.len() - 9])),
        ("two objects", answer(format!("{token}}}{token}}}"))),
        ("a byte order mark", answer(format!("\u{feff}{token}}}"))),
        ("compressed, unasked", status(200, "\u{1f}\u{8b}\u{8}\0\0\0\0\0\0\u{3}", &[("content-encoding", "gzip")])),
        ("compressed, with status 400", status(400, "\u{1f}\u{8b}\u{8}\0", &[("content-encoding", "gzip")])),
        ("control characters", answer("\0\u{1b}[2J\u{7f}")),
        ("deep nesting", answer(format!("{token},\"x\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000)))),
        ("deep and cut", answer("{\"a\":".repeat(50_000))),
        ("a token that no header carries", answer(r#"{"access_token":"a\r\nSet-Cookie: b"}"#)),
        ("a token that is an object", answer(r#"{"access_token":{"a":1}}"#)),
        ("a token in a refusal", status(400, format!("{token}}}"), &[])),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_answer_is_named_and_ends_nothing() {
    let rig = rig();
    for (what, fault) in bodies() {
        rig.fake.script(Endpoint::DeviceAuthorization, fault);
        let refused = rig.call(&interactive()).failure().await;
        assert_eq!(refused.error.as_str(), "provider_error", "{what}: {refused:?}");
        assert!(refused.hint.is_some(), "{what}");
        rig.pass(s(300)).await;
    }
    for (_, fault) in bodies() {
        rig.fake.script(Grant::DeviceCode, fault);
    }
    // Each costs a longer wait and no more; the code is given the time.
    rig.fake.reconfigure(|options| options.device_code_lifetime = std::time::Duration::from_secs(7200));
    let token = rig.sign_in("alice").await;
    assert!(rig.fake.access_token(exposed(&token)).is_some());
    assert_eq!(rig.fake.count(Grant::DeviceCode), bodies().len() + 1);
    for (what, fault) in bodies() {
        rig.fake.script(Grant::RefreshToken, fault);
        let refused = rig.refused(&forced()).await;
        assert_eq!(refused.error.as_str(), "provider_error", "{what}: {refused:?}");
        kept(&rig, what).await;
    }
    assert_eq!(rig.other.connections(), 0, "no redirect is followed");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_twice_is_read_once() {
    let rig = rig();
    rig.sign_in("alice").await;
    let twice = r#"{"access_token":"one","token_type":"Bearer","expires_in":1,"access_token":"two","expires_in":3600}"#;
    rig.fake.script(Grant::RefreshToken, answer(twice));
    assert_eq!(exposed(&rig.token(&forced()).await), "two");
    kept(&rig, "twice").await;
    let both = r#"{"access_token":"one","error":"invalid_scope","error":"temporarily_unavailable"}"#;
    rig.fake.script(Grant::RefreshToken, answer(both));
    assert_eq!(rig.refused(&forced()).await.error.as_str(), "provider_error");
    kept(&rig, "both").await;
}

/// Entra's tokens with many groups and claims have tens of KiB; nobody's have more than one MiB.
#[tokio::test(start_paused = true)]
async fn a_token_of_a_mebibyte_is_served_and_a_larger_answer_is_named() {
    let rig = rig();
    let big = "t".repeat(1024 * 1024);
    rig.fake.reconfigure(|options| options.token_overrides = one("access_token", big.clone().into()));
    assert_eq!(exposed(&rig.sign_in("alice").await), big);
    assert_eq!(exposed(&rig.token(&never()).await).len(), big.len());
    rig.fake.reconfigure(|options| options.token_overrides = one("access_token", big.repeat(2).into()));
    let refused = rig.refused(&forced()).await;
    assert_eq!(refused.error.as_str(), "provider_error", "{refused:?}");
    assert!(refused.error_description.contains("larger than"), "{refused:?}");
    kept(&rig, "too large").await;
}

fn jwt(claims: &Value) -> Value {
    format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
}

/// OpenID Connect Core §12.2.
#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_switch_the_account() {
    const ISSUER: &str = "http://127.0.0.1:7001";
    let (alice, bob) = (User::new("alice").sub, User::new("bob").sub);
    let named = |iss: &str, sub: &str| jwt(&json!({"iss": iss, "sub": sub, "preferred_username": "eve@example.com"}));
    let mut rig = rig();
    let id = rig.sign_in("alice").await.account.id;
    for (what, id_token, outcome) in [
        ("missing", json!(null), TOKEN),
        ("a number", json!(5), TOKEN),
        ("no JWT", json!("rubbish"), TOKEN),
        ("no JSON in it", json!("e30.bm9wZQ.x"), TOKEN),
        ("an array in it", json!("e30.W10.x"), TOKEN),
        ("not encoded", json!("a.{}.c"), TOKEN),
        ("nothing in it", jwt(&json!({})), TOKEN),
        ("another name of the same user", named(ISSUER, &alice), TOKEN),
        ("another user", named(ISSUER, &bob), "provider_error"),
        ("another issuer's user", named("https://evil.example", &alice), "provider_error"),
    ] {
        rig.restart().await;
        rig.fake.reconfigure(|options| options.token_overrides = one("id_token", id_token));
        if outcome == TOKEN {
            let token = rig.token(&forced()).await;
            assert_eq!((&token.account.id, token.account.username.as_str()), (&id, "alice@example.com"), "{what}");
        } else {
            let refused = rig.refused(&forced()).await;
            assert_eq!(refused.error.as_str(), outcome, "{what}: {refused:?}");
            assert!(refused.error_description.contains("another user"), "{what}: {refused:?}");
            assert!(rig.log().contains("somebody else; it is not used"), "{what}");
            let asked = rig.fake.count(Grant::RefreshToken);
            assert_eq!(rig.refused(&forced()).await.retry_after, Some(30), "{what}");
            assert_eq!(rig.fake.count(Grant::RefreshToken), asked, "{what}: the next one would cost it as much");
        }
        kept(&rig, what).await;
        assert_eq!(rig.account().await.id, id, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_entra_the_home_account_says_who_it_is() {
    let info = |uid: &str, utid: &str| -> Value {
        URL_SAFE_NO_PAD.encode(json!({"uid": uid, "utid": utid}).to_string()).into()
    };
    let (alice, bob) = (User::new("alice").sub, User::new("bob").sub);
    let home = "c0ffee00-0000-4000-8000-000000000001";
    let rig = entra();
    let id = rig.sign_in("alice").await.account.id;
    for (what, client_info, outcome) in [
        ("missing", json!(null), TOKEN),
        ("rubbish", json!("!!"), TOKEN),
        ("empty", json!(""), TOKEN),
        ("half of it", URL_SAFE_NO_PAD.encode(format!("{{\"uid\":\"{alice}\"}}")).into(), TOKEN),
        ("the same in capitals", info(&alice.to_uppercase(), home), TOKEN),
        ("another user", info(&bob, home), "provider_error"),
        ("another home tenant", info(&alice, "c0ffee00-0000-4000-8000-000000000002"), "provider_error"),
    ] {
        rig.fake.reconfigure(|options| options.token_overrides = one("client_info", client_info));
        if outcome == TOKEN {
            assert_eq!(rig.token(&forced()).await.account.id, id, "{what}");
        } else {
            assert_eq!(rig.refused(&forced()).await.error.as_str(), outcome, "{what}");
        }
        kept(&rig, what).await;
    }
}

/// Without `client_info`, a sign-in is known by its subject.
#[tokio::test(start_paused = true)]
async fn at_entra_a_sign_in_without_client_info_works() {
    let rig = entra();
    rig.fake.reconfigure(|options| options.token_overrides = one("client_info", json!(null)));
    rig.sign_in("alice").await;
    rig.token(&forced()).await;
    // From now on it comes, and names the home account for the first time.
    kept(&rig, "no client_info").await;
}

/// RFC 8414 §3.3: who answers in another's name is not believed.
#[tokio::test(start_paused = true)]
async fn metadata_of_another_issuer_is_named_and_ends_nothing() {
    for issuer in [json!("http://127.0.0.1:7002"), json!("http://127.0.0.1:7001/"), json!(7), json!("")] {
        let mut rig = rig();
        rig.sign_in("alice").await;
        rig.fake.reconfigure(|options| options.metadata_overrides = one("issuer", issuer.clone()));
        rig.restart().await;
        let refused = rig.refused(&never()).await;
        assert_eq!((refused.error.as_str(), refused.error.exit_code()), ("configuration", 6), "{issuer}: {refused:?}");
        assert!(refused.error_description.contains("127.0.0.1:7001"), "{refused:?}");
        assert_eq!(rig.fake.count(Grant::RefreshToken), 0, "{issuer}: the refresh token went to whom it names");
        rig.fake.reconfigure(|options| options.metadata_overrides.clear());
        kept(&rig, "issuer").await;
    }
}
