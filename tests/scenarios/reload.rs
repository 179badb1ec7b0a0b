//! The configuration read again, and one that is not right.

use broker_client::{AccountState, TokenRequest};
use support::fake_as::{Client, Fault, Grant};
use support::rig::{Rig, exposed, interactive, never, s};

fn other() -> TokenRequest {
    TokenRequest { profile: Some("other".into()), ..never() }
}

async fn both_signed_in() -> (Rig, String) {
    let rig = Rig::setup().provider(|options| options.clients.push(Client::public("new"))).start();
    rig.sign_in("alice").await;
    rig.sign_in_with(&TokenRequest { interaction: None, ..other() }, "bob").await;
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    (rig, config)
}

#[tokio::test(start_paused = true)]
async fn a_changed_profile_drops_its_own_tokens_only() {
    let (rig, config) = both_signed_in().await;
    let (work, kept) = (rig.token(&never()).await, rig.token(&other()).await);
    rig.write_config(&config.replace(
        r#""read", "write"]"#,
        r#""read", "write"]
audience = "urn:api""#,
    ));
    let reloaded = rig.client.reload().await.unwrap();
    assert_eq!((reloaded.changed, reloaded.profiles), (vec!["work".to_owned()], vec!["other".into(), "work".into()]));

    let new = rig.token(&never()).await;
    assert_ne!(exposed(&new), exposed(&work));
    assert_eq!(rig.fake.access_token(exposed(&new)).unwrap().audience, ["urn:api"]);
    assert_eq!(exposed(&rig.token(&other()).await), exposed(&kept));
    assert_eq!(rig.other.count(Grant::RefreshToken), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_changed_changes_nothing() {
    let (rig, config) = both_signed_in().await;
    rig.write_config(&format!("# a comment\n{config}"));
    assert!(rig.client.reload().await.unwrap().changed.is_empty());
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
}

#[tokio::test(start_paused = true)]
async fn another_client_id_needs_another_sign_in_and_the_old_grant_is_not_sent() {
    let (rig, config) = both_signed_in().await;
    rig.write_config(&config.replacen("\"cli\"", "\"new\"", 1));
    rig.client.reload().await.unwrap();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
    let token = rig.sign_in("alice").await;
    assert_eq!(rig.fake.access_token(exposed(&token)).unwrap().client_id, "new");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_old_profile_in_the_air_is_not_served_under_the_new_one() {
    let (rig, config) = both_signed_in().await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    rig.write_config(&config.replacen("\"cli\"", "\"new\"", 1));
    rig.client.reload().await.unwrap();
    let late = rig.background(&never());
    rig.pass(s(1)).await;
    gate.open();
    caller.await.unwrap().unwrap();
    assert_eq!(late.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
}

/// Nobody joins it any more, and whoever has is told why it ends.
#[tokio::test(start_paused = true)]
async fn a_refresh_of_the_old_profile_that_a_sign_out_cuts_off_tells_who_waits() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let caller = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replacen(r#""read", "write"]"#, "\"read\", \"write\"]\naudience = \"urn:api\"", 1));
    assert_eq!(rig.client.reload().await.unwrap().changed, ["work"]);
    rig.client.sign_out(&id).await.unwrap();
    let told = caller.await.unwrap().unwrap_err().to_body();
    assert_eq!(told.error.as_str(), "interaction_required");
    assert!(told.error_description.contains("signed out"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_at_a_changed_profile_is_cancelled() {
    let (rig, config) = both_signed_in().await;
    let mut call = rig.call(&TokenRequest { account: Some("carol".into()), ..interactive() });
    call.prompt().await;
    rig.write_config(&config.replacen("\"cli\"", "\"new\"", 1));
    rig.client.reload().await.unwrap();
    assert_eq!(call.failure().await.error.as_str(), "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_is_gone_keeps_its_accounts_until_it_is_back() {
    let (rig, config) = both_signed_in().await;
    let (rest, _) = config.split_once("[profiles.other]").unwrap();
    rig.write_config(rest);
    rig.client.reload().await.unwrap();
    assert_eq!(rig.refused(&other()).await.error.as_str(), "unknown_profile");
    let accounts = rig.client.accounts().await.unwrap().accounts;
    let state = |profile: &str| accounts.iter().find(|account| account.profile == profile).unwrap().state;
    assert_eq!((state("other"), state("work")), (AccountState::NoProfile, AccountState::SignedIn));
    rig.write_config(&config);
    rig.client.reload().await.unwrap();
    rig.token(&other()).await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_leaves_the_old_one_in_force_and_says_why() {
    let (rig, config) = both_signed_in().await;
    rig.write_config(&config.replacen("client_id", "clientid", 1));
    let error = rig.client.reload().await.unwrap_err().to_body();
    assert_eq!(error.error.as_str(), "configuration");
    assert!(error.error_description.contains("clientid") && error.error_description.contains("line"), "{error:?}");
    assert!(rig.client.status().await.unwrap().configuration.error.is_some());
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
    rig.write_config(&config);
    rig.client.reload().await.unwrap();
    assert!(rig.client.status().await.unwrap().configuration.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn without_a_configuration_it_starts_says_so_and_takes_one_later() {
    let good = Rig::start();
    let config = std::fs::read_to_string(good.config_file()).unwrap();
    let rig = Rig::setup().config(None).start();
    let refused = rig.refused(&interactive()).await;
    assert_eq!((refused.error.as_str(), refused.error.exit_code()), ("configuration", 6));
    assert!(refused.error_description.contains("no configuration file") && refused.hint.is_some(), "{refused:?}");
    rig.write_config(&config.replace("[store]\nkind = \"memory\"\n", ""));
    rig.client.reload().await.unwrap();
    rig.sign_in("alice").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_late_with_a_store_of_its_own_asks_for_a_restart() {
    let mut rig = Rig::start();
    let good = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.sign_in("alice").await;
    rig.write_config("profiles = 7");
    rig.restart().await;
    // The rig's own store is not the one that brokerd takes without a configuration.
    rig.write_config(&good);
    let error = rig.client.reload().await.unwrap_err().to_body();
    assert_eq!((error.error.as_str(), error.hint.as_deref()), ("configuration", Some("restart brokerd")));
    let refused = rig.refused(&never()).await;
    assert_eq!((refused.error.as_str(), refused.hint.as_deref()), ("configuration", Some("restart brokerd")));
    rig.restart().await;
    rig.token(&never()).await;
}
