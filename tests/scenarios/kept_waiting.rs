//! Keeping a refresh token alive while that cannot be done: it waits until it can, and never spins.

use broker_client::TokenRequest;
use secrecy::SecretString;
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, never, s};

use crate::keep_alive::{DAY, HALF_AN_HOUR, kept, pass_without_a_spin, refreshes, rig};

/// Nothing is sent while a refusal is remembered, and nobody looks every instant whether it still is.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_remembered_is_waited_out() {
    let rig = kept();
    rig.sign_in("alice").await;
    rig.fake.always(Grant::RefreshToken, Fault::oauth("something_new"));
    rig.pass(s(1200)).await;
    assert_eq!(refreshes(&rig), 0, "not due");
    pass_without_a_spin(&rig, 3600).await;
    let sent = refreshes(&rig);
    assert!((10..130).contains(&sent), "{sent} in an hour");
}

/// Nor does "come back in 0 s" make it one that passes at once, whoever says it.
#[tokio::test(start_paused = true)]
async fn what_is_to_be_asked_again_at_once_is_not() {
    for (code, body) in [(400, r#"{"error":"something_new"}"#), (413, "too large")] {
        for after in [0, 1] {
            let rig = kept();
            rig.sign_in("alice").await;
            rig.fake.always(Grant::RefreshToken, Fault::come_back(code, body, after));
            rig.pass(s(1200)).await;
            pass_without_a_spin(&rig, 3600).await;
            let sent = refreshes(&rig);
            assert!((10..800).contains(&sent), "{code}, in {after} s: {sent} in an hour");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_a_caller_met_is_waited_out_and_then_met_once_more() {
    let rig = kept();
    rig.sign_in("alice").await;
    // A moment before it is due, between 20.6 and 22.5 minutes.
    rig.pass(s(1235)).await;
    rig.fake.always(Grant::RefreshToken, Fault::oauth("interaction_required"));
    rig.refused(&TokenRequest { force_refresh: true, ..never() }).await;
    pass_without_a_spin(&rig, 119).await;
    assert_eq!(refreshes(&rig), 1, "what is remembered is not asked again");
    pass_without_a_spin(&rig, 3600).await;
    assert_eq!(refreshes(&rig), 2, "once for itself, and then it is given up");
}

/// Starts the daemon again with its keyring locked. Returns how often the store had been asked after a minute.
async fn start_locked(rig: &mut Rig) -> usize {
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_locked(true);
    rig.run();
    rig.pass(s(60)).await;
    rig.store.operations().len()
}

#[tokio::test(start_paused = true)]
async fn it_begins_when_a_locked_keyring_opens() {
    let mut rig = kept();
    let tries = start_locked(&mut rig).await;
    rig.pass(s(600)).await;
    let more = rig.store.operations().len() - tries;
    assert!((2..12).contains(&more), "{more} tries in ten minutes: a pause that grows");
    rig.store.set_locked(false);
    rig.pass(s(DAY)).await;
    assert!(refreshes(&rig) > 60);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_locked_keyring_is_left_alone_where_nothing_is_kept_alive() {
    let mut rig = rig("", Some(("refresh_expires_in", HALF_AN_HOUR)));
    let tries = start_locked(&mut rig).await;
    rig.pass(s(DAY)).await;
    assert_eq!(rig.store.operations().len(), tries);
}

const SECRET: &str = "client-secret-0f8c2b71";

/// Alice is signed in by a client whose secret is in the keyring.
async fn confidential() -> Rig {
    let profile = "[profiles.work]\nissuer = \"http://127.0.0.1:7001\"\nclient_id = \"confidential\"\n\
                   scopes = [\"openid\", \"offline_access\", \"read\"]\nclient_secret = \"keyring\"\nkeep_alive = true\n";
    let setup = Rig::setup().config(Some(profile)).provider(|options| {
        options.refresh_token_lifetime = s(HALF_AN_HOUR);
        options.token_overrides.insert("refresh_expires_in".into(), json!(HALF_AN_HOUR));
    });
    let rig = setup.start();
    set_secret(&rig, SECRET).await;
    rig.sign_in("alice").await;
    rig
}

async fn set_secret(rig: &Rig, secret: &str) {
    rig.client.set_client_secret("work", &SecretString::from(secret)).await.unwrap();
}

/// Nobody has refused anything, and nobody says when it is mended.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_is_tried_again_until_it_can() {
    let rig = confidential().await;
    let key = "client-secret:work";
    let kept = rig.store.raw(key).unwrap();
    rig.client.remove_client_secret("work").await.unwrap();
    rig.store.clear_operations();
    pass_without_a_spin(&rig, 1500).await;
    assert_eq!(refreshes(&rig), 0);
    let reads = rig.store.operations().len();
    assert!((1..=3).contains(&reads), "{reads} looks for the secret in the minutes since it was due");
    rig.store.set_raw(key, &kept);
    pass_without_a_spin(&rig, DAY).await;
    assert!(refreshes(&rig) > 60);
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn another_client_secret_begins_it_anew() {
    let rig = confidential().await;
    set_secret(&rig, "client-secret-wrong").await;
    pass_without_a_spin(&rig, 1500).await;
    assert_eq!(refreshes(&rig), 1, "refused, and not asked again");
    set_secret(&rig, SECRET).await;
    rig.pass(s(1)).await;
    assert_eq!(refreshes(&rig), 2);
    rig.pass(s(DAY)).await;
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

/// A sign-out that the store refused has cut off a refresh that hung: the next waits until the provider is done with that.
#[tokio::test(start_paused = true)]
async fn it_waits_for_the_end_of_a_refresh_that_was_cut_off() {
    let rig = kept();
    let id = rig.sign_in("alice").await.account.id;
    for readable in [true, false] {
        let before = refreshes(&rig);
        rig.fake.script(Grant::RefreshToken, Fault::Hang);
        rig.fake.wait_for_count(Grant::RefreshToken, before + 1).await;
        if readable {
            rig.store.fail_next_deletes(1);
        } else {
            rig.store.set_failing(true);
        }
        rig.client.sign_out(&id).await.unwrap_err();
        rig.store.set_failing(false);
        pass_without_a_spin(&rig, 20).await;
        assert_eq!(refreshes(&rig), before + 1);
        pass_without_a_spin(&rig, 600).await;
        assert_eq!(refreshes(&rig), before + 2);
    }
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}
