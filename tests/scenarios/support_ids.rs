//! What support finds a sign-in by: one correlation id, from the first request to the error that ends it.

use broker_client::{ErrorBody, TokenRequest};
use support::fake_as::{Endpoint, Fault, Grant, Request};
use support::rig::{Rig, interactive, never, s};

fn entra() -> Rig {
    Rig::setup().entra("").start()
}

fn id(request: &Request) -> String {
    assert_eq!(request.header("return-client-request-id"), Some("true"), "{request:?}");
    request.header("client-request-id").unwrap().to_owned()
}

/// The ids of the requests to the two endpoints of a sign-in, in order.
fn ids(rig: &Rig) -> Vec<String> {
    let log = rig.fake.log();
    let sign_in =
        log.iter().filter(|request| request.is(Endpoint::DeviceAuthorization) || request.is(Grant::DeviceCode));
    sign_in.map(id).collect()
}

fn told(body: &ErrorBody) -> (Option<String>, bool) {
    let provider = body.provider.clone().unwrap_or_default();
    (provider.correlation_id, provider.trace_id.is_some() && provider.timestamp.is_some())
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_has_one_id_and_each_refresh_its_own() {
    let rig = entra();
    rig.sign_in("alice").await;
    let sign_in = ids(&rig);
    assert!(sign_in.len() >= 2 && sign_in.iter().all(|id| *id == sign_in[0]), "{sign_in:?}");
    assert!(
        rig.log().contains(&format!("correlation_id=\"{}\"", sign_in[0])),
        "the log has it at the end of the sign-in"
    );
    for _ in 0..2 {
        rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    }
    let log = rig.fake.log();
    let refreshes: Vec<_> = log.iter().filter(|request| request.is(Grant::RefreshToken)).map(id).collect();
    assert!(refreshes[0] != refreshes[1] && !refreshes.contains(&sign_in[0]), "{refreshes:?}");
}

/// The code runs out by our own clock: there is no last answer, and the polls said only "pending".
#[tokio::test(start_paused = true)]
async fn a_code_that_runs_out_is_told_with_the_id_of_the_polls() {
    let rig = entra();
    let mut call = rig.call(&interactive());
    call.prompt().await;
    let failure = call.failure().await;
    assert_eq!(failure.error.as_str(), "expired_token");
    assert!(failure.hint.as_ref().unwrap().contains("AADSTS53003"), "{failure:?}");
    assert_eq!(told(&failure), (Some(ids(&rig)[0].clone()), true));
}

/// A provider that calls the sign-in something else is believed, the first time.
#[tokio::test(start_paused = true)]
async fn the_first_answers_id_stays_whatever_the_last_one_says() {
    let rig = entra();
    let mut call = rig.call(&interactive());
    call.prompt().await;
    let pending = Fault::aadsts("authorization_pending", None, 70_016);
    let Fault::Oauth { extra, .. } = &pending else { panic!("it is one") };
    let first = extra["correlation_id"].as_str().map(str::to_owned);
    rig.fake.script(Grant::DeviceCode, pending.clone());
    let last = Fault::aadsts("invalid_grant", Some("message_only"), 53_003);
    let Fault::Oauth { extra, .. } = &last else { panic!("it is one") };
    let trace = extra["trace_id"].as_str().map(str::to_owned);
    rig.fake.script(Grant::DeviceCode, last.clone());
    let failure = call.failure().await;
    assert_eq!(failure.error.as_str(), "blocked");
    let provider = failure.provider.unwrap();
    assert_eq!((provider.correlation_id, provider.trace_id), (first, trace));
}

#[tokio::test(start_paused = true)]
async fn every_way_a_sign_in_fails_is_told_with_its_id() {
    let rig = entra();
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::CloseConnection);
    let unreachable = rig.call(&interactive()).failure().await;
    assert_eq!(unreachable.error.as_str(), "provider_unreachable");
    assert_eq!(told(&unreachable).0, ids(&rig).pop());
    rig.pass(s(2)).await;

    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.client.cancel_prompt(&prompt.id).await.unwrap();
    assert_eq!(told(&call.failure().await).0, ids(&rig).pop());

    let mut call = rig.call(&TokenRequest { account: Some("alice@example.com".into()), ..interactive() });
    rig.fake.approve(&call.prompt().await.user_code, "bob");
    let mismatch = call.failure().await;
    assert_eq!(mismatch.error.as_str(), "account_mismatch");
    assert_eq!(told(&mismatch).0, ids(&rig).pop());

    let mut call = rig.call(&interactive());
    rig.fake.deny(&call.prompt().await.user_code);
    assert_eq!(told(&call.failure().await), (ids(&rig).pop(), true));
}

/// Where the provider takes no id, none is sent, and none is made up.
#[tokio::test(start_paused = true)]
async fn another_provider_is_sent_no_id_and_none_is_told() {
    let rig = Rig::start();
    let mut call = rig.call(&interactive());
    call.prompt().await;
    let failure = call.failure().await;
    assert_eq!((failure.error.as_str(), failure.provider), ("expired_token", None));
    assert!(rig.fake.log().iter().all(|request| request.header("client-request-id").is_none()));
    rig.pass(s(1)).await;
}

/// A keyring that is locked is no matter for the provider's support.
#[tokio::test(start_paused = true)]
async fn what_fails_before_anything_was_sent_has_no_id() {
    let rig = entra();
    rig.store.set_locked(true);
    let failure = rig.call(&interactive()).failure().await;
    assert_eq!((failure.error.as_str(), failure.provider), ("keyring_locked", None));
}
