//! Which account is meant, and what happens when somebody else signs in.

use broker_client::{AccountState, TokenRequest};
use support::fake_as::Revoked;
use support::rig::{Rig, interactive, never};

fn named(name: &str) -> TokenRequest {
    TokenRequest { account: Some(name.into()), ..never() }
}

async fn alice_and_bob(rig: &Rig) {
    rig.sign_in("alice").await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "bob");
    login.next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_as_somebody_else_is_an_error_stores_nothing_and_is_given_back() {
    let rig = Rig::start();
    let mut call = rig.call(&TokenRequest { account: Some("alice@example.com".into()), ..interactive() });
    let prompt = call.prompt().await;
    assert_eq!(prompt.account.as_deref(), Some("alice@example.com"));
    rig.fake.approve(&prompt.user_code, "bob");

    let failure = call.failure().await;
    assert_eq!((failure.error.as_str(), failure.error.exit_code()), ("account_mismatch", 4));
    assert!(failure.error_description.contains("bob@example.com"), "{failure:?}");
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
    assert_eq!(rig.fake.revoked_families()[0].revoked, Some(Revoked::Client));
    assert!(rig.client.accounts().await.unwrap().accounts.is_empty());
    rig.refused(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_account_is_not_revived_by_somebody_elses_sign_in() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.fake.revoke_user("alice");
    rig.expire().await;
    let mut call = rig.call(&interactive());
    rig.fake.approve(&call.prompt().await.user_code, "bob");
    assert_eq!(call.failure().await.error.as_str(), "account_mismatch");
    assert_eq!(rig.account().await.username, "alice@example.com");
}

#[tokio::test(start_paused = true)]
async fn of_several_accounts_one_must_be_named() {
    let rig = Rig::start();
    alice_and_bob(&rig).await;
    let refused = rig.refused(&interactive()).await;
    assert_eq!((refused.error.as_str(), refused.error.status()), ("account_required", 409));
    let names: Vec<_> = refused.accounts.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(names, ["alice@example.com", "bob@example.com"]);
    assert_eq!(rig.token(&named("bob@example.com")).await.account.username, "bob@example.com");
}

#[tokio::test(start_paused = true)]
async fn the_profiles_default_account_is_meant_when_none_is_named() {
    let rig = Rig::setup().profile("default_account = \"bob@example.com\"").start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    assert_eq!(prompt.account.as_deref(), Some("bob@example.com"));
    rig.fake.approve(&prompt.user_code, "bob");
    call.token().await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    assert_eq!(rig.token(&never()).await.account.username, "bob@example.com");
    assert_eq!(rig.token(&named("alice@example.com")).await.account.username, "alice@example.com");
}

#[tokio::test(start_paused = true)]
async fn an_account_is_meant_by_id_or_username_in_any_case() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    for name in [id.clone(), id.to_uppercase(), "alice@example.com".into(), "ALICE@Example.Com".into()] {
        assert_eq!(rig.token(&named(&name)).await.account.id, id, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_nobody_has_is_unknown_and_a_name_nobody_has_may_sign_in() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refused = rig.refused(&TokenRequest { account: Some("0123456789abcdef0123".into()), ..interactive() }).await;
    assert_eq!((refused.error.as_str(), refused.error.status()), ("unknown_account", 404));
    assert_eq!(rig.refused(&named("bob")).await.error.as_str(), "interaction_required");
    assert_eq!(rig.client.sign_out("0123456789abcdef0123").await.unwrap_err().code().as_str(), "unknown_account");

    let bob = rig.sign_in_with(&TokenRequest { account: Some("bob@example.com".into()), ..interactive() }, "bob").await;
    assert_eq!(bob.account.username, "bob@example.com");
    assert_eq!(rig.client.accounts().await.unwrap().accounts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn signing_in_again_is_the_same_account() {
    let rig = Rig::start();
    let first = rig.sign_in("alice").await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    let account = rig.account().await;
    assert_eq!((account.id, account.state), (first.account.id, AccountState::SignedIn));
}

#[tokio::test(start_paused = true)]
async fn the_profile_is_the_one_named_or_the_default_one() {
    let rig = Rig::start();
    let refused = rig.refused(&TokenRequest { profile: Some("wrok".into()), ..never() }).await;
    assert_eq!((refused.error.as_str(), refused.hint.as_deref()), ("unknown_profile", Some("did you mean \"work\"?")));
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replace("default_profile = \"work\"", ""));
    rig.client.reload().await.unwrap();
    let refused = rig.refused(&never()).await;
    assert_eq!(refused.error.as_str(), "profile_required");
    assert!(refused.error_description.contains("other, work"), "{refused:?}");
}
