//! The ways a device flow goes on, and the ways it ends.

use broker_client::TokenRequest;
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, interactive, never, s};
use tempfile::{NamedTempFile, TempPath};
use tokio::time::Instant;

/// When the polls came, in seconds after `start`.
fn polls(rig: &Rig, start: Instant) -> Vec<u64> {
    let log = rig.fake.log();
    log.iter().filter(|request| request.is(Grant::DeviceCode)).map(|poll| (poll.at - start).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_declined_sign_in_is_access_denied() {
    let rig = Rig::start();
    let mut call = rig.call(&interactive());
    rig.fake.deny(&call.prompt().await.user_code);
    let failure = call.failure().await;
    assert_eq!((failure.error.as_str(), failure.error.exit_code()), ("access_denied", 4));
    assert_eq!(failure.provider.unwrap().error.as_deref(), Some("access_denied"));
    assert!(rig.client.prompts().await.unwrap().prompts.is_empty());
}

/// Nobody is asked in a refresh: it is a policy that denies one, at Okta a rule that does not match.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_denied_was_declined_by_nobody() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::oauth("access_denied"));
    let refused = rig.refused(&never()).await;
    assert_eq!(refused.error.as_str(), "access_denied");
    assert!(refused.error_description.contains("the provider denies the request"), "{refused:?}");
    assert!(refused.hint.is_some_and(|hint| hint.contains("administrator") && hint.contains("brokerctl login")));
}

#[tokio::test(start_paused = true)]
async fn a_code_that_runs_out_is_expired_token_with_a_hint() {
    let rig = Rig::start();
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    call.prompt().await;
    let failure = call.failure().await;
    assert_eq!((failure.error.as_str(), failure.error.exit_code()), ("expired_token", 5));
    assert!(failure.hint.unwrap().contains("policy"));
    assert_eq!(start.elapsed(), s(900));
    assert!(polls(&rig, start).windows(2).all(|pair| pair[1] - pair[0] >= 5), "never faster than the interval");
}

#[tokio::test(start_paused = true)]
async fn each_slow_down_adds_five_seconds_for_good() {
    let rig = Rig::start();
    for _ in 0..3 {
        rig.fake.script(Grant::DeviceCode, Fault::SlowDown);
    }
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.wait_for_count(Grant::DeviceCode, 6).await;
    assert_eq!(polls(&rig, start), [5, 15, 30, 50, 70, 90]);
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_network_while_polling_back_off_and_heal() {
    let rig = Rig::start();
    for fault in [Fault::CloseConnection, Fault::status(503), Fault::Html, Fault::status(404)] {
        rig.fake.script(Grant::DeviceCode, fault);
    }
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.wait_for_count(Grant::DeviceCode, 6).await;
    assert_eq!(polls(&rig, start), [5, 15, 35, 75, 135, 140]);
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_poll_is_given_up_after_thirty_seconds_and_tried_again() {
    let rig = Rig::start();
    rig.fake.script(Grant::DeviceCode, Fault::Hang);
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
    assert_eq!(polls(&rig, start), [5, 45]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_refuses_connections_while_polling_ends_nothing() {
    let rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.refuse_connections(true);
    rig.fake.drop_connections();
    rig.pass(s(300)).await;
    rig.fake.refuse_connections(false);
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
}

/// Our own pause, a minute by now, would outlast the code.
#[tokio::test(start_paused = true)]
async fn an_outage_that_ends_just_before_the_code_costs_no_sign_in() {
    let rig = Rig::setup().provider(|options| options.device_code_lifetime = s(300)).start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.refuse_connections(true);
    rig.fake.drop_connections();
    rig.pass(s(285)).await;
    rig.fake.refuse_connections(false);
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_while_polling_is_honoured() {
    let rig = Rig::start();
    rig.fake.script(Grant::DeviceCode, Fault::throttled(120));
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
    let [first, second] = polls(&rig, start)[..] else { panic!("{:?}", polls(&rig, start)) };
    assert_eq!(first, 5);
    assert!((125..140).contains(&second), "{second}");
}

/// A rig whose profile trusts a file of CAs, and that file.
fn with_ca_file() -> (Rig, TempPath) {
    let ca_file = NamedTempFile::new().unwrap().into_temp_path();
    let rig = Rig::setup().profile(&format!("ca_file = {:?}", ca_file.display().to_string())).start();
    (rig, ca_file)
}

#[tokio::test(start_paused = true)]
async fn a_ca_file_that_is_away_for_a_moment_ends_no_sign_in() {
    let (rig, ca_file) = with_ca_file();
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    let away = ca_file.with_extension("away");
    std::fs::rename(&ca_file, &away).unwrap();
    rig.fake.approve(&prompt.user_code, "alice");
    rig.pass(s(12)).await;
    std::fs::rename(&away, &ca_file).unwrap();
    call.token().await;
    assert_eq!(polls(&rig, start), [15], "the one after five seconds was not sent");
}

#[tokio::test(start_paused = true)]
async fn a_code_that_runs_out_unpolled_says_why_it_was_not_polled() {
    let (rig, ca_file) = with_ca_file();
    let start = Instant::now();
    let mut call = rig.call(&interactive());
    call.prompt().await;
    std::fs::remove_file(&ca_file).unwrap();
    let failure = call.failure().await;
    assert_eq!((failure.error.as_str(), start.elapsed()), ("expired_token", s(900)));
    assert!(failure.error_description.contains("the last poll failed: profile work: ca_file:"), "{failure:?}");
    assert!(failure.hint.unwrap().contains("mend the profile"));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_provider_is_unreachable_after_thirty_seconds_and_harms_no_other_profile() {
    let rig = Rig::start();
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::Hang);
    let start = Instant::now();
    let call = rig.call(&interactive());
    let waiting = rig.spawn(call.failure());
    rig.fake.wait_for_count(Endpoint::DeviceAuthorization, 1).await;

    let other = TokenRequest { profile: Some("other".into()), ..interactive() };
    rig.sign_in_with(&other, "bob").await;
    assert!(start.elapsed() < s(10), "{:?}", start.elapsed());

    let failure = waiting.await.unwrap();
    assert_eq!((failure.error.as_str(), failure.error.exit_code()), ("provider_unreachable", 8));
    assert_eq!(start.elapsed(), s(30));
    assert!(failure.hint.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_callers_own_timeout_ends_its_wait_and_not_the_others() {
    let rig = Rig::start();
    let mut patient = rig.call(&interactive());
    let prompt = patient.prompt().await;
    let start = Instant::now();
    let mut hasty = rig.call(&TokenRequest { timeout: Some(20), ..interactive() });
    hasty.prompt().await;
    assert_eq!(hasty.failure().await.error.as_str(), "timeout");
    assert_eq!(start.elapsed(), s(20));
    rig.fake.approve(&prompt.user_code, "alice");
    patient.token().await;
}
