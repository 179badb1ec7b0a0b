//! The daemon or the machine ends in the middle: what the next start makes of it.

use broker_client::{AccountState, TokenRequest};
use support::fake_as::{Fault, Grant, Rotation};
use support::rig::{Rig, never, s, scopes};

/// A daemon that died after the provider had rotated the refresh token and before the successor was saved.
async fn cut_off(rotation: Rotation) -> Rig {
    cut_off_for(rotation, &[]).await
}

/// The same, of a sign-in for these scopes alone.
async fn cut_off_for(rotation: Rotation, wanted: &[&str]) -> Rig {
    let mut rig = Rig::setup().provider(|options| options.rotation = rotation).start();
    rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(wanted) }, "alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&scopes(wanted));
    gate.arrived().await;
    rig.crash().await;
    caller.abort();
    assert!(rig.record().contains("\"intent\""));
    rig
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_silent_and_goes_on_with_the_rotated_token() {
    let mut rig = Rig::start();
    let signed_in = rig.sign_in("alice").await;
    rig.expire().await;
    rig.token(&never()).await;
    rig.restart().await;
    let token = rig.token(&never()).await;
    assert_eq!(token.account, signed_in.account);
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_rotation_and_save_is_recovered_at_start_before_anybody_asks() {
    let mut rig = cut_off(Rotation::Grace(s(30))).await;
    rig.run();
    rig.fake.wait_for_count(Grant::RefreshToken, 2).await;
    rig.pass(s(1)).await;
    assert!(!rig.record().contains("\"intent\""), "the recovered successor is saved");
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
    rig.token(&never()).await;
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (2, 0), "and its token serves");
}

/// Less than the profile asks for: what is recovered is the sign-in that there is.
#[tokio::test(start_paused = true)]
async fn a_sign_in_for_less_is_recovered_at_start_as_well() {
    let mut rig = cut_off_for(Rotation::Grace(s(30)), &["read"]).await;
    rig.run();
    rig.fake.wait_for_count(Grant::RefreshToken, 2).await;
    rig.pass(s(60)).await;
    rig.token(&scopes(&["read"])).await;
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_intent_and_request_costs_nothing() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    rig.crash().await;
    caller.abort();
    rig.run();
    rig.token(&never()).await;
    assert_eq!((rig.fake.families()[0].refreshes, rig.fake.reuse_detected()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_a_strict_provider_asks_for_a_sign_in_and_never_sends_the_dead_token_again() {
    let mut rig = cut_off(Rotation::Strict).await;
    rig.run();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.account().await.state, AccountState::SignInRequired);
    let sent = rig.fake.count(Grant::RefreshToken);

    rig.refused(&never()).await;
    rig.restart().await;
    rig.refused(&never()).await;
    rig.crash().await;
    rig.run();
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent);
    let dead: Vec<_> = rig.fake.secrets().into_iter().filter(|secret| secret.kind == "refresh_token").collect();
    assert!(dead.iter().all(|token| !rig.record().contains(&token.value)), "it is not kept either");

    rig.sign_in("alice").await;
    rig.restart().await;
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn recovery_waits_for_a_locked_keyring_and_for_an_absent_provider() {
    let mut rig = cut_off(Rotation::Tolerant).await;
    rig.store.set_locked(true);
    rig.run();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    rig.store.set_locked(false);
    rig.fake.refuse_connections(true);
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_unreachable");
    rig.fake.refuse_connections(false);
    rig.pass(s(2)).await;
    rig.token(&never()).await;
    assert!(!rig.record().contains("\"intent\""));
}

#[tokio::test(start_paused = true)]
async fn a_successor_the_keyring_did_not_take_is_saved_by_a_stop_if_it_opens_in_time() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    rig.store.set_locked(true);
    gate.open();
    caller.await.unwrap().unwrap_err();

    let stopped = rig.begin_to_stop();
    rig.pass(s(3)).await;
    rig.store.set_locked(false);
    stopped.await;
    rig.run();
    rig.token(&never()).await;
    assert_eq!(rig.fake.reuse_detected(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_refresh_leaves_nothing_to_finish() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::oauth("invalid_client"));
    assert_eq!(rig.refused(&never()).await.error.as_str(), "configuration");
    assert!(!rig.record().contains("\"intent\""));
    rig.crash().await;
    rig.run();
    rig.pass(s(10)).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
    rig.token(&never()).await;
}
