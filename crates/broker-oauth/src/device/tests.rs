use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::registration::Provider;

fn authorize(body: &Value) -> Result<DeviceAuthorization, Failure> {
    let body = Zeroizing::new(body.to_string().into_bytes());
    authorization_response(&ProviderResponse { status: 200, retry_after: None, is_form: false, body })
}

fn minimal() -> Value {
    json!({"device_code": "d", "user_code": "U-1", "verification_uri": "https://a.example/d"})
}

fn flow(interval: u64, expires_in: u64) -> DeviceFlow {
    let mut body = minimal();
    body["interval"] = interval.into();
    body["expires_in"] = expires_in.into();
    DeviceFlow::new(&authorize(&body).unwrap())
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_defaults_are_the_rfcs() {
    let authorization = authorize(&minimal()).unwrap();
    assert_eq!(authorization.interval, s(5));
    assert_eq!(authorization.expires_in, s(900));
}

#[test]
fn aliases_and_strings_are_read() {
    let body = json!({
        "device_code": "d", "user_code": "U", "verification_url": "https://a.example/d",
        "interval": "7", "expires_in": "60", "verification_url_complete": "https://a.example/d?c=U",
    });
    let authorization = authorize(&body).unwrap();
    assert_eq!((authorization.interval, authorization.expires_in), (s(7), s(60)));
    assert!(authorization.verification_uri_complete.is_some());
    let camel = json!({
        "device_code": "d", "user_code": "U", "verificationUri": "https://a.example/d",
        "verificationUriComplete": "https://a.example/d?c=U",
    });
    assert!(authorize(&camel).unwrap().verification_uri_complete.is_some());
}

#[test]
fn the_resource_and_extra_parameters_are_on_both_legs_and_so_is_the_proof() {
    let at = |path: &str| url::Url::parse(&format!("https://a.example/{path}")).unwrap();
    let endpoints = Endpoints { token: at("t"), device_authorization: Some(at("d")), revocation: None, userinfo: None };
    let registration = Registration::public(Provider::Keycloak, "cli", ScopeSet::default());
    let target = Target { resource: Some("urn:files".into()), ..Target::default() };
    let extra = ExtraParameters::new([("prompt".to_owned(), "login".to_owned())].into()).unwrap();
    let verifier = CodeVerifier::new("v");
    let scopes = ScopeSet::default();
    let asked = AuthorizationParameters { scopes: &scopes, target: &target, claims: None, locale: None, extra: &extra };
    let asked = authorization_request(&registration, &endpoints, asked, Some(&verifier)).unwrap();
    let poll = PollParameters { target: &target, claims: None, extra: &extra, code_verifier: Some(&verifier) };
    let polled = poll_request(&registration, &endpoints, &DeviceCode::new("d"), poll);
    let (asked, polled) = (asked.form.unwrap(), polled.form.unwrap());
    for form in [asked.as_str(), polled.as_str()] {
        assert!(form.contains("resource=urn%3Afiles") && form.contains("prompt=login"), "{form}");
    }
    assert!(!asked.as_str().contains("scope="), "none was asked for");
    let challenge = verifier.challenge();
    assert!(asked.as_str().contains(&format!("code_challenge={challenge}&code_challenge_method=S256")));
    assert!(!asked.as_str().contains("code_verifier") && polled.as_str().contains("code_verifier=v"));
}

#[test]
fn nothing_unsafe_is_shown() {
    let mut body = minimal();
    body["verification_uri"] = "http://evil.example/".into();
    assert!(matches!(authorize(&body), Err(Failure::UnsafeVerificationUri)));
    let mut body = minimal();
    body["verification_uri_complete"] = "javascript:alert(1)".into();
    assert_eq!(authorize(&body).unwrap().verification_uri_complete, None);
    let mut body = minimal();
    body["user_code"] = "\u{1b}[2J".into();
    assert!(matches!(authorize(&body), Err(Failure::NotOAuth { .. })));
}

#[test]
fn absurd_numbers_are_tamed() {
    let mut body = minimal();
    body["interval"] = 0.into();
    body["expires_in"] = json!(1e300);
    let authorization = authorize(&body).unwrap();
    assert_eq!((authorization.interval, authorization.expires_in), (s(1), s(86_400)));
}

#[test]
fn it_polls_by_the_interval_and_ends_by_the_expiry() {
    let mut flow = flow(5, 12);
    assert_eq!(flow.step(s(0)), Step::WaitUntil(s(5)));
    assert_eq!(flow.step(s(5)), Step::Poll);
    flow.polled(Polled::Pending, s(6));
    assert_eq!(flow.step(s(6)), Step::WaitUntil(s(11)));
    assert_eq!(flow.step(s(11)), Step::Poll);
    flow.polled(Polled::Pending, s(11));
    assert_eq!(flow.step(s(11)), Step::WaitUntil(s(12)));
    assert_eq!(flow.step(s(12)), Step::Expired);
}

#[test]
fn each_slow_down_adds_five_seconds_for_good() {
    let mut flow = flow(5, 900);
    flow.polled(Polled::SlowDown(None), s(5));
    flow.polled(Polled::SlowDown(None), s(15));
    assert_eq!(flow.interval(), s(15));
    flow.polled(Polled::Pending, s(30));
    assert_eq!(flow.step(s(30)), Step::WaitUntil(s(45)));
    // A server that names a smaller interval does not get its way; a larger one does.
    flow.polled(Polled::SlowDown(Some(s(1))), s(45));
    assert_eq!(flow.interval(), s(20));
    flow.polled(Polled::SlowDown(Some(s(40))), s(65));
    assert_eq!(flow.interval(), s(40));
}

#[test]
fn failures_of_the_network_back_off_and_heal() {
    let mut flow = flow(5, 900);
    let mut now = s(5);
    for pause in [10, 20, 40, 60, 60] {
        flow.polled(Polled::Failed { retry_after: None }, now);
        assert_eq!(flow.step(now), Step::WaitUntil(now + s(pause)));
        now += s(pause);
    }
    flow.polled(Polled::Pending, now);
    assert_eq!(flow.step(now), Step::WaitUntil(now + s(5)));
    flow.polled(Polled::Failed { retry_after: Some(s(120)) }, now);
    assert_eq!(flow.step(now), Step::WaitUntil(now + s(120)));
}

#[test]
fn a_slow_interval_is_no_reason_to_poll_as_often_after_a_failure() {
    let mut flow = flow(45, 900);
    for _ in 0..3 {
        flow.polled(Polled::Failed { retry_after: None }, s(45));
        assert_eq!(flow.step(s(45)), Step::WaitUntil(s(135)));
    }
}

/// A flow of 100 s whose polls failed until its own pause was a minute, and the last of them at `now`, told to come back
/// after `retry_after`.
fn backed_off(interval: u64, now: Duration, retry_after: Option<Duration>) -> DeviceFlow {
    let mut flow = flow(interval, 100);
    for _ in 0..6 {
        flow.polled(Polled::Failed { retry_after: None }, s(0));
    }
    flow.polled(Polled::Failed { retry_after }, now);
    flow
}

#[test]
fn our_own_pause_does_not_outlast_the_code() {
    for (interval, now, next) in [
        (5, s(30), s(90)), // no pause to cut short
        (5, s(40), s(95)), // it would end with the code
        (5, s(84), s(95)),
        (5, s(88), s(98)), // no sooner than twice the interval
        (5, s(92), s(100)),
        (1, s(94), s(96)),
        (1, s(95), s(100)), // it was the last
        (1, s(97), s(100)),
        (30, s(60), s(100)), // the interval is the server's
    ] {
        let flow = backed_off(interval, now, None);
        assert_eq!(flow.step(now), Step::WaitUntil(next), "every {interval} s, at {now:?}");
        let then = if next < s(100) { Step::Poll } else { Step::Expired };
        assert_eq!(flow.step(next), then, "every {interval} s, at {now:?}");
    }
}

#[test]
fn what_the_server_asked_for_is_kept_at_the_end_too() {
    for (retry_after, next) in [(10, 95), (57, 97), (60, 100), (600, 100)] {
        let flow = backed_off(5, s(40), Some(s(retry_after)));
        assert_eq!(flow.step(s(40)), Step::WaitUntil(s(next)), "Retry-After: {retry_after}");
    }
    // Nor does `slow_down` make room for one.
    let mut flow = flow(5, 100);
    flow.polled(Polled::SlowDown(Some(s(60))), s(50));
    assert_eq!(flow.step(s(50)), Step::WaitUntil(s(100)));
    flow.polled(Polled::Failed { retry_after: None }, s(60));
    assert_eq!(flow.step(s(60)), Step::WaitUntil(s(100)));
}
