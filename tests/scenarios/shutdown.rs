//! Leaving: what is in the air lands, what waits is told, and nothing holds it up.

use broker_client::{ClientError, TokenRequest};
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, interactive, never, s};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_refresh_in_the_air_lands_is_saved_and_answered() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;

    let stopped = rig.begin_to_stop();
    rig.pass(s(2)).await;
    gate.open();
    caller.await.unwrap().unwrap();
    stopped.await;

    rig.run();
    rig.token(&never()).await;
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_turn_is_told_shutting_down() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let first = rig.background(&never());
    gate.arrived().await;
    let mut queued = rig.wire().await;
    queued.send(rig.post("/v1/token", r#"{"audience":"urn:files","interaction":"never"}"#)).await;
    rig.pass(s(1)).await;

    let start = Instant::now();
    let stopped = rig.begin_to_stop();
    let answer = queued.answer().await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "shutting_down"));
    assert_eq!(start.elapsed(), s(0));
    gate.open();
    first.await.unwrap().unwrap();
    stopped.await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1, "nothing is begun any more");
}

#[tokio::test(start_paused = true)]
async fn waiters_of_a_prompt_are_told_shutting_down_at_once() {
    let mut rig = Rig::start();
    let mut waiter = rig.wire().await;
    waiter.send(rig.post("/v1/token", "{}")).await;
    assert!(waiter.answer().await.body.contains("device_prompt"));
    rig.pass(s(7)).await;

    let start = Instant::now();
    rig.stop().await;
    assert_eq!(start.elapsed(), s(0));
    let (rest, _) = waiter.end().await;
    assert!(rest.contains("\"error\":\"shutting_down\""), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_prompt_or_a_hanging_keyring_is_told_at_once_too() {
    let mut rig = Rig::start();
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::Hang);
    let mut waiter = rig.wire().await;
    waiter.send(rig.post("/v1/token", "{}")).await;
    rig.fake.wait_for_count(Endpoint::DeviceAuthorization, 1).await;
    let start = Instant::now();
    rig.stop().await;
    assert_eq!((waiter.answer().await.error().as_str(), start.elapsed()), ("shutting_down", s(0)));

    rig.store.set_hanging(true);
    rig.run();
    let mut waiter = rig.wire().await;
    waiter.send(rig.post("/v1/token", "{}")).await;
    rig.pass(s(1)).await;
    let start = Instant::now();
    rig.stop().await;
    assert_eq!((waiter.answer().await.error().as_str(), start.elapsed()), ("shutting_down", s(0)));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_provider_and_a_hanging_keyring_do_not_hold_up_the_exit() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.always(Grant::RefreshToken, Fault::Hang);
    rig.other.always(Endpoint::DeviceAuthorization, Fault::Hang);
    let refreshing = rig.background(&never());
    let prompting = rig.call(&TokenRequest { profile: Some("other".into()), ..interactive() });
    let prompting = rig.spawn(async move { prompting.failure().await });
    rig.other.wait_for_count(Endpoint::DeviceAuthorization, 1).await;
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    rig.store.set_hanging(true);

    let start = Instant::now();
    rig.stop().await;
    assert!(start.elapsed() <= s(10), "{:?}", start.elapsed());
    drop((refreshing, prompting));
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_stays_locked_does_not_hold_up_the_exit() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&TokenRequest { force_refresh: true, ..never() });
    gate.arrived().await;
    rig.store.set_locked(true);
    gate.open();
    caller.await.unwrap().unwrap_err();
    let start = Instant::now();
    rig.stop().await;
    assert!(start.elapsed() <= s(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_whose_consent_is_in_the_air_is_saved() {
    let mut rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    let gate = rig.fake.hold_answer(Grant::DeviceCode);
    let call = rig.spawn(async move { call.token().await });
    gate.arrived().await;
    let stopped = rig.begin_to_stop();
    rig.pass(s(2)).await;
    gate.open();
    call.await.unwrap();
    stopped.await;
    rig.run();
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_consent_that_comes_while_a_refresh_of_the_same_account_lands_is_saved_too() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let refreshing = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    refreshing.arrived().await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    let consenting = rig.fake.hold_answer(Grant::DeviceCode);
    let login = rig.spawn(async move { login.next().await });
    consenting.arrived().await;

    let stopped = rig.begin_to_stop();
    rig.pass(s(1)).await;
    consenting.open();
    rig.pass(s(1)).await;
    refreshing.open();
    caller.await.unwrap().unwrap();
    login.await.unwrap().unwrap().unwrap();
    stopped.await;

    rig.fake.revoke_family(0);
    rig.run();
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn once_stopped_nothing_listens() {
    let mut rig = Rig::start();
    rig.stop().await;
    let error = rig.client.status().await.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error:?}");
}
