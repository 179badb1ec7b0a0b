//! Signing out: revoked there, forgotten here, and not undone by anything in the air.

use broker_client::AccountState;
use serde_json::Value;
use support::fake_as::{Endpoint, Fault, Grant, Revoked};
use support::rig::{Rig, interactive, never, s};

fn outcome(signed_out: &impl serde::Serialize) -> Value {
    serde_json::to_value(signed_out).unwrap()["revocation"].clone()
}

#[tokio::test(start_paused = true)]
async fn signing_out_revokes_and_forgets() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    let signed_out = rig.client.sign_out(&id).await.unwrap();
    assert_eq!(outcome(&signed_out), "revoked");
    assert_eq!((signed_out.account.username.as_str(), signed_out.profile.as_str()), ("alice@example.com", "work"));
    assert_eq!(rig.fake.revoked_families()[0].revoked, Some(Revoked::Client));
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
    assert!(!std::fs::read_to_string(rig.index_file()).unwrap().contains("alice"));
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    rig.restart().await;
    assert!(rig.client.accounts().await.unwrap().accounts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn signing_out_while_a_refresh_is_in_the_air_does_not_bring_the_account_back() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    let client = rig.new_client();
    let signing_out = rig.spawn(async move { client.sign_out(&id).await });
    rig.pass(s(1)).await;
    gate.open();

    assert_eq!(outcome(&signing_out.await.unwrap().unwrap()), "revoked");
    drop(caller.await.unwrap());
    rig.pass(s(60)).await;
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
    assert!(rig.fake.families()[0].revoked.is_some(), "the successor was revoked, not the spent one");
    rig.restart().await;
    assert!(rig.client.accounts().await.unwrap().accounts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_while_the_account_signs_out_is_told_to_sign_in() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    let refreshing = rig.fake.hold_answer(Grant::RefreshToken);
    let revoking = rig.fake.hold_answer(Endpoint::Revocation);
    drop(rig.background(&never()));
    refreshing.arrived().await;
    let client = rig.new_client();
    let signing_out = rig.spawn(async move { client.sign_out(&id).await });
    rig.pass(s(1)).await;
    let waiting = rig.background(&support::rig::scopes(&["read"]));
    rig.pass(s(1)).await;
    refreshing.open();
    revoking.arrived().await;
    revoking.open();

    signing_out.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_during_the_sign_out_begins_the_account_anew() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    drop(rig.background(&never()));
    gate.arrived().await;
    let client = rig.new_client();
    let signing_out = rig.spawn({
        let id = id.clone();
        async move { client.sign_out(&id).await }
    });
    rig.pass(s(1)).await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
    gate.open();

    signing_out.await.unwrap().unwrap();
    login.next().await.unwrap().unwrap();
    let account = rig.account().await;
    assert_eq!((account.id, account.state), (id, AccountState::SignedIn));
    rig.restart().await;
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_revocation_is_not_supported_and_forgotten_all_the_same() {
    let mut overrides = serde_json::Map::new();
    overrides.insert("revocation_endpoint".into(), Value::Null);
    let rig = Rig::setup().provider(|options| options.metadata_overrides = overrides).start();
    let id = rig.sign_in("alice").await.account.id;
    let signed_out = rig.client.sign_out(&id).await.unwrap();
    assert_eq!(outcome(&signed_out), "not_supported");
    assert!(signed_out.detail.is_some());
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_absent_provider_does_not_keep_anybody_signed_in() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.fake.script(Endpoint::Revocation, Fault::status(503));
    assert_eq!(outcome(&rig.client.sign_out(&id).await.unwrap()), "failed");
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn with_a_locked_keyring_signing_out_is_an_error_and_nothing_is_lost() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.store.set_locked(true);
    assert_eq!(rig.client.sign_out(&id).await.unwrap_err().code().as_str(), "keyring_locked");
    assert_eq!(rig.fake.count(Endpoint::Revocation), 0);
    rig.store.set_locked(false);
    rig.token(&never()).await;
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
    assert_eq!(outcome(&rig.client.sign_out(&id).await.unwrap()), "revoked");
}
