//! The provider does not always say who signed in: what is not known is not another user, and no account is a dead end.

use broker_client::{AccountState, TokenRequest, TokenResponse};
use serde_json::json;
use support::fake_as::{Endpoint, Fault};
use support::rig::{Kind, Rig, exposed, interactive, never, s, scopes, sha256};

/// GitHub names its users at another address than the one that issues tokens.
fn github() -> Rig {
    let config = "[profiles.work]\nprovider = \"github\"\nauthority = \"http://127.0.0.1:7001\"\n\
                  client_id = \"cli\"\nscopes = [\"repo\"]\n";
    Rig::setup().provider(support::fake_as::Options::github).config(Some(config)).start()
}

/// Somebody is signed in, and the provider has not said who; it will say it from now on. The token, and the account's id.
async fn signed_in_as_nobody() -> (Rig, TokenResponse, String) {
    let rig = github();
    silence(&rig);
    let token = rig.sign_in("alice").await;
    let id = rig.account().await.id;
    rig.fake.clear();
    (rig, token, id)
}

fn rejecting(token: &TokenResponse) -> TokenRequest {
    TokenRequest { reject_token_sha256: Some(sha256(token)), ..interactive() }
}

fn record(rig: &Rig) -> serde_json::Value {
    let record = rig.record();
    serde_json::from_str(&record[record.find('{').unwrap()..]).unwrap()
}

fn silence(rig: &Rig) {
    rig.fake.always(Endpoint::Userinfo, Fault::status(503));
}

#[tokio::test(start_paused = true)]
async fn who_becomes_known_takes_the_place_of_the_account_without_a_name() {
    let rig = github();
    silence(&rig);
    let token = rig.sign_in("alice").await;
    let nameless = rig.account().await;
    assert_eq!(nameless.username, "unknown");
    rig.fake.clear();
    rig.store.clear_operations();

    let named = rig.sign_in_with(&rejecting(&token), "alice").await;
    let account = rig.account().await;
    assert_eq!((account.id.as_str(), account.state), (named.account.id.as_str(), AccountState::SignedIn));
    assert_ne!((&account.id, &account.username), (&nameless.id, &nameless.username));
    assert_eq!(rig.store.raw_keys(), [account.id.as_str()], "its grant is gone from the store");
    let writes = rig.writes();
    assert_eq!(writes[writes.len() - 2..], [Kind::Put, Kind::Delete], "and not before the new one is saved");
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&named));
    assert!(rig.fake.revoked_families().is_empty(), "the provider may take both grants for one");
}

/// Whoever is not known may be who is signed in, and some providers end both grants with one.
#[tokio::test(start_paused = true)]
async fn what_may_be_the_users_of_an_account_is_not_given_back() {
    for named_first in [true, false] {
        let rig = Rig::setup().provider(|options| options.revocation_ends_all = true).start();
        silence(&rig);
        let say_who = |says: bool| {
            rig.fake.reconfigure(|options| {
                options.token_overrides.clear();
                if !says {
                    options.token_overrides.insert("id_token".into(), json!(null));
                }
            });
        };
        say_who(named_first);
        rig.sign_in("bob").await;
        say_who(!named_first);
        let mut call = rig.call(&TokenRequest { account: Some("alice@example.com".into()), ..interactive() });
        rig.fake.approve(&call.prompt().await.user_code, "bob");
        assert_eq!(call.failure().await.error.as_str(), "account_mismatch", "named first: {named_first}");
        rig.pass(s(60)).await;
        assert_eq!(rig.fake.count(Endpoint::Revocation), 0, "named first: {named_first}");
        rig.expire().await;
        rig.token(&never()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_account_without_a_name_stays_until_the_other_is_saved() {
    let (rig, token, nameless) = signed_in_as_nobody().await;
    let mut call = rig.call(&rejecting(&token));
    let prompt = call.prompt().await;
    rig.store.fail_next_puts(1);
    rig.fake.approve(&prompt.user_code, "alice");
    assert_eq!(call.failure().await.error.as_str(), "keyring_unavailable");
    assert!(rig.store.raw_keys().contains(&nameless));
}

/// Both stand there while the store does not delete; the one without a name goes as soon as it does again, and does not come back.
#[tokio::test(start_paused = true)]
async fn the_account_without_a_name_goes_when_the_store_lets_it() {
    let (mut rig, token, nameless) = signed_in_as_nobody().await;
    let mut call = rig.call(&rejecting(&token));
    let prompt = call.prompt().await;
    rig.store.fail_after(Some(1)); // the new grant, and nothing after it
    rig.fake.approve(&prompt.user_code, "alice");
    let named = call.token().await.account.id;
    assert!(rig.store.raw_keys().contains(&nameless));
    rig.store.fail_after(None);
    rig.client.doctor().await.unwrap();
    rig.pass(s(1)).await;
    assert!(rig.store.raw_keys().contains(&named) && !rig.store.raw_keys().contains(&nameless));
    rig.restart().await;
    assert_eq!(rig.account().await.id, named);
}

/// While it cannot go yet, somebody whom the provider does not name signs in: that is a newer consent, also while it is not saved.
#[tokio::test(start_paused = true)]
async fn a_sign_in_meanwhile_does_not_go_with_the_account_without_a_name() {
    let (mut rig, token, nameless) = signed_in_as_nobody().await;
    let (mut naming, mut another) = (rig.call(&rejecting(&token)), rig.login(&interactive()));
    let (naming_code, another_code) = (naming.prompt().await.user_code, another.prompt().await.user_code);
    assert_ne!(naming_code, another_code);
    rig.store.fail_after(Some(1)); // the named one's grant, and nothing after it
    rig.fake.approve(&naming_code, "alice");
    let named = naming.token().await.account.id;
    silence(&rig);
    rig.fake.approve(&another_code, "alice");
    assert_eq!(another.failure().await.error.as_str(), "keyring_unavailable");

    rig.store.fail_after(None);
    rig.client.doctor().await.unwrap();
    rig.pass(s(1)).await;
    rig.restart().await;
    let accounts = rig.client.accounts().await.unwrap().accounts;
    let mut ids: Vec<_> = accounts.into_iter().map(|account| account.id).collect();
    ids.sort_unstable_by_key(|id| *id != named);
    assert_eq!(ids, [named, nameless]);
    assert_eq!(rig.store.raw_keys().len(), 2);
}

/// `openid` is added to the profile's scopes after the first sign-in.
#[tokio::test(start_paused = true)]
async fn a_profile_that_asks_for_a_name_later_gets_it_with_one_sign_in() {
    let rig = Rig::start();
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    let all = "\"openid\", \"offline_access\", \"read\", \"write\"";
    rig.write_config(&config.replacen(all, "\"offline_access\", \"read\"", 1));
    rig.client.reload().await.unwrap();
    rig.fake.reconfigure(|options| drop(options.token_overrides.insert("id_token".into(), json!(null))));
    rig.sign_in("alice").await;
    assert_eq!(rig.account().await.username, "unknown");

    rig.fake.reconfigure(|options| options.token_overrides.clear());
    rig.write_config(&config);
    rig.client.reload().await.unwrap();
    rig.sign_in("alice").await;
    assert_eq!(rig.account().await.username, "alice@example.com");
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_nothing_this_time_does_not_undo_who_is_known() {
    let mut rig = github();
    let token = rig.sign_in("alice").await;
    let known = rig.account().await;
    let before = record(&rig);
    silence(&rig);
    let renewed = rig.sign_in_with(&rejecting(&token), "alice").await;
    assert_ne!(exposed(&renewed), exposed(&token));
    let account = rig.account().await;
    assert_eq!((account.id, account.username), (known.id.clone(), known.username));
    assert!(rig.log().contains("taken for who was asked to"));

    // All that was known of the user, not only what to call it.
    let after = record(&rig);
    for member in ["id", "subject", "home_id", "local_id", "username"] {
        assert_eq!((member, &after[member]), (member, &before[member]));
    }
    rig.restart().await;
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&renewed));
    assert_eq!(rig.account().await.id, known.id);
}

#[tokio::test(start_paused = true)]
async fn nobody_known_twice_is_one_account() {
    let rig = github();
    silence(&rig);
    let token = rig.sign_in("alice").await;
    let renewed = rig.sign_in_with(&rejecting(&token), "alice").await;
    assert_eq!((renewed.account, rig.store.raw_keys().len()), (token.account, 1));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_asked_for_is_not_answered_by_nobody() {
    let rig = github();
    silence(&rig);
    let mut call = rig.call(&TokenRequest { account: Some("alice".into()), ..interactive() });
    rig.fake.approve(&call.prompt().await.user_code, "alice");
    let failure = call.failure().await;
    assert_eq!(failure.error.as_str(), "account_mismatch");
    assert!(failure.error_description.contains("does not say who"), "{failure:?}");
    assert!(rig.store.raw_keys().is_empty());
}

/// The account is the profile's, whoever signs in: what the one before could be given is not the next one's.
#[tokio::test(start_paused = true)]
async fn a_sign_in_that_names_nobody_leaves_no_token_of_the_one_before() {
    let unnamed = |options: &mut support::fake_as::Options| {
        options.token_overrides.insert("id_token".into(), json!(null));
    };
    let rig = Rig::setup().provider(unnamed).start();
    silence(&rig);
    rig.sign_in("alice").await;
    let hers = rig.token(&scopes(&["write"])).await;
    let mut login = rig.login(&TokenRequest { interaction: None, ..scopes(&["offline_access", "read"]) });
    rig.fake.approve(&login.prompt().await.user_code, "bob");
    login.next().await.unwrap().unwrap();
    assert_eq!(rig.refused(&scopes(&["write"])).await.error.as_str(), "interaction_required");
    assert_ne!(exposed(&rig.token(&scopes(&["read"])).await), exposed(&hers));
}
