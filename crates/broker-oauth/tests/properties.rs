//! Rules that must hold for every input: polling, freshness, scopes, what may be shown, and parsers that never fail over.

#![expect(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "a test: a panic is the report")]

use std::time::Duration;

use broker_oauth::device::{DeviceFlow, Polled, Step, authorization_response};
use broker_oauth::dialect::Provider;
use broker_oauth::failure::Failure;
use broker_oauth::keep_alive::RefreshLife;
use broker_oauth::refresh::{Freshness, freshness, is_in_grace};
use broker_oauth::scope::{ScopeCase, ScopeSet};
use broker_oauth::secret::AccessToken;
use broker_oauth::text;
use broker_oauth::token::{IssuedToken, Target, token_response};
use broker_oauth::wire::ProviderResponse;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn response(status: u16, body: &[u8]) -> ProviderResponse {
    ProviderResponse { status, retry_after: None, is_form: false, body: body.to_vec().into() }
}

fn flow(interval: u64, expires_in: u64) -> DeviceFlow {
    let body = format!(
        r#"{{"device_code":"d","user_code":"U","verification_uri":"https://a.example/","interval":{interval},"expires_in":{expires_in}}}"#
    );
    DeviceFlow::new(&authorization_response(&response(200, body.as_bytes())).unwrap())
}

fn outcome() -> impl Strategy<Value = Polled> {
    let seconds = prop::option::of((0_u64..1000).prop_map(Duration::from_secs));
    prop_oneof![
        Just(Polled::Pending),
        seconds.clone().prop_map(Polled::SlowDown),
        seconds.prop_map(|retry_after| Polled::Failed { retry_after }),
    ]
}

fn token(issued_at: i64, life: i64, refresh_in: Option<i64>) -> IssuedToken {
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    IssuedToken {
        access_token: AccessToken::new("t"),
        token_type: "Bearer".into(),
        scope: ScopeSet::default(),
        asked: ScopeSet::default(),
        target: Target::default(),
        issued_at: at(issued_at),
        expires_at: Some(at(issued_at + life)),
        extended_expires_at: None,
        refresh_at: refresh_in.map(|after| at(issued_at + after)),
        id_token: None,
    }
}

/// How good a token is, the best first.
fn rank(judged: Freshness) -> u8 {
    match judged {
        Freshness::Fresh => 0,
        Freshness::Stale => 1,
        Freshness::Short => 2,
        Freshness::Expired => 3,
    }
}

proptest! {
    /// Whatever the server answers and however long each answer takes, no poll comes sooner than the interval after the one
    /// before, nor than the server asked for, the interval never shrinks, asking twice changes nothing, and the flow ends by its expiry.
    #[test]
    fn polls_are_never_too_fast_and_always_end(
        interval in 0_u64..100,
        expires_in in 0_u64..5000,
        answers in prop::collection::vec((outcome(), 0_u64..50), 0..200),
    ) {
        let mut flow = flow(interval, expires_in);
        let (mut now, mut last_answer, mut least) = (Duration::ZERO, Duration::ZERO, flow.interval());
        let mut asked = Duration::ZERO;
        for (outcome, latency) in answers {
            loop {
                let step = flow.step(now);
                prop_assert_eq!(step, flow.step(now));
                match step {
                    Step::Expired => return Ok(()),
                    Step::WaitUntil(until) => {
                        prop_assert!(until > now && until <= Duration::from_secs(expires_in));
                        now = until;
                    }
                    Step::Poll => break,
                }
            }
            prop_assert!(now - last_answer >= least, "polled after {:?}, the interval is {least:?}", now - last_answer);
            prop_assert!(now - last_answer >= asked, "polled after {:?}, asked for {asked:?}", now - last_answer);
            now += Duration::from_secs(latency);
            flow.polled(outcome, now);
            prop_assert!(flow.interval() >= least);
            (last_answer, least) = (now, flow.interval());
            asked = match outcome {
                Polled::Failed { retry_after } => retry_after.unwrap_or_default(),
                Polled::Pending | Polled::SlowDown(_) => Duration::ZERO,
            };
        }
        prop_assert_eq!(flow.step(Duration::from_secs(expires_in)), Step::Expired);
    }

    /// A token only ever gets worse with time, is never served dead, and a promised validity is kept wherever a token of
    /// this life can keep it for longer than a twentieth of that.
    #[test]
    fn freshness_decays_and_promises_are_kept(
        issued_at in 1_000_000_i64..2_000_000_000,
        life in 1_i64..200_000,
        // All in thousandths of the life, so that every region of it is met.
        refresh_in in prop::option::of(1_i64..1200),
        ages in (0_i64..1200, 0_i64..1200),
        promised in prop::option::of(0_i64..1200),
    ) {
        let of_life = |thousandths: i64| life * thousandths / 1000;
        let token = token(issued_at, life, refresh_in.map(of_life));
        let promised = promised.map(of_life).map(SignedDuration::from_secs);
        let judge = |age: i64| freshness(&token, Timestamp::from_second(issued_at + age).unwrap(), promised);
        let (young, old) = (of_life(ages.0.min(ages.1)), of_life(ages.0.max(ages.1)));
        prop_assert!(rank(judge(young)) <= rank(judge(old)));
        for age in [young, old] {
            let left = SignedDuration::from_secs(life - age);
            let served = rank(judge(age)) <= rank(Freshness::Stale);
            prop_assert_eq!(judge(age) == Freshness::Expired, left <= SignedDuration::ZERO);
            let whole = SignedDuration::from_secs(life);
            if let Some(promised) = promised.filter(|promised| served && *promised <= whole - whole / 20) {
                prop_assert!(left >= promised);
            }
        }
    }

    /// Grace begins where the ordinary life ends, ends where the extended one does, and is never both with it.
    #[test]
    fn grace_is_what_lies_between_the_two_ends(
        issued_at in 1_000_000_i64..2_000_000_000,
        life in 1_i64..200_000,
        extended in 1_i64..400_000,
        age in -1000_i64..500_000,
    ) {
        let end = (extended > life).then(|| Timestamp::from_second(issued_at + extended).unwrap());
        let token = IssuedToken { extended_expires_at: end, ..token(issued_at, life, None) };
        let now = Timestamp::from_second(issued_at + age).unwrap();
        prop_assert_eq!(is_in_grace(&token, now), (life..extended.max(life)).contains(&age));
        prop_assert!(!is_in_grace(&token, now) || freshness(&token, now, None) == Freshness::Expired);
    }

    /// A refresh token that is kept alive is used within its life, never in haste; who naps looks again before it is late by
    /// more than an hour of any clock, and naps only while it is not due.
    #[test]
    fn a_refresh_token_is_used_in_time(
        issued_at in 1_000_000_i64..2_000_000_000,
        length in 1_i64..100_000_000,
        spread in any::<u8>(),
        now in 0_i64..3_000_000_000,
    ) {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let life = RefreshLife { issued_at: at(issued_at), expires_at: at(issued_at + length) };
        let due = life.due_at(spread);
        prop_assert!(due >= at(issued_at + 30));
        prop_assert!(length < 60 || (due < life.expires_at && due >= at(issued_at + length / 16 * 11)));
        let nap = life.nap(at(now), spread);
        prop_assert_eq!(nap.is_zero(), life.is_due(at(now), spread));
        prop_assert!(nap <= SignedDuration::from_hours(1) && nap <= SignedDuration::from_secs(240.max(length / 100)));
        // Whatever a server says, however absurd: no error of arithmetic.
        let absurd = RefreshLife { issued_at: at(now), expires_at: at(issued_at) };
        let _nap = absurd.nap(at(issued_at), spread);
    }

    /// A clock that is wrong by years, either way, never makes a token immortal or an error of arithmetic.
    #[test]
    fn a_mad_clock_is_survived(life in 0_u64..u64::MAX, now in -300_000_000_000_i64..200_000_000_000, at in -300_000_000_000_i64..200_000_000_000) {
        let now = Timestamp::from_second(now).unwrap();
        let body = format!(r#"{{"access_token":"t","refresh_token":"r","expires_in":{life},"refresh_in":{life}}}"#);
        if let Ok(response) = token_response(Provider::Oidc.dialect(), &response(200, body.as_bytes()), &ScopeSet::default(), &Target::default(), now) {
            let _judged = freshness(&response.token, Timestamp::from_second(at).unwrap(), None);
        }
    }

    /// Covering is reflexive and transitive, and a union covers its parts.
    #[test]
    fn scopes_cover_like_sets(a in "([a-c]{1,2} ){0,4}", b in "([a-c]{1,2} ){0,4}", c in "([a-c]{1,2} ){0,4}") {
        let [a, b, c] = [a, b, c].map(|list| ScopeSet::parse(&list));
        for case in [ScopeCase::Exact, ScopeCase::Insensitive] {
            prop_assert!(a.covers(&a, case));
            prop_assert!(a.union(&b).covers(&a, case) && a.union(&b).covers(&b, case));
            prop_assert!(!(a.covers(&b, case) && b.covers(&c, case)) || a.covers(&c, case));
        }
    }

    /// What is shown is bounded and has no character that shows as something else; cleaning twice changes nothing.
    #[test]
    fn what_is_shown_shows_as_itself(prose in "\\PC{0,200}|.{0,2000}") {
        let clean = text::clean(&prose);
        prop_assert!(clean.chars().all(text::is_visible));
        prop_assert!(clean.chars().count() <= 1200);
        prop_assert_eq!(text::clean(&clean), clean);
    }

    /// No body, however broken, is more than a failure.
    #[test]
    fn any_bytes_are_an_answer_or_a_failure(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..500)) {
        let response = response(status, &body);
        if let Err(failure) = token_response(Provider::Oidc.dialect(), &response, &ScopeSet::default(), &Target::default(), Timestamp::UNIX_EPOCH) {
            let _verdicts = (failure.verdict(), failure.poll_verdict(), failure.retry_after());
        }
        let refused = matches!(authorization_response(&response), Err(Failure::NotOAuth { .. } | Failure::OAuth(_)));
        prop_assert!(refused);
    }
}
