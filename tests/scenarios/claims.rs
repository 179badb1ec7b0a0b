//! What a request's `claims` say: a challenge, and what the client can do, on every leg.

use broker_client::TokenRequest;
use serde_json::{Value, json};
use support::fake_as::{Endpoint, Grant, Request, Select};
use support::rig::{Rig, exposed, interactive, never};

fn entra(lines: &str) -> Rig {
    Rig::setup().entra(lines).start()
}

/// The claims of every request of those meant.
fn claims(rig: &Rig, select: impl Into<Select>) -> Vec<Value> {
    let select = select.into();
    let read = |request: &Request| request.field("claims").map_or(Value::Null, |text| text.parse().unwrap());
    rig.fake.log().iter().filter(|request| request.is(select)).map(read).collect()
}

fn challenged(request: TokenRequest) -> TokenRequest {
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": "1"}}});
    TokenRequest { claims: claims.as_object().cloned(), ..request }
}

#[tokio::test(start_paused = true)]
async fn a_capability_is_said_on_every_leg() {
    let rig = entra("client_capabilities = [\"CP1\"]");
    let said = json!({"access_token": {"xms_cc": {"values": ["CP1"]}}});
    rig.sign_in("alice").await;
    rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    assert_eq!(claims(&rig, Endpoint::DeviceAuthorization), vec![said.clone()]);
    assert_eq!(claims(&rig, Grant::DeviceCode), vec![said.clone()]);
    assert_eq!(claims(&rig, Grant::RefreshToken), vec![said]);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_goes_with_the_capability_on_every_leg() {
    let rig = entra("client_capabilities = [\"CP1\"]");
    let both = json!({
        "access_token": {"nbf": {"essential": true, "value": "1"}, "xms_cc": {"values": ["CP1"]}},
    });
    rig.sign_in_with(&challenged(interactive()), "alice").await;
    rig.token(&challenged(never())).await;
    for select in [Endpoint::DeviceAuthorization.into(), Select::from(Grant::DeviceCode), Grant::RefreshToken.into()] {
        assert_eq!(claims(&rig, select), vec![both.clone()], "{select:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_bypasses_the_cache_and_its_answer_is_an_ordinary_token() {
    let rig = entra("client_capabilities = [\"CP1\"]");
    let old = rig.sign_in("alice").await;
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&old), "a capability is no challenge");
    let new = rig.token(&challenged(never())).await;
    assert_ne!(exposed(&new), exposed(&old));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&new));
    assert_ne!(exposed(&rig.token(&challenged(never())).await), exposed(&new));
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2);
}

#[tokio::test(start_paused = true)]
async fn without_the_capability_nothing_is_said() {
    let rig = entra("");
    rig.sign_in("alice").await;
    rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    for select in [Endpoint::DeviceAuthorization.into(), Select::from(Grant::DeviceCode), Grant::RefreshToken.into()] {
        assert_eq!(claims(&rig, select), [Value::Null], "{select:?}");
    }
}

/// RFC 8628 has no parameters beside the code in a poll.
#[tokio::test(start_paused = true)]
async fn other_providers_hear_a_challenge_with_the_first_request_only() {
    let rig = Rig::start();
    rig.sign_in_with(&challenged(interactive()), "alice").await;
    assert!(claims(&rig, Endpoint::DeviceAuthorization)[0].is_object());
    assert_eq!(claims(&rig, Grant::DeviceCode), [Value::Null]);
}

/// Who joins a prompt that was begun without the challenge is not served by it alone.
#[tokio::test(start_paused = true)]
async fn a_challenge_is_passed_on_by_who_joins_anothers_prompt() {
    let rig = Rig::setup().entra("").start();
    let mut first = rig.call(&interactive());
    let prompt = first.prompt().await;
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": "1"}}});
    let challenged = TokenRequest { claims: claims.as_object().cloned(), ..interactive() };
    let mut second = rig.call(&challenged);
    assert_eq!(second.prompt().await.id, prompt.id);
    rig.fake.approve(&prompt.user_code, "alice");
    let (first, second) = tokio::join!(first.token(), second.token());
    assert_ne!(exposed(&first), exposed(&second));
    let said =
        rig.fake.log().into_iter().filter(|request| request.field("claims").is_some_and(|it| it.contains("nbf")));
    assert_eq!(said.filter(|request| request.is(Grant::RefreshToken)).count(), 1);
}
