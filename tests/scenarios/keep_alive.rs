//! Refresh tokens that end unused (Keycloak's live half an hour by default), kept alive where the profile wants it.

use broker_client::{AccountState, TokenRequest};
use secrecy::SecretString;
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant, Options, Rotation};
use support::rig::{Rig, never, s, scopes};

const HALF_AN_HOUR: u64 = 1800;
const DAY: u64 = 24 * 3600;

/// A provider whose refresh tokens live for half an hour unused, and which says `member` of that.
fn rig(lines: &str, member: Option<(&str, u64)>) -> Rig {
    Rig::setup()
        .provider(|options| {
            options.refresh_token_lifetime = s(HALF_AN_HOUR);
            if let Some((name, value)) = member {
                options.token_overrides.insert(name.into(), json!(value));
            }
        })
        .profile(lines)
        .start()
}

fn kept() -> Rig {
    rig("keep_alive = true", Some(("refresh_expires_in", HALF_AN_HOUR)))
}

fn refreshes(rig: &Rig) -> usize {
    rig.fake.count(Grant::RefreshToken)
}

/// Lets time pass. On a paused clock none passes while a task looks again and again: the real one ends that.
async fn pass_without_a_spin(rig: &Rig, seconds: u64) {
    let (_passed, waits) = std::sync::mpsc::channel::<()>();
    let (tell, spins) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        if waits.recv_timeout(s(10)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tell.send(()).ok();
        }
    });
    tokio::select! {
        () = rig.pass(s(seconds)) => {}
        Ok(()) = spins => panic!("no time passes: a task spins"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_refresh_token_is_used_in_time_while_nobody_asks() {
    for name in ["refresh_expires_in", "refresh_token_expires_in"] {
        let rig = rig("keep_alive = true", Some((name, HALF_AN_HOUR)));
        rig.sign_in("alice").await;
        rig.pass(s(2 * DAY)).await;
        let sent = refreshes(&rig);
        // After 20.6 to 22.5 minutes each.
        assert!((128..=140).contains(&sent), "{sent} in two days");
        rig.token(&never()).await;
        assert_eq!(rig.account().await.state, AccountState::SignedIn);
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_for_less_than_the_profile_asks_for_is_kept_as_well() {
    let rig = kept();
    rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(&["read"]) }, "alice").await;
    rig.pass(s(2 * DAY)).await;
    rig.token(&scopes(&["read"])).await;
    assert!(rig.account().await.last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_without_the_key_or_without_a_known_end() {
    for (lines, member) in [
        ("", Some(("refresh_expires_in", HALF_AN_HOUR))),
        ("keep_alive = false", Some(("refresh_expires_in", HALF_AN_HOUR))),
        ("keep_alive = true", None),
        ("keep_alive = true", Some(("refresh_expires_in", 0))),
    ] {
        let rig = rig(lines, member);
        rig.sign_in("alice").await;
        let seen = rig.fake.log().len();
        rig.pass(s(2 * DAY)).await;
        assert_eq!(rig.fake.log().len(), seen, "{lines} {member:?}");
        assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    }
}

#[tokio::test(start_paused = true)]
async fn callers_count_as_use() {
    let rig = kept();
    rig.sign_in("alice").await;
    for _ in 0..20 {
        rig.pass(s(600)).await;
        rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    }
    assert_eq!(refreshes(&rig), 20);
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_forget_until_when() {
    let mut rig = kept();
    rig.sign_in("alice").await;
    rig.pass(s(900)).await;
    rig.restart().await;
    rig.pass(s(120)).await;
    assert_eq!(refreshes(&rig), 0, "not yet");
    rig.pass(s(400)).await;
    assert_eq!(refreshes(&rig), 1);
    rig.stop().await;
    rig.pass(s(1500)).await;
    rig.run();
    rig.pass(s(1)).await;
    assert_eq!(refreshes(&rig), 2, "it was due, at once");
    rig.pass(s(DAY)).await;
    rig.token(&never()).await;
}

/// A provider that does not rotate has nothing else to write.
#[tokio::test(start_paused = true)]
async fn a_restart_does_not_forget_it_either_where_the_token_stays_the_same() {
    let mut rig = kept();
    rig.fake.reconfigure(|options| options.rotation = Rotation::None);
    rig.sign_in("alice").await;
    rig.pass(s(3 * HALF_AN_HOUR)).await;
    let sent = refreshes(&rig);
    rig.stop().await;
    rig.pass(s(60)).await;
    rig.run();
    rig.pass(s(60)).await;
    assert_eq!(refreshes(&rig), sent, "the end that is known is the last one");
    rig.pass(s(DAY)).await;
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_machine_looks_at_the_wall_clock_when_it_wakes() {
    let rig = kept();
    rig.sign_in("alice").await;
    rig.pass(s(60)).await;
    rig.set_wall_clock(1400);
    rig.pass(s(5 * 60)).await;
    assert_eq!(refreshes(&rig), 1);
    // Set back by a day, it does not wait for a day.
    rig.set_wall_clock(-i64::try_from(DAY).unwrap());
    rig.pass(s(5 * 60)).await;
    assert_eq!(refreshes(&rig), 2);
    rig.pass(s(5 * 60)).await;
    assert_eq!(refreshes(&rig), 2, "and then goes by the clock as it is");
}

#[tokio::test(start_paused = true)]
async fn a_known_end_in_the_past_ends_nothing() {
    let mut rig = rig("keep_alive = true", Some(("refresh_expires_in", 60)));
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.pass(s(600)).await;
    rig.run();
    rig.pass(s(1)).await;
    assert_eq!((refreshes(&rig), rig.account().await.state), (1, AccountState::SignedIn));
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_day_costs_a_few_hundred_requests_and_ends() {
    let rig = Rig::setup()
        .provider(|options| {
            options.token_overrides.insert("refresh_expires_in".into(), json!(HALF_AN_HOUR));
        })
        .profile("keep_alive = true")
        .start();
    rig.sign_in("alice").await;
    rig.fake.always(Grant::RefreshToken, Fault::status(503));
    rig.pass(s(DAY)).await;
    let sent = refreshes(&rig);
    assert!((100..400).contains(&sent), "{sent}");
    rig.fake.clear();
    rig.pass(s(3600)).await;
    assert_eq!(rig.account().await.last_error.map(|error| error.at), None);
    assert!(refreshes(&rig) <= sent + 4);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_and_a_life_that_does_not_get_longer_are_not_tried_in_a_loop() {
    let rig = kept();
    rig.sign_in("alice").await;
    rig.fake.always(Grant::RefreshToken, Fault::oauth("interaction_required"));
    pass_without_a_spin(&rig, DAY).await;
    assert_eq!(refreshes(&rig), 1);

    // The end was named at the sign-in only.
    let rig = kept();
    rig.fake.reconfigure(|options| {
        options.rotation = Rotation::None;
        options.refresh_token_lifetime = s(2 * DAY);
    });
    rig.sign_in("alice").await;
    rig.fake.reconfigure(|options| options.token_overrides.clear());
    pass_without_a_spin(&rig, DAY).await;
    assert_eq!(refreshes(&rig), 1);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_is_left_alone_and_a_new_sign_in_is_kept_alive() {
    let rig = kept();
    rig.sign_in("alice").await;
    rig.fake.revoke_user("alice");
    rig.pass(s(DAY)).await;
    assert_eq!(rig.account().await.state, AccountState::SignInRequired);
    assert_eq!(rig.account().await.refresh_token_expires_at, None);
    let sent = refreshes(&rig);
    assert!(sent <= 2, "{sent}");
    rig.sign_in("alice").await;
    rig.pass(s(DAY)).await;
    assert!(refreshes(&rig) > sent + 60);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn when_it_ends_is_shown_with_and_without_the_key() {
    for lines in ["keep_alive = true", ""] {
        let mut rig = rig(lines, Some(("refresh_expires_in", HALF_AN_HOUR)));
        rig.sign_in("alice").await;
        let end = rig.account().await.refresh_token_expires_at.unwrap();
        // Signing in took five seconds.
        assert_eq!(end, "2027-01-15T08:30:05Z");
        rig.restart().await;
        rig.pass(s(1)).await;
        assert_eq!(rig.account().await.refresh_token_expires_at, Some(end));
    }
    let rig = rig("", None);
    rig.sign_in("alice").await;
    assert_eq!(rig.account().await.refresh_token_expires_at, None);
}

/// Each row: what the profile says, and whether the sign-in is still there after a day in which nobody asked.
#[tokio::test(start_paused = true)]
async fn a_keycloak_session_is_kept_alive_where_the_profile_wants_it_and_an_offline_one_needs_nothing() {
    for (lines, lives, kept_alive) in [
        ("scopes = [\"read\"]\nkeep_alive = true", true, true),
        ("scopes = [\"read\"]", false, false),
        ("scopes = [\"read\", \"offline_access\"]", true, false),
        ("scopes = [\"read\", \"offline_access\"]\nkeep_alive = true", true, false),
    ] {
        let profile = format!(
            "[profiles.work]\nprovider = \"keycloak\"\nissuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\n{lines}\n"
        );
        let rig = Rig::setup().provider(Options::keycloak).config(Some(&profile)).start();
        rig.sign_in("alice").await;
        rig.pass(s(DAY)).await;
        assert_eq!(refreshes(&rig) > 0, kept_alive, "{lines}");
        if lives {
            rig.token(&never()).await;
        } else {
            assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required", "{lines}");
        }
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "{lines}");
    }
}

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

#[tokio::test(start_paused = true)]
async fn it_begins_when_a_locked_keyring_opens() {
    let mut rig = kept();
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_locked(true);
    rig.run();
    rig.pass(s(60)).await;
    let tries = rig.store.operations().len();
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
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_locked(true);
    rig.run();
    rig.pass(s(60)).await;
    let tries = rig.store.operations().len();
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
