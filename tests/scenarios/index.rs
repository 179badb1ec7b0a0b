//! `accounts.json` is a hint: losing it, or finding rubbish in it, loses no sign-in.

use broker_client::TokenRequest;
use serde_json::Value;
use support::rig::{Rig, interactive, never};

async fn notices(rig: &Rig) -> String {
    rig.client.status().await.unwrap().notices.join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_lost_index_is_repaired_from_the_store_and_told() {
    let mut rig = Rig::start();
    let signed_in = rig.sign_in("alice").await;
    let before = std::fs::read_to_string(rig.index_file()).unwrap();
    rig.stop().await;
    std::fs::remove_file(rig.index_file()).unwrap();
    rig.run();
    assert_eq!(rig.token(&never()).await.account, signed_in.account);
    assert!(notices(&rig).await.contains("the index of accounts had lost alice@example.com"));
    assert_eq!(std::fs::read_to_string(rig.index_file()).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_in_the_store_is_forgotten_and_told() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.stop().await;
    let index = std::fs::read_to_string(rig.index_file()).unwrap();
    rig.store = brokerd::store::memory::MemoryStore::new();
    rig.run();
    assert!(rig.client.accounts().await.unwrap().accounts.is_empty());
    assert!(notices(&rig).await.contains("alice@example.com under profile work is not in the store any more"));
    assert_ne!(std::fs::read_to_string(rig.index_file()).unwrap(), index);
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
}

/// Stores of other kinds may have accounts that they cannot list: only the one that took a grant can say that it is gone.
#[tokio::test(start_paused = true)]
async fn an_account_whose_sign_in_is_in_another_store_is_not_forgotten_but_told() {
    let mut rig = Rig::start();
    let account = rig.sign_in("alice").await.account;
    rig.stop().await;
    let index = std::fs::read_to_string(rig.index_file()).unwrap();
    let elsewhere = index.replace(r#""store": "memory""#, r#""store": "kernel""#);
    assert_ne!(elsewhere, index);
    std::fs::write(rig.index_file(), &elsewhere).unwrap();
    let there = std::mem::replace(&mut rig.store, brokerd::store::memory::MemoryStore::new());
    rig.run();
    assert_eq!(rig.account().await.id, account.id);
    assert!(notices(&rig).await.contains("is in another store, \"kernel\""), "{}", notices(&rig).await);
    rig.stop().await;
    let here = std::mem::replace(&mut rig.store, there);
    rig.run();
    rig.token(&never()).await;
    rig.stop().await;
    std::fs::write(rig.index_file(), elsewhere).unwrap();
    rig.store = here;
    rig.run();
    rig.sign_in("alice").await;
    rig.restart().await;
    let said = rig.client.sign_out(&account.id).await.unwrap();
    assert!(said.detail.unwrap().contains("another store"), "a sign-out here does not end what is there");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_no_store_has_taken_yet_is_not_forgotten() {
    let mut rig = Rig::start();
    rig.stop().await;
    rig.store.set_failing(true);
    rig.run();
    rig.pass(support::rig::s(1)).await;
    rig.store.set_failing(false);
    let mut login = rig.login(&interactive());
    let prompt = login.prompt().await;
    rig.store.set_full(true);
    rig.fake.approve(&prompt.user_code, "alice");
    assert_eq!(login.failure().await.error.as_str(), "keyring_unavailable");
    rig.refused(&never()).await;
    assert_eq!(rig.account().await.username, "alice@example.com");
    rig.store.set_full(false);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_garbled_index_is_made_anew_and_told() {
    for garbage in ["{", "", "[]", "\u{0}\u{0}", r#"{"version":1,"accounts":[{"id":"../../etc/passwd"}]}"#] {
        let mut rig = Rig::start();
        let signed_in = rig.sign_in("alice").await;
        rig.stop().await;
        std::fs::write(rig.index_file(), garbage).unwrap();
        rig.run();
        assert_eq!(rig.token(&never()).await.account, signed_in.account, "{garbage:?}");
        assert!(notices(&rig).await.contains("cannot be read"), "{garbage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_is_locked_at_start_forgets_nobody() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_locked(true);
    rig.run();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    assert_eq!(rig.account().await.username, "alice@example.com");
    rig.store.set_locked(false);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_index_and_a_locked_keyring_do_not_start_a_second_sign_in() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.stop().await;
    std::fs::remove_file(rig.index_file()).unwrap();
    rig.store.set_locked(true);
    rig.run();
    let seen = rig.fake.log().len();
    let failure = rig.call(&interactive()).failure().await;
    assert_eq!((failure.error.as_str(), rig.fake.log().len()), ("keyring_locked", seen));
    rig.store.set_locked(false);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_the_index_lost_and_the_keyring_did_not_give_at_start_is_tried_again() {
    let mut rig = Rig::start();
    let signed_in = rig.sign_in("alice").await;
    rig.stop().await;
    std::fs::remove_file(rig.index_file()).unwrap();
    rig.store.fail_next_gets(usize::MAX);
    rig.run();
    rig.pass(support::rig::s(1)).await;
    let seen = rig.fake.log().len();
    let failure = rig.call(&interactive()).failure().await;
    assert_eq!((failure.error.as_str(), rig.fake.log().len()), ("keyring_unavailable", seen), "no second sign-in");
    rig.store.fail_next_gets(0);
    assert_eq!(rig.call(&interactive()).token().await.account, signed_in.account);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_taken_in_keeps_no_other_from_signing_out() {
    let mut rig = Rig::start();
    let alice = rig.sign_in("alice").await.account;
    let bob = TokenRequest { account: Some("bob@example.com".into()), ..interactive() };
    rig.sign_in_with(&bob, "bob").await;
    rig.stop().await;
    let mut index: Value = serde_json::from_slice(&std::fs::read(rig.index_file()).unwrap()).unwrap();
    index["accounts"].as_array_mut().unwrap().retain(|account| account["id"] == alice.id.as_str());
    std::fs::write(rig.index_file(), index.to_string()).unwrap();
    rig.store.fail_next_gets(usize::MAX);
    rig.run();
    rig.client.accounts().await.unwrap();
    rig.store.fail_next_gets(0);
    rig.token(&TokenRequest { account: Some(alice.username), ..never() }).await;
    rig.store.fail_next_gets(usize::MAX);
    rig.client.sign_out(&alice.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_that_no_try_would_read_is_told_and_stops_nobody() {
    for record in ["not ours", "brokerd:2:{}"] {
        let mut rig = Rig::start();
        let account = rig.sign_in("alice").await.account;
        rig.stop().await;
        std::fs::remove_file(rig.index_file()).unwrap();
        rig.store.set_raw(account.id.as_str(), record.as_bytes());
        rig.run();
        assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required", "{record}");
        let told = format!("the store has a record {} that cannot be read", account.id);
        assert!(notices(&rig).await.contains(&told), "{record}: {}", notices(&rig).await);
        assert_eq!(rig.sign_in("alice").await.account, account, "{record}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_bytes_from_the_keyring_are_an_error_and_not_the_end_of_a_sign_in() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.garble_next_gets(1);
    rig.run();
    rig.pass(support::rig::s(1)).await;
    rig.token(&never()).await;
    assert_eq!(rig.account().await.username, "alice@example.com");
}

#[tokio::test(start_paused = true)]
async fn an_index_that_cannot_be_written_is_told_and_stops_nobody() {
    let mut rig = Rig::start();
    std::fs::write(rig.index_file().parent().unwrap(), "in the way").unwrap();
    rig.sign_in("alice").await;
    rig.token(&never()).await;
    assert!(notices(&rig).await.contains("cannot be written"), "{}", notices(&rig).await);
    rig.restart().await;
    rig.token(&never()).await;
}
