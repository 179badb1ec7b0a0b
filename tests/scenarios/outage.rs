//! The provider is away, or somebody else answers in its place: no sign-in ends by that.

use broker_client::TokenRequest;
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, exposed, never, s, scopes};
use tokio::time::Instant;

fn not_oauth() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::Html, "provider_error"),
        (Fault::status(500), "provider_error"),
        (Fault::status(502), "provider_error"),
        (Fault::status(503), "provider_error"),
        (Fault::status(404), "provider_error"),
        (Fault::status(403), "provider_error"),
        (Fault::status(400), "provider_error"),
        (Fault::status(429), "throttled"),
        (Fault::oauth("temporarily_unavailable"), "provider_error"),
        (Fault::oauth("server_error"), "provider_error"),
        (Fault::CloseConnection, "provider_unreachable"),
        (Fault::Hang, "provider_unreachable"),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_answer_that_is_not_oauths_ends_a_sign_in() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    for (fault, code) in not_oauth() {
        rig.expire().await;
        rig.fake.always(Grant::RefreshToken, fault.clone());
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), code, "{fault:?}");
        assert_eq!(refused.error.exit_code(), 8, "{fault:?}");
        rig.fake.clear();
        rig.pass(s(6)).await;
        rig.token(&never()).await;
    }
    assert_eq!(rig.fake.reuse_detected(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_provider_is_unreachable_after_thirty_seconds() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let start = Instant::now();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_unreachable");
    assert_eq!(start.elapsed(), s(30));
}

#[tokio::test(start_paused = true)]
async fn a_token_inside_the_margin_is_served_while_the_provider_is_away() {
    let rig = Rig::start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(3301)).await;
    for (fault, _) in not_oauth().into_iter().filter(|(fault, _)| !matches!(fault, Fault::Hang)) {
        let sent = rig.fake.count(Grant::RefreshToken);
        rig.fake.always(Grant::RefreshToken, fault.clone());
        let served = rig.token(&never()).await;
        assert_eq!(exposed(&served), exposed(&token), "{fault:?}");
        assert!(rig.fake.count(Grant::RefreshToken) > sent, "{fault:?}");
        rig.fake.clear();
        // A token of another scope has the gate opened again, so that each fault is the first.
        rig.pass(s(6)).await;
        rig.token(&TokenRequest { force_refresh: true, ..scopes(&["read"]) }).await;
    }
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&token), "it is back");
}

#[tokio::test(start_paused = true)]
async fn a_token_inside_the_margin_is_not_served_to_those_who_asked_for_more() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.pass(s(3400)).await;
    rig.fake.always(Grant::RefreshToken, Fault::status(503));
    for request in
        [TokenRequest { min_validity: Some(250), ..never() }, TokenRequest { force_refresh: true, ..never() }]
    {
        assert_eq!(rig.refused(&request).await.error.as_str(), "provider_error");
    }
    rig.token(&TokenRequest { min_validity: Some(100), ..never() }).await;
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_binds_everybody_behind_the_same_endpoint() {
    let rig = Rig::start();
    let alice = rig.sign_in("alice").await.account.id;
    let mut login = rig.login(&support::rig::interactive());
    rig.fake.approve(&login.prompt().await.user_code, "bob");
    login.next().await.unwrap().unwrap();
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::throttled(60));

    let as_alice = TokenRequest { account: Some(alice), ..never() };
    let as_bob = TokenRequest { account: Some("bob@example.com".into()), ..never() };
    let refused = rig.refused(&as_alice).await;
    assert_eq!((refused.error.as_str(), refused.retry_after), ("throttled", Some(60)));
    rig.pass(s(20)).await;
    let refused = rig.refused(&as_bob).await;
    assert_eq!(refused.error.as_str(), "throttled");
    assert!(refused.retry_after.is_some_and(|left| (39..=41).contains(&left)), "{refused:?}");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1, "nothing is sent meanwhile");

    rig.pass(s(41)).await;
    rig.token(&as_bob).await;
    rig.token(&as_alice).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_metadata_does_not_matter_once_they_are_known() {
    let rig = Rig::start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(25 * 3600)).await;
    for fault in [Fault::status(404), Fault::Html, Fault::status(503)] {
        rig.fake.always(Endpoint::Discovery, fault.clone());
        let refreshed = rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
        assert_ne!(exposed(&refreshed), exposed(&token), "{fault:?}");
        rig.pass(s(600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_hang_hold_up_one_refresh_for_a_moment_once_they_are_known() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.pass(s(25 * 3600)).await;
    rig.fake.always(Endpoint::Discovery, Fault::Hang);
    let refresh = TokenRequest { force_refresh: true, ..never() };
    let begun = Instant::now();
    rig.token(&refresh).await;
    assert!(begun.elapsed() < s(8), "{:?}", begun.elapsed());
    let begun = Instant::now();
    rig.token(&refresh).await;
    assert!(begun.elapsed() < s(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_metadata_at_start_ends_nothing() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.restart().await;
    for fault in [Fault::Html, Fault::status(503), Fault::CloseConnection] {
        rig.fake.clear();
        rig.fake.always(Endpoint::Discovery, fault.clone());
        assert_eq!(rig.refused(&never()).await.error.exit_code(), 8, "{fault:?}");
        rig.pass(s(30)).await;
    }
    rig.fake.clear();
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn an_administrators_revocation_is_an_end_and_the_dead_token_is_not_sent_again() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.fake.revoke_user("alice");
    rig.expire().await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    let sent = rig.fake.count(Grant::RefreshToken);
    rig.refused(&never()).await;
    rig.restart().await;
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent);

    // Signing in again makes it whole, with the account it was.
    let again = rig.sign_in("alice").await;
    assert_eq!(rig.account().await.id, again.account.id);
}

/// The server and what is between have forgotten it.
#[tokio::test(start_paused = true)]
async fn a_connection_from_before_the_machine_slept_is_not_used() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refresh = TokenRequest { force_refresh: true, ..never() };
    rig.token(&refresh).await;
    let before = rig.fake.connections();
    rig.token(&refresh).await;
    assert_eq!(rig.fake.connections(), before, "it is kept");
    rig.set_wall_clock(600);
    rig.token(&refresh).await;
    assert_eq!(rig.fake.connections(), before + 1);
    rig.set_wall_clock(-600);
    rig.token(&refresh).await;
    assert_eq!(rig.fake.connections(), before + 1, "a clock that is set back did not sleep");
}
