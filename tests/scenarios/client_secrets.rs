//! A client secret in the keyring: asked for before anything is sent, used at once, shown to nobody.

use broker_client::ClientError;
use secrecy::SecretString;
use support::fake_as::{Endpoint, Grant};
use support::rig::{Rig, exposed, interactive, never};

const SECRET: &str = "client-secret-0f8c2b71";
const KEY: &str = "client-secret:work";

fn config(lines: &str) -> String {
    format!(
        "[profiles.work]\nissuer = \"http://127.0.0.1:7001\"\nclient_id = \"confidential\"\n\
         scopes = [\"openid\", \"offline_access\", \"read\"]\n{lines}\n"
    )
}

fn rig() -> Rig {
    Rig::setup().config(Some(&config("client_secret = \"keyring\""))).start()
}

async fn set(rig: &Rig, secret: &str) -> Result<(), ClientError> {
    rig.client.set_client_secret("work", &SecretString::from(secret)).await
}

fn code(outcome: Result<(), ClientError>) -> String {
    match outcome.unwrap_err() {
        ClientError::Api(body) => body.error.as_str().to_owned(),
        other => other.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_named_with_the_command_before_anything_is_sent() {
    let rig = rig();
    let refused = rig.call(&interactive()).failure().await;
    assert_eq!(refused.error.as_str(), "configuration");
    assert_eq!(refused.hint.as_deref(), Some("run: brokerctl client-secret set work"));
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_the_keyring_serves_sign_in_refresh_restart_and_sign_out() {
    let mut rig = rig();
    set(&rig, SECRET).await.unwrap();
    let first = rig.sign_in("alice").await;
    rig.restart().await;
    rig.expire().await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&first));
    let accounts = rig.client.accounts().await.unwrap().accounts;
    assert_eq!(accounts.len(), 1, "a secret is no account: {accounts:?}");
    let status = rig.client.status().await.unwrap();
    assert!(!serde_json::to_string(&status).unwrap().contains(SECRET));
    rig.client.sign_out(&first.account.id).await.unwrap();
    assert_eq!(rig.fake.revoked_families().len(), 1);
    assert_eq!(rig.store.raw_keys(), [KEY]);
}

/// The index is lost, and made anew from what the store has.
#[tokio::test(start_paused = true)]
async fn a_lost_index_is_repaired_without_taking_a_secret_for_an_account() {
    let mut rig = rig();
    set(&rig, SECRET).await.unwrap();
    rig.sign_in("alice").await;
    rig.stop().await;
    std::fs::remove_file(rig.index_file()).unwrap();
    rig.run();
    assert_eq!(rig.account().await.username, "alice@example.com");
    assert!(!rig.client.status().await.unwrap().notices.join("\n").contains("cannot be read"));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_secret_is_used_at_once_and_a_removed_one_no_more() {
    let rig = rig();
    set(&rig, "client-secret-wrong").await.unwrap();
    assert_eq!(rig.call(&interactive()).failure().await.error.as_str(), "configuration");
    set(&rig, SECRET).await.unwrap();
    rig.sign_in("alice").await;
    rig.client.remove_client_secret("work").await.unwrap();
    rig.expire().await;
    let writes = rig.writes();
    let refused = rig.refused(&never()).await;
    assert_eq!(rig.writes(), writes, "no intent of what will not be sent");
    assert!(refused.hint.unwrap().contains("client-secret set work"));
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0, "no refresh token is spent without it");
    assert!(!rig.store.raw_keys().contains(&KEY.to_owned()));
    set(&rig, SECRET).await.unwrap();
    rig.token(&never()).await;
}

/// What the provider refused the old secret is not held against the new one.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_failed_for_its_secret_is_tried_with_the_next_one_at_once() {
    let rig = rig();
    set(&rig, SECRET).await.unwrap();
    rig.sign_in("alice").await;
    set(&rig, "client-secret-wrong").await.unwrap();
    rig.expire().await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "configuration");
    set(&rig, SECRET).await.unwrap();
    rig.token(&never()).await;
}

/// Nor where that is said only when the new one is there already.
#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_old_secret_that_comes_late_holds_up_no_refresh() {
    let rig = rig();
    set(&rig, SECRET).await.unwrap();
    rig.sign_in("alice").await;
    set(&rig, "client-secret-wrong").await.unwrap();
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    set(&rig, SECRET).await.unwrap();
    gate.open();
    assert_eq!(caller.await.unwrap().unwrap_err().code().as_str(), "configuration");
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_old_secret_that_comes_late_holds_up_no_sign_in() {
    let rig = rig();
    set(&rig, "client-secret-wrong").await.unwrap();
    let gate = rig.fake.hold_answer(Endpoint::DeviceAuthorization);
    let caller = rig.spawn(rig.call(&interactive()).failure());
    gate.arrived().await;
    set(&rig, SECRET).await.unwrap();
    gate.open();
    assert_eq!(caller.await.unwrap().error.as_str(), "configuration");
    rig.sign_in("alice").await;
}

#[tokio::test(start_paused = true)]
async fn a_locked_keyring_is_told_as_that_and_heals() {
    let mut rig = rig();
    set(&rig, SECRET).await.unwrap();
    rig.sign_in("alice").await;
    rig.restart().await;
    rig.store.set_locked(true);
    rig.expire().await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    assert_eq!(code(set(&rig, SECRET).await), "keyring_locked");
    rig.store.set_locked(false);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_nobody_would_use_is_refused() {
    let rig = Rig::setup().config(Some(&config(""))).start();
    assert_eq!(code(set(&rig, SECRET).await), "configuration");
    let unknown = rig.client.set_client_secret("wrok", &SecretString::from(SECRET)).await;
    assert_eq!(code(unknown), "unknown_profile");
    for bad in ["", "two\nlines"] {
        assert_eq!(code(set(&rig, bad).await), "bad_request", "{bad:?}");
    }
    assert!(rig.store.raw_keys().is_empty());
    rig.client.remove_client_secret("gone").await.unwrap();
    assert_eq!(code(rig.client.remove_client_secret("../x").await), "not_found");
}

/// Each row: what the profile says, and where the secret is.
#[tokio::test(start_paused = true)]
async fn a_secret_is_sent_as_the_profile_says() {
    for (line, in_form) in [("", false), ("client_authentication = \"post\"", true), ("provider = \"gitlab\"", true)] {
        let rig = Rig::setup().config(Some(&config(&format!("client_secret = \"keyring\"\n{line}")))).start();
        set(&rig, SECRET).await.unwrap();
        rig.sign_in("alice").await;
        for request in rig.fake.log().iter().filter(|request| request.endpoint == Endpoint::Token) {
            assert_eq!(request.field("client_secret").is_some(), in_form, "{line}");
            assert_eq!(request.header("authorization").is_some(), !in_form, "{line}");
        }
    }
}
