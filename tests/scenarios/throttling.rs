//! A provider that is down, or has said no, is left alone; and nobody waits longer for it than he must.

use std::time::Duration;

use broker_client::{ClientError, ErrorBody, TokenRequest};
use support::fake_as::{Endpoint, Fault, Grant, Rotation};
use support::rig::{Rig, exposed, interactive, never, s, scopes};
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

/// Alice is signed in, and her token has expired.
async fn expired() -> Rig {
    expired_at(Rotation::Strict).await
}

async fn expired_at(rotation: Rotation) -> Rig {
    let rig = Rig::setup().provider(|options| options.rotation = rotation).start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.store.clear_operations();
    rig
}

/// The same at a provider that is known not to rotate.
async fn expired_without_rotation() -> Rig {
    let rig = expired_at(Rotation::None).await;
    rig.token(&never()).await;
    rig.expire().await;
    rig
}

fn forced() -> TokenRequest {
    TokenRequest { force_refresh: true, ..never() }
}

fn with_header(code: u16, retry_after: &str) -> Fault {
    Fault::Status {
        code,
        body: String::new(),
        content_type: "text/plain".into(),
        headers: vec![("retry-after".into(), retry_after.into())],
    }
}

/// Clients that ask again and again and must not prompt, for as long as given. Returns what each was told last.
async fn crowd(rig: &Rig, clients: u32, every: Duration, until: Duration) -> Vec<ErrorBody> {
    let end = Instant::now() + until;
    let polling = |number: u32| {
        let client = rig.new_client();
        rig.spawn(async move {
            let mut last = None;
            tokio::time::sleep(every * number / clients).await;
            while Instant::now() < end {
                match client.access_token(&never(), |_| unreachable!("a prompt")).await {
                    Ok(_) => last = None,
                    Err(ClientError::Api(body)) => last = Some(*body),
                    Err(other) => unreachable!("{other:?}"),
                }
                tokio::time::sleep(every).await;
            }
            last
        })
    };
    let clients: Vec<_> = (0..clients).map(polling).collect();
    let mut refused = Vec::new();
    for client in clients {
        refused.extend(client.await.unwrap());
    }
    refused
}

/// How long it takes until a client that asks every second is served.
async fn recovery(rig: &Rig) -> Duration {
    let start = Instant::now();
    while rig.client.access_token(&never(), |_| unreachable!("a prompt")).await.is_err() {
        rig.pass(s(1)).await;
        assert!(start.elapsed() < HOUR, "never");
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clients_cost_an_ill_provider_as_many_requests_as_one() {
    let rig = expired().await;
    rig.fake.always(Endpoint::Token, Fault::status(503));
    let refused = crowd(&rig, 100, s(10), s(100)).await;
    assert_eq!(refused.len(), 100);
    assert!(refused.iter().all(|body| body.error.as_str() == "provider_error"), "{:?}", refused[0]);
    assert!(refused.iter().all(|body| matches!(body.retry_after, Some(1..=300))), "{:?}", refused[0]);
    let sent = rig.fake.count(Grant::RefreshToken);
    assert!((7..=9).contains(&sent), "{sent} requests");
    assert!(rig.writes().len() <= sent, "{} writes", rig.writes().len());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_a_second_at_a_time_is_spared_too() {
    let rig = expired().await;
    rig.fake.always(Endpoint::Token, with_header(503, "1"));
    crowd(&rig, 1, s(60), 24 * HOUR).await;
    let sent = rig.fake.count(Grant::RefreshToken);
    assert!(sent < 400, "{sent} requests");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_metadata_costs_no_more() {
    let mut rig = expired().await;
    rig.restart().await;
    let before = rig.fake.count(Endpoint::Discovery);
    rig.fake.always(Endpoint::Discovery, Fault::status(503));
    crowd(&rig, 1, s(60), 24 * HOUR).await;
    // Two addresses are tried.
    let sent = rig.fake.count(Endpoint::Discovery) - before;
    assert!(sent < 1200, "{sent} requests");
    assert_eq!(rig.writes().len(), 0, "nothing is sent to the token endpoint, so no intent is written");
    rig.fake.clear();
    let recovery = recovery(&rig).await;
    assert!(recovery <= s(301), "{recovery:?}");
}

#[tokio::test(start_paused = true)]
async fn after_hours_without_a_network_the_sign_in_is_back_within_thirty_seconds() {
    let rig = expired().await;
    rig.fake.refuse_connections(true);
    rig.fake.drop_connections();
    let refused = crowd(&rig, 2, s(10), 2 * HOUR).await;
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|body| body.error.as_str() == "provider_unreachable"), "{:?}", refused[0]);
    assert!(refused.iter().all(|body| matches!(body.retry_after, Some(1..=25))), "{:?}", refused[0]);
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0, "nothing reached it");
    let tries = rig.log().matches("provider still unreachable").count();
    assert!((250..400).contains(&tries), "{tries} tries");
    assert_eq!(
        rig.writes().len(),
        1,
        "an intent for the first, which could have arrived, and none for a mere connection"
    );
    rig.fake.refuse_connections(false);
    let recovery = recovery(&rig).await;
    assert!(recovery <= s(26), "{recovery:?}");
}

#[tokio::test(start_paused = true)]
async fn while_a_gate_is_closed_nothing_is_sent_or_written_and_nobody_waits() {
    for (fault, code) in [
        (Fault::status(503), "provider_error"),
        (Fault::status(429), "throttled"),
        (Fault::Html, "provider_error"),
        (Fault::oauth("temporarily_unavailable"), "provider_error"),
        (Fault::CloseConnection, "provider_unreachable"),
        (Fault::Hang, "provider_unreachable"),
    ] {
        let rig = expired().await;
        rig.fake.always(Endpoint::Token, fault.clone());
        let first = rig.refused(&never()).await;
        assert_eq!(first.error.as_str(), code, "{fault:?}");
        assert!(matches!(first.retry_after, Some(1..=6)), "{first:?}");
        let (sent, written) = (rig.fake.log().len(), rig.writes().len());
        let start = Instant::now();
        for request in [never(), scopes(&["read"]), forced(), interactive()] {
            let again = rig.refused(&request).await;
            assert_eq!((again.error, &again.error_description), (first.error, &first.error_description));
            assert_eq!(again.retry_after, first.retry_after, "{fault:?}");
        }
        // A person who would sign in could not be polled for.
        let login = rig.login(&interactive()).failure().await;
        assert_eq!(login.error.as_str(), code);
        assert_eq!((start.elapsed(), rig.fake.log().len(), rig.writes().len()), (s(0), sent, written), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_double_and_any_answer_of_oauth_opens_again() {
    let rig = expired().await;
    rig.fake.always(Grant::RefreshToken, Fault::status(500));
    let mut waits = Vec::new();
    for _ in 0..10 {
        let wait = rig.refused(&never()).await.retry_after.unwrap();
        waits.push(wait);
        rig.pass(s(wait)).await;
    }
    for (wait, middle) in waits.iter().zip([1.0_f64, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 250.0, 250.0]) {
        let wait = Duration::from_secs(*wait).as_secs_f64();
        assert!(wait >= middle * 0.8 && wait < middle * 1.2 + 1.0, "{waits:?}");
    }
    // It says no, but it says it.
    rig.fake.script(Grant::RefreshToken, Fault::oauth("interaction_required"));
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    assert!(rig.refused(&scopes(&["read"])).await.retry_after.unwrap() <= 2, "counted from the beginning");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_believed_on_every_failure_and_for_an_hour_at_most() {
    for (code, header, error, want) in [
        (429, "60", "throttled", 60..=60),
        (503, "60", "provider_error", 60..=60),
        (500, "60", "provider_error", 60..=60),
        (403, "60", "throttled", 60..=60),
        (429, "Fri, 15 Jan 2027 09:01:41 GMT", "throttled", 95..=100),
        (429, "999999999999999999999", "throttled", 3600..=3600),
        (429, "0", "throttled", 4..=6),
        (429, "-5", "throttled", 4..=6),
        (429, "Fri, 15 Jan 2027 08:00:00 GMT", "throttled", 4..=6),
        (503, "0", "provider_error", 1..=2),
    ] {
        let rig = expired().await;
        rig.fake.always(Grant::RefreshToken, with_header(code, header));
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), error, "{code} {header}");
        let wait = refused.retry_after.unwrap();
        assert!(want.contains(&wait), "{code} {header}: {wait}");
        let sent = rig.fake.count(Grant::RefreshToken);
        // The last second may not be a whole one.
        rig.pass(s(wait.saturating_sub(2))).await;
        assert_eq!(rig.refused(&never()).await.error.as_str(), error);
        assert_eq!(rig.fake.count(Grant::RefreshToken), sent, "{code} {header}");
    }
}

#[tokio::test(start_paused = true)]
async fn polls_and_refreshes_of_all_profiles_behind_an_endpoint_share_its_gate() {
    let profile = |name: &str| {
        format!(
            "[profiles.{name}]\nissuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\nscopes = [\"offline_access\", \"read\"]\n"
        )
    };
    let config = format!("{}{}", profile("work"), profile("second"));
    let rig = Rig::setup().config(Some(&config)).start();
    let on = |profile: &str, request: TokenRequest| TokenRequest { profile: Some(profile.into()), ..request };
    for profile in ["work", "second"] {
        rig.sign_in_with(&on(profile, interactive()), "alice").await;
    }
    rig.expire().await;
    let mut login = rig.login(&on("work", interactive()));
    login.prompt().await;
    rig.fake.script(Grant::DeviceCode, Fault::throttled(600));
    let polls = rig.fake.count(Grant::DeviceCode);
    rig.fake.wait_for_count(Grant::DeviceCode, polls + 1).await;
    rig.pass(s(1)).await;
    for profile in ["work", "second"] {
        let refused = rig.refused(&on(profile, never())).await;
        assert_eq!(refused.error.as_str(), "throttled");
        assert!(matches!(refused.retry_after, Some(595..=600)), "{refused:?}");
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);

    // The other way round: what a refresh was told holds the poll.
    rig.pass(s(600)).await;
    rig.fake.script(Grant::RefreshToken, Fault::throttled(200));
    assert_eq!(rig.refused(&on("second", never())).await.error.as_str(), "throttled");
    let polls = rig.fake.count(Grant::DeviceCode);
    rig.pass(s(190)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), polls);
}

/// What a hiccup may be: the request did not arrive, or the server says that it failed.
#[tokio::test(start_paused = true)]
async fn a_hiccup_costs_no_caller_an_error() {
    for fault in [Fault::status(500), Fault::status(502), Fault::status(503)] {
        let rig = expired().await;
        rig.fake.script(Grant::RefreshToken, fault.clone());
        let start = Instant::now();
        let callers: Vec<_> = (0..5).map(|_| rig.background(&never())).collect();
        rig.token(&never()).await;
        assert_eq!((start.elapsed(), rig.fake.count(Grant::RefreshToken)), (s(1), 2), "{fault:?}");
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        assert_eq!((rig.fake.count(Grant::RefreshToken), rig.writes().len()), (2, 2), "one intent, one successor");
        assert_eq!(rig.fake.reuse_detected(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_a_hiccup_too() {
    let rig = expired().await;
    rig.fake.drop_connections();
    rig.fake.refuse_connections(true);
    let caller = rig.background(&never());
    rig.pass(Duration::from_millis(500)).await;
    rig.fake.refuse_connections(false);
    caller.await.unwrap().unwrap();
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn the_second_try_is_made_whoever_leaves_meanwhile() {
    let rig = expired().await;
    rig.fake.script(Grant::RefreshToken, Fault::status(503));
    let caller = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    rig.pass(Duration::from_millis(500)).await;
    caller.abort();
    rig.fake.wait_for_count(Grant::RefreshToken, 2).await;
    rig.pass(s(1)).await;
    assert!(!rig.record().contains("\"intent\""), "and its successor is saved");
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_may_be_spent_is_not_sent_again_at_once() {
    for fault in [Fault::CloseConnection, Fault::Hang, Fault::LoseAnswer, Fault::status(504), with_header(503, "2")] {
        let rig = expired().await;
        rig.fake.script(Grant::RefreshToken, fault.clone());
        let caller = rig.background(&never());
        rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
        let refused = caller.await.unwrap();
        assert!(refused.is_err(), "{fault:?}");
        rig.pass(s(60)).await;
        assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (1, 0), "{fault:?}");
        assert!(rig.record().contains("\"intent\""), "it is known that it may be: {fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_rotates_a_cut_connection_is_a_hiccup_and_a_timeout_is_not() {
    for (fault, sent) in
        [(Fault::CloseConnection, 2), (Fault::LoseAnswer, 2), (Fault::status(504), 2), (Fault::Hang, 1)]
    {
        let rig = expired_without_rotation().await;
        let before = rig.fake.count(Grant::RefreshToken);
        rig.fake.script(Grant::RefreshToken, fault.clone());
        let outcome = rig.background(&never()).await.unwrap();
        assert_eq!(outcome.is_ok(), sent == 2, "{fault:?}");
        assert_eq!(rig.fake.count(Grant::RefreshToken) - before, sent, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_outage_is_asked_once_at_a_time() {
    let rig = expired().await;
    rig.fake.always(Grant::RefreshToken, Fault::status(503));
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2);
    rig.pass(s(2)).await;
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 3, "no second try of what is known");
}

#[tokio::test(start_paused = true)]
async fn a_stale_token_is_served_from_memory_all_through_an_outage() {
    let rig = Rig::setup().provider(|options| options.access_token_lifetime = s(10 * 3600)).start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(8 * 3600 + 60)).await;
    rig.fake.always(Grant::RefreshToken, Fault::Hang);
    for _ in 0..720 {
        let start = Instant::now();
        assert_eq!(exposed(&rig.token(&never()).await), exposed(&token));
        assert_eq!(start.elapsed(), s(0));
        rig.pass(s(5)).await;
    }
    // Half a minute's hang, then a pause of up to five.
    let sent = rig.fake.count(Grant::RefreshToken);
    assert!((12..25).contains(&sent), "{sent}");
    rig.fake.clear();
    rig.pass(s(330)).await;
    rig.token(&never()).await;
    rig.pass(s(1)).await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&token), "and the outage's end is not slept through");
}

#[tokio::test(start_paused = true)]
async fn the_doctor_looks_past_closed_gates() {
    let rig = expired().await;
    rig.fake.script(Grant::RefreshToken, Fault::throttled(600));
    rig.refused(&never()).await;
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::throttled(600));
    let findings = rig.client.doctor().await.unwrap();
    assert!(
        findings.findings.iter().filter(|finding| finding.subject == "work").all(|finding| finding.ok),
        "{findings:?}"
    );
    assert_eq!(rig.refused(&never()).await.error.as_str(), "throttled", "and opens none");
}
