//! A keyring that does not answer: who waits, for how long, and who does not.

use broker_client::{AccountState, ClientError, TokenRequest, TokenResponse};
use support::fake_as::{Fault, Gate, Grant, Rotation};
use support::rig::{Rig, exposed, interactive, never, s, scopes};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Somebody who waits for a token beside the test.
type Waiting = JoinHandle<Result<TokenResponse, ClientError>>;

#[tokio::test(start_paused = true)]
async fn a_hanging_keyring_is_keyring_locked_within_five_seconds() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.store.set_hanging(true);

    let start = Instant::now();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    assert_eq!(start.elapsed(), s(5));
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    assert_eq!(start.elapsed(), s(5), "the next one is told at once");
    assert_eq!(
        rig.call(&TokenRequest { profile: Some("other".into()), ..interactive() }).failure().await.error.as_str(),
        "keyring_locked"
    );
    assert_eq!(start.elapsed(), s(5));
    assert_eq!(rig.client.status().await.unwrap().store.state, "locked");

    rig.store.set_hanging(false);
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
    assert_eq!(rig.client.status().await.unwrap().store.state, "ok");
}

#[tokio::test(start_paused = true)]
async fn cached_tokens_are_served_while_the_keyring_hangs() {
    let rig = Rig::start();
    let alice = rig.sign_in("alice").await;
    let other = TokenRequest { profile: Some("other".into()), ..interactive() };
    let bob = rig.sign_in_with(&other, "bob").await;
    rig.store.set_hanging(true);
    let stuck = rig.background(&TokenRequest { audience: Some("urn:files".into()), ..never() });
    rig.pass(s(1)).await;

    let start = Instant::now();
    assert_eq!(exposed(&rig.token(&scopes(&["read"])).await), exposed(&alice), "of the account whose refresh waits");
    assert_eq!(exposed(&rig.token(&other).await), exposed(&bob), "and of another");
    rig.client.status().await.unwrap();
    rig.client.accounts().await.unwrap();
    rig.client.prompts().await.unwrap();
    assert_eq!(start.elapsed(), s(0));
    assert_eq!(stuck.await.unwrap().unwrap_err().code().as_str(), "keyring_locked");
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_hangs_at_start_is_asked_again_when_it_answers() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_hanging(true);
    rig.run();
    let start = Instant::now();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    assert!(start.elapsed() <= s(5), "{:?}", start.elapsed());
    rig.store.set_hanging(false);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn many_callers_of_a_hanging_keyring_wait_for_one_deadline_together() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.store.set_hanging(true);
    let start = Instant::now();
    let audiences = (0..20).map(|n| TokenRequest { audience: Some(format!("urn:{n}")), ..never() });
    for caller in audiences.map(|request| rig.background(&request)).collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap().unwrap_err().code().as_str(), "keyring_locked");
    }
    assert_eq!(start.elapsed(), s(5));
}

/// A call that hangs is carried out when the store answers again, long after whoever asked was told that it failed.
#[tokio::test(start_paused = true)]
async fn a_sign_out_that_failed_on_a_hanging_keyring_takes_nothing_later() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.store.set_hanging(true);
    for _ in 0..2 {
        assert_eq!(rig.client.sign_out(&id).await.unwrap_err().code().as_str(), "keyring_locked");
    }
    rig.pass(s(400)).await;
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
    rig.store.set_hanging(false);
    // With the first call that comes, what hung is carried out, and nobody waits for the end of a pause.
    rig.sign_in_with(&TokenRequest { profile: Some("other".into()), ..interactive() }, "bob").await;
    rig.pass(s(1)).await;
    assert!(rig.store.raw_keys().contains(&id), "it was written once more");
    rig.crash().await;
    rig.run();
    rig.token(&never()).await;
}

/// A sign-out has failed, and its deletion is carried out while a refresh of alice is in the air that needs no store.
pub(super) async fn deleted_meanwhile(refresh: Fault) -> (Rig, String, Waiting) {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    let id = rig.sign_in("alice").await.account.id;
    let forced = TokenRequest { force_refresh: true, ..never() };
    rig.token(&forced).await; // now it is known not to rotate
    rig.store.set_hanging(true);
    rig.client.sign_out(&id).await.unwrap_err();
    rig.fake.script(Grant::RefreshToken, refresh);
    let caller = rig.background(&forced);
    rig.fake.wait_for_count(Grant::RefreshToken, 2).await;
    rig.store.set_hanging(false);
    rig.sign_in_with(&TokenRequest { profile: Some("other".into()), ..interactive() }, "bob").await;
    assert!(!rig.store.raw_keys().contains(&id), "the deletion was carried out");
    (rig, id, caller)
}

/// The same while a refresh is in the air that needs no store, and somebody looks at the account meanwhile.
#[tokio::test(start_paused = true)]
async fn nor_does_it_while_a_refresh_is_in_the_air() {
    let gate = Gate::new();
    let (mut rig, id, caller) = deleted_meanwhile(Fault::HoldAnswer(gate.clone())).await;
    rig.client.accounts().await.unwrap();
    gate.open();
    caller.await.unwrap().unwrap();
    rig.pass(s(1)).await;
    assert!(rig.store.raw_keys().contains(&id));
    rig.crash().await;
    rig.run();
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_daemon_stops_before_it_is_written_once_more() {
    let gate = Gate::new();
    let (mut rig, id, _caller) = deleted_meanwhile(Fault::HoldAnswer(gate.clone())).await;
    let stopped = rig.begin_to_stop();
    gate.open();
    stopped.await;
    assert!(rig.store.raw_keys().contains(&id));
    rig.run();
    rig.token(&never()).await;
}

/// Whoever closed the dialog that the sign-out opened is not shown another one, until somebody needs the keyring.
#[tokio::test(start_paused = true)]
async fn a_locked_keyring_is_not_asked_on_account_of_a_sign_out_that_failed() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.store.set_hanging(true);
    rig.client.sign_out(&id).await.unwrap_err();
    rig.store.set_locked(true);
    rig.store.set_hanging(false);
    let forced = TokenRequest { force_refresh: true, ..never() };
    assert_eq!(rig.refused(&forced).await.error.as_str(), "keyring_locked");
    let asked = rig.store.operations().len();
    rig.pass(s(1000)).await;
    assert_eq!(rig.store.operations().len(), asked);
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
}

/// To be asked may mean a dialog on the screen each time.
#[tokio::test(start_paused = true)]
async fn behind_a_stale_token_a_locked_keyring_is_asked_ever_more_rarely() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    rig.pass(s(3000)).await;
    rig.store.set_locked(true);
    rig.store.clear_operations();
    let mut asked = Vec::new();
    for second in 0..120 {
        assert_eq!(exposed(&rig.token(&never()).await), exposed(&old));
        rig.pass(s(1)).await;
        if !rig.store.operations().is_empty() {
            asked.push(second);
            rig.store.clear_operations();
        }
    }
    assert_eq!(asked, [0, 5, 15, 35, 75]);
    // Who needs another token waits for no pause, and what comes of it ends the pause for all.
    rig.store.set_locked(false);
    let new = rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
    rig.pass(s(3000)).await;
    rig.token(&never()).await;
    rig.pass(s(1)).await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&new));
}
