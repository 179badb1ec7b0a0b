//! What closes a provider's gate for everybody, and what is one request's, or one way's, own trouble.

use std::time::Duration;

use broker_client::TokenRequest;
use serde_json::json;
use support::fake_as::{Fault, Grant, Rotation};
use support::rig::{Rig, interactive, never, s};
use tempfile::{NamedTempFile, TempPath};

const PAGE: &str = "\n<html>blocked</html>";

/// Alice is signed in at a provider that does not rotate, and her token has expired.
async fn expired() -> Rig {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig
}

fn forced() -> TokenRequest {
    TokenRequest { force_refresh: true, ..never() }
}

fn answer(code: u16, content_type: &str, body: &str, retry_after: &str) -> Fault {
    Fault::Status {
        code,
        body: body.into(),
        content_type: content_type.into(),
        headers: vec![("retry-after".into(), retry_after.into())],
    }
}

/// The profile `work` trusts a file of CAs, and `direct` reaches the same provider without.
fn two_ways(ca_file: &TempPath) -> Rig {
    let profile = "issuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\nscopes = [\"openid\", \"offline_access\"]";
    let config = format!(
        "default_profile = \"work\"\n[store]\nkind = \"memory\"\n[profiles.direct]\n{profile}\n\
         [profiles.work]\n{profile}\nca_file = {:?}\n",
        ca_file.display().to_string()
    );
    Rig::setup().config(Some(&config)).start()
}

fn direct() -> TokenRequest {
    TokenRequest { profile: Some("direct".into()), ..interactive() }
}

#[tokio::test(start_paused = true)]
async fn a_ca_file_that_is_gone_is_no_matter_of_those_who_do_without() {
    let ca_file = NamedTempFile::new().unwrap().into_temp_path();
    let rig = two_ways(&ca_file);
    std::fs::remove_file(&ca_file).unwrap();
    let failure = rig.call(&interactive()).failure().await;
    assert!(failure.error_description.contains("ca_file"), "{failure:?}");
    rig.sign_in_with(&direct(), "alice").await;
    let failure = rig.call(&interactive()).failure().await;
    assert!(failure.error_description.contains("ca_file"), "{failure:?}");
}

/// Nothing can be sent, so nothing is written either, however many ask.
#[tokio::test(start_paused = true)]
async fn while_a_ca_file_is_gone_no_refresh_costs_a_write_of_the_keyring() {
    let ca_file = NamedTempFile::new().unwrap().into_temp_path();
    let rig = two_ways(&ca_file);
    rig.sign_in("alice").await;
    rig.expire().await;
    std::fs::remove_file(&ca_file).unwrap();
    let before = rig.writes();
    for _ in 0..3 {
        let refused = rig.refused(&never()).await;
        assert!(refused.error_description.contains("ca_file"), "{refused:?}");
    }
    assert_eq!(rig.writes(), before);
}

/// A token that still serves is given out meanwhile, and the way is not tried again for each of them.
#[tokio::test(start_paused = true)]
async fn while_a_ca_file_is_gone_those_whose_token_is_stale_cause_few_attempts() {
    let ca_file = NamedTempFile::new().unwrap().into_temp_path();
    let rig = two_ways(&ca_file);
    rig.sign_in("alice").await;
    rig.pass(s(3000)).await;
    std::fs::remove_file(&ca_file).unwrap();
    for _ in 0..50 {
        rig.token(&never()).await;
        rig.pass(std::time::Duration::from_millis(20)).await;
    }
    let attempts = rig.log().matches("no token").count();
    assert!((1..=2).contains(&attempts), "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_connect_holds_up_nobody_on_another_way() {
    let ca_file = NamedTempFile::new().unwrap().into_temp_path();
    let rig = two_ways(&ca_file);
    rig.sign_in_with(&direct(), "alice").await;
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.drop_connections();
    rig.fake.refuse_connections(true);
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_unreachable");
    rig.fake.refuse_connections(false);
    rig.token(&TokenRequest { interaction: never().interaction, ..direct() }).await;
    let waits = rig.refused(&never()).await;
    assert!(matches!(waits.retry_after, Some(1..)), "while its own way is left alone: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_too_large_for_a_proxy_holds_up_no_other() {
    let rig = expired().await;
    for code in [413, 414, 431] {
        rig.fake.script(Grant::RefreshToken, Fault::status(code));
        let claims = json!({"access_token": {"x": {"value": "y".repeat(60_000)}}}).as_object().cloned();
        assert_eq!(rig.refused(&TokenRequest { claims, ..never() }).await.error.as_str(), "provider_error");
        rig.token(&forced()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_too_large_opens_no_gate_either() {
    let rig = expired().await;
    rig.fake.always(Grant::RefreshToken, Fault::status(500));
    for _ in 0..6 {
        let wait = rig.refused(&forced()).await.retry_after.unwrap();
        rig.pass(s(wait)).await;
    }
    rig.fake.script(Grant::RefreshToken, Fault::status(413));
    rig.refused(&forced()).await;
    assert!(rig.refused(&forced()).await.retry_after.unwrap() > 30, "the pauses go on where they were");
}

#[tokio::test(start_paused = true)]
async fn a_portals_or_firewalls_retry_after_keeps_nobody_out_for_longer_than_no_network() {
    for fault in [
        answer(511, "text/html", PAGE, "3600"),
        answer(200, "text/html", PAGE, "3600"),
        answer(403, "text/html", PAGE, "60"),
        answer(403, "application/json", "{\"message\": \"no\"}", "61"),
        answer(404, "text/plain", "", "60"),
    ] {
        let rig = expired().await;
        rig.fake.script(Grant::RefreshToken, fault.clone());
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), "provider_error", "{fault:?}");
        assert!(matches!(refused.retry_after, Some(1..=2)), "{refused:?}");
        rig.pass(s(2)).await;
        rig.token(&never()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_that_is_meant_for_clients_is_believed_for_a_minute() {
    let rig = expired().await;
    let limit = answer(403, "application/json", "{\"message\": \"You have exceeded a secondary rate limit\"}", "60");
    rig.fake.script(Grant::RefreshToken, limit);
    let refused = rig.refused(&never()).await;
    assert_eq!((refused.error.as_str(), refused.retry_after), ("throttled", Some(60)));
    rig.pass(s(60)).await;
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_consented_sign_in_does_not_run_out_behind_anothers_page() {
    let rig = expired().await;
    let mut login = rig.login(&interactive());
    let code = login.prompt().await.user_code;
    rig.fake.script(Grant::RefreshToken, answer(403, "text/html", PAGE, "3600"));
    rig.refused(&never()).await;
    rig.fake.approve(&code, "bob");
    let start = tokio::time::Instant::now();
    login.next().await.unwrap().unwrap();
    assert!(start.elapsed() <= s(40), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_second_try_is_not_made_if_the_gate_closed_meanwhile() {
    let rig = Rig::start();
    for user in ["alice", "bob"] {
        let mut login = rig.login(&interactive());
        rig.fake.approve(&login.prompt().await.user_code, user);
        login.next().await.unwrap().unwrap();
    }
    rig.expire().await;
    let on = |user: &str| TokenRequest { account: Some(format!("{user}@example.com")), ..never() };
    rig.fake.script(Grant::RefreshToken, Fault::status(503));
    let alice = rig.background(&on("alice"));
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    rig.pass(Duration::from_millis(500)).await;
    rig.fake.script(Grant::RefreshToken, Fault::throttled(600));
    assert_eq!(rig.refused(&on("bob")).await.error.as_str(), "throttled");
    assert_eq!(alice.await.unwrap().unwrap_err().code().as_str(), "throttled");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2, "hers and his, and no second try");
}
