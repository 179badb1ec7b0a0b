//! Refresh tokens that end unused (Keycloak's live half an hour by default), kept alive where the profile wants it.

use broker_client::{AccountState, TokenRequest};
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant, Options, Rotation};
use support::rig::{Rig, never, s, scopes};

pub(super) const HALF_AN_HOUR: u64 = 1800;
pub(super) const DAY: u64 = 24 * 3600;

/// A provider whose refresh tokens live for half an hour unused, and which says `member` of that.
pub(super) fn rig(lines: &str, member: Option<(&str, u64)>) -> Rig {
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

pub(super) fn kept() -> Rig {
    rig("keep_alive = true", Some(("refresh_expires_in", HALF_AN_HOUR)))
}

pub(super) fn refreshes(rig: &Rig) -> usize {
    rig.fake.count(Grant::RefreshToken)
}

/// Lets time pass. On a paused clock none passes while a task looks again and again: the real one ends that.
pub(super) async fn pass_without_a_spin(rig: &Rig, seconds: u64) {
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
