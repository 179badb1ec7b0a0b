//! A refresh writes before it spends and saves before it shows.

use broker_client::{AccountState, TokenRequest};
use support::fake_as::{Client, Endpoint, Fault, Grant, RefreshTokens, Rotation};
use support::rig::{Kind, Rig, exposed, interactive, never, s, scopes};
use tokio::time::Instant;

fn forced() -> TokenRequest {
    TokenRequest { force_refresh: true, ..never() }
}

#[tokio::test(start_paused = true)]
async fn the_intent_is_written_before_the_refresh_token_is_sent() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.store.clear_operations();
    let gate = rig.fake.hold(Grant::RefreshToken);

    let caller = rig.background(&forced());
    gate.arrived().await;
    assert_eq!(rig.writes(), [Kind::Put]);
    assert!(rig.record().contains("\"intent\""));
    gate.open();

    caller.await.unwrap().unwrap();
    assert_eq!(rig.writes(), [Kind::Put, Kind::Put]);
    assert!(!rig.record().contains("\"intent\""));
}

#[tokio::test(start_paused = true)]
async fn no_caller_sees_the_token_before_the_successor_is_saved() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let mut caller = rig.background(&forced());
    gate.arrived().await;

    rig.store.set_hanging(true);
    gate.open();
    let early = tokio::time::timeout(s(4), &mut caller).await;
    assert!(early.is_err(), "told before it was saved: {early:?}");

    rig.store.set_hanging(false);
    let token = caller.await.unwrap().unwrap();
    let successor = rig.fake.secrets().into_iter().rev().find(|secret| secret.kind == "refresh_token").unwrap();
    assert!(rig.record().contains(&successor.value));
    assert!(rig.fake.access_token(exposed(&token)).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_new_sign_in_is_saved_before_its_token_is_seen() {
    let rig = Rig::start();
    let mut call = rig.call(&support::rig::interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    rig.store.set_full(true);
    let failure = call.failure().await;
    assert_eq!(failure.error.as_str(), "keyring_unavailable");
    assert_eq!(rig.account().await.state, AccountState::Unsaved);

    rig.store.set_full(false);
    // The user has consented: the grant is kept, saved again by itself, and serves.
    rig.pass(s(30)).await;
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
}

#[tokio::test(start_paused = true)]
async fn no_refresh_token_is_spent_while_the_keyring_is_locked() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.store.set_locked(true);

    let refused = rig.refused(&never()).await;
    assert_eq!((refused.error.as_str(), refused.error.exit_code()), ("keyring_locked", 9));
    assert!(refused.hint.unwrap().contains("unlock"));
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);

    rig.store.set_locked(false);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_to_sign_in_while_the_keyring_takes_nothing() {
    let rig = Rig::start();
    rig.store.set_locked(true);
    let failure = rig.call(&support::rig::interactive()).failure().await;
    assert_eq!(failure.error.as_str(), "keyring_locked");
    rig.store.set_locked(false);
    rig.store.set_full(true);
    let failure = rig.call(&support::rig::interactive()).failure().await;
    assert_eq!(failure.error.as_str(), "keyring_unavailable");
    assert_eq!(rig.fake.log().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_inside_the_margin_is_served_while_the_keyring_is_locked() {
    let rig = Rig::start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(3400)).await;
    rig.store.set_locked(true);
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&token));
    assert_eq!(rig.refused(&forced()).await.error.as_str(), "keyring_locked");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lock_while_the_refresh_is_in_the_air_keeps_the_successor_and_tells() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&forced());
    gate.arrived().await;
    rig.store.set_locked(true);
    gate.open();

    assert_eq!(caller.await.unwrap().unwrap_err().code().as_str(), "keyring_locked");
    assert_eq!(rig.account().await.state, AccountState::Unsaved);
    let notices = rig.client.status().await.unwrap().notices.join("\n");
    assert!(notices.contains("alice@example.com") && notices.contains("not saved"), "{notices}");

    // It is tried again by itself; nobody need ask.
    rig.pass(s(60)).await;
    rig.store.set_locked(false);
    rig.pass(s(300)).await;
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
    assert!(!rig.client.status().await.unwrap().notices.join("\n").contains("not saved"));
    let served = rig.token(&never()).await;
    assert!(rig.fake.access_token(exposed(&served)).is_some());
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_token_that_waited_for_the_save_is_served_when_the_keyring_opens() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    rig.store.set_locked(true);
    gate.open();
    caller.await.unwrap().unwrap_err();

    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    rig.store.set_locked(false);
    let asked = Instant::now();
    let served = rig.token(&never()).await;
    assert_eq!(asked.elapsed(), s(0), "whoever asks does not wait for the next try");
    assert!(rig.fake.access_token(exposed(&served)).is_some());
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_new_refresh_token_the_old_one_is_kept() {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    rig.sign_in("alice").await;
    for _ in 0..3 {
        rig.token(&forced()).await;
    }
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.families()[0].refreshes), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn where_the_provider_does_not_rotate_later_refreshes_write_nothing() {
    let mut rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    rig.sign_in("alice").await;
    rig.token(&forced()).await;
    rig.store.clear_operations();
    rig.token(&forced()).await;
    rig.token(&scopes(&["read"])).await;
    assert_eq!(rig.writes(), []);
    rig.restart().await;
    rig.token(&forced()).await;
    assert_eq!(rig.writes(), []);

    // One that begins to rotate is believed, and from then on intents are written again.
    rig.fake.reconfigure(|options| options.rotation = Rotation::Strict);
    rig.token(&forced()).await;
    assert_eq!(rig.writes(), [Kind::Put]);
    rig.token(&forced()).await;
    assert_eq!(rig.writes(), [Kind::Put, Kind::Put, Kind::Put]);
    assert_eq!(rig.fake.reuse_detected(), 0);
}

/// Signed in, and refreshed once: the newest refresh token has not been used yet, and the provider does not know it.
async fn newest_is_unknown(then: &[Fault]) -> Rig {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::Tolerant).start();
    rig.sign_in("alice").await;
    rig.token(&forced()).await;
    rig.fake.script(Grant::RefreshToken, Fault::oauth("invalid_grant"));
    for fault in then {
        rig.fake.script(Grant::RefreshToken, fault.clone());
    }
    rig
}

fn sent(rig: &Rig) -> Vec<String> {
    let log = rig.fake.log();
    let refreshes = log.iter().filter(|request| request.is(Grant::RefreshToken));
    refreshes.map(|request| request.field("refresh_token").unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn where_the_newest_refresh_token_never_worked_the_one_before_it_does() {
    for restarted in [false, true] {
        let mut rig = newest_is_unknown(&[]).await;
        if restarted {
            rig.restart().await;
        }
        rig.token(&forced()).await;
        assert_eq!(rig.account().await.state, AccountState::SignedIn);
        let tokens = sent(&rig);
        assert_eq!(tokens.len(), 3);
        assert_eq!((&tokens[2], tokens[1] != tokens[0]), (&tokens[0], true), "first the newest, then the one before");
        rig.token(&forced()).await;
        assert!(!tokens.contains(&sent(&rig)[3]), "and then what that brought");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_at_that_second_try_ends_no_sign_in() {
    let rig = newest_is_unknown(&[Fault::status(503), Fault::status(503)]).await;
    let refused = rig.refused(&forced()).await;
    assert_eq!(refused.error.as_str(), "provider_error");
    let tokens = sent(&rig);
    assert_eq!((tokens.last(), tokens.len() > 2), (tokens.first(), true), "it was at the one before");
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
    rig.pass(s(600)).await;
    rig.token(&forced()).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

/// Nor does anything else there that is no answer to it: a proxy that the request is too large for.
#[tokio::test(start_paused = true)]
async fn nor_does_a_refusal_that_is_not_about_the_token() {
    for fault in [Fault::status(413), Fault::oauth("invalid_scope"), Fault::oauth("something_new")] {
        let rig = newest_is_unknown(&[fault]).await;
        rig.refused(&forced()).await;
        assert_eq!(rig.account().await.state, AccountState::SignedIn);
        rig.pass(s(600)).await;
        rig.token(&forced()).await;
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
    }
}

/// Both refused for good, it is over.
#[tokio::test(start_paused = true)]
async fn where_neither_works_the_sign_in_has_ended() {
    let rig = newest_is_unknown(&[Fault::oauth("invalid_grant")]).await;
    assert_eq!(rig.refused(&forced()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.account().await.state, AccountState::SignInRequired);
}

/// Nothing is left of it that could be lost.
#[tokio::test(start_paused = true)]
async fn a_sign_in_that_ended_while_the_store_was_full_has_ended() {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    rig.sign_in("alice").await;
    rig.token(&forced()).await; // it is known not to rotate: a refresh writes nothing first
    rig.store.set_full(true);
    rig.fake.revoke_user("alice");
    assert_eq!(rig.refused(&forced()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.account().await.state, AccountState::SignInRequired);
}

async fn change_client(rig: &Rig) {
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replacen("\"cli\"", "\"new\"", 1));
    rig.client.reload().await.unwrap();
}

fn two_clients() -> Rig {
    Rig::setup().provider(|options| options.clients.push(Client::public("new"))).start()
}

#[tokio::test(start_paused = true)]
async fn a_token_that_waited_for_the_save_does_not_serve_another_client() {
    let rig = two_clients();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    rig.store.set_locked(true);
    gate.open();
    caller.await.unwrap().unwrap_err();
    change_client(&rig).await;
    rig.store.set_locked(false);
    let refused = rig.refused(&never()).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert!(refused.error_description.contains("client or issuer has changed"), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_brings_nothing_lasting_does_not_keep_another_clients_grant() {
    let rig = two_clients();
    rig.sign_in("alice").await;
    change_client(&rig).await;
    rig.fake.reconfigure(|options| options.refresh_tokens = RefreshTokens::Never);
    let token = rig.sign_in("alice").await;
    assert!(rig.record().contains("\"client_id\":\"new\""));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&token));
}

/// A sign-in for a client that the profile had meanwhile is worth nothing against the grant of the one that it has again.
#[tokio::test(start_paused = true)]
async fn a_sign_in_of_a_client_that_came_and_went_cuts_no_refresh_off() {
    let rig = two_clients();
    rig.sign_in("alice").await;
    rig.expire().await;
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    drop(rig.background(&never()));
    gate.arrived().await;
    change_client(&rig).await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    let login = rig.spawn(async move { login.next().await });
    rig.pass(s(7)).await;
    rig.write_config(&config);
    rig.client.reload().await.unwrap();
    rig.pass(s(20)).await;
    gate.open();
    login.await.unwrap().unwrap().unwrap_err();
    rig.token(&forced()).await;
    assert_eq!(rig.fake.reuse_detected(), 0);
}
