//! How long a provider that does not serve is left alone.
//!
//! | trouble | first pause | longest | why |
//! |---|---|---|---|
//! | [`Trouble::Unreachable`] | 1 s | 25 s | nothing reaches it, so asking costs it nothing; the network may be back at any moment |
//! | [`Trouble::Unanswered`] | 1 s | 5 min | each request reaches somebody, who may be at work on it |
//! | [`Trouble::Failing`] | 1 s | 5 min | each request is work for a server that is not well |
//! | [`Trouble::Throttling`] | 5 s | 5 min | it said so |
//!
//! `Retry-After` is believed of a server that fails or throttles. Of whoever else answers in its place it says nothing.
//!
//! Each failure in a row doubles the pause. Randomness moves it by a fifth to either side, so that many machines do not come
//! back at the same moment; the longest pause is the longest with it.

use std::time::Duration;

use crate::failure::{Failure, PollVerdict, Verdict};

/// The longest `Retry-After` that is believed: an hour, as MSAL has it.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// AADSTS50196: the client asks for the same again and again.
const LOOP: i64 = 50_196;
/// How long a client in a loop is held.
const LOOP_PAUSE: Duration = Duration::from_secs(60);
/// The longest wait that a 403 can ask everybody for (GitHub's secondary limit asks for a minute).
const LONGEST_FORBIDDEN: u64 = 60;

/// Why a provider does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection: nothing was sent.
    Unreachable,
    /// There is a connection and no answer, or somebody else's: a proxy's, a page for people.
    Unanswered,
    /// It answers that it is not well.
    Failing,
    /// It answers that it is asked too much.
    Throttling,
}

impl Trouble {
    /// What a failed exchange says of the provider's health. `None`: it is well, and the failure is about the request.
    pub fn of(failure: &Failure) -> Option<Self> {
        match (failure, failure.verdict()) {
            // Network Authentication Required (RFC 6585 §6): a portal on the way. Or a gateway's own word, in JSON, which says no more
            // than its page that the provider is well.
            (Failure::NotOAuth { status: 511, .. }, _) | (Failure::OAuth(_), Verdict::NotOAuth) => {
                Some(Self::Unanswered)
            }
            // Too large for a proxy, by its claims or parameters: other requests are not.
            (Failure::NotOAuth { status: 413 | 414 | 431, .. }, _) => None,
            (_, Verdict::Transient) => Some(Self::Failing),
            // The second is GitHub's secondary limit: a 403 that says when to come back.
            (_, Verdict::Throttled)
            | (Failure::NotOAuth { status: 403, retry_after: Some(1..=LONGEST_FORBIDDEN) }, _) => {
                Some(Self::Throttling)
            }
            (Failure::NotOAuth { .. } | Failure::TooLarge { .. }, _) => Some(Self::Unanswered),
            (Failure::OAuth(_) | Failure::UnsafeVerificationUri, _) => None,
        }
    }

    /// The same of a failed poll: `slow_down` is about the one device code (RFC 8628 §3.5), and no business of others. Nor is a word that
    /// nobody knows.
    pub fn of_poll(failure: &Failure) -> Option<Self> {
        match (failure.poll_verdict(), failure, failure.verdict()) {
            (_, Failure::OAuth(_), Verdict::NotOAuth) => None,
            (PollVerdict::KeepTrying, ..) => Self::of(failure),
            _ => None,
        }
    }

    fn first(self) -> Duration {
        Duration::from_secs(if self == Self::Throttling { 5 } else { 1 })
    }

    /// The longest pause, randomness included.
    pub fn longest(self) -> Duration {
        Duration::from_secs(if self == Self::Unreachable { 25 } else { 300 })
    }

    /// The pause after this many failures in a row. `fraction` is random, from 0 to 1.
    ///
    /// `Retry-After` is kept to the second when it is first said. A server that says "in 1 s" for a whole day is asked as
    /// seldom as one that says nothing.
    pub fn pause(self, failures: u32, retry_after: Option<u64>, fraction: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let middle = (self.first() * 2_u32.pow(doublings)).min(self.longest().mul_f64(1.0 / 1.2));
        let own = middle.mul_f64(0.8 + 0.4 * fraction.clamp(0.0, 1.0));
        match retry_after.filter(|seconds| *seconds > 0 && matches!(self, Self::Failing | Self::Throttling)) {
            Some(seconds) => {
                let asked = Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER);
                if failures > 1 { asked.max(own) } else { asked }
            }
            None => own,
        }
    }
}

/// For how long the provider holds this client off for asking in a loop (AADSTS50196), if that is what it says.
pub fn loop_pause(failure: &Failure) -> Option<Duration> {
    let Failure::OAuth(response) = failure else { return None };
    let asked = response.retry_after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    is_loop(&response.error_codes).then(|| asked.unwrap_or_default().max(LOOP_PAUSE))
}

/// Whether these AADSTS numbers say that the client asks in a loop.
pub fn is_loop(error_codes: &[i64]) -> bool {
    error_codes.contains(&LOOP)
}

/// As `retry_after` has it: whole seconds after which it is over, at least one.
pub fn whole_seconds(left: Duration) -> u64 {
    (left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::ErrorResponse;

    const ALL: [Trouble; 4] = [Trouble::Unreachable, Trouble::Unanswered, Trouble::Failing, Trouble::Throttling];

    fn oauth(status: u16, error: &str, codes: &[i64]) -> Failure {
        Failure::OAuth(Box::new(ErrorResponse {
            status,
            error: error.into(),
            error_codes: codes.into(),
            ..ErrorResponse::default()
        }))
    }

    #[test]
    fn health_is_read_from_the_answer() {
        let page = |status, retry_after| Failure::NotOAuth { status, retry_after };
        for (failure, want) in [
            (page(200, None), Some(Trouble::Unanswered)),
            (page(403, None), Some(Trouble::Unanswered)),
            (page(403, Some(60)), Some(Trouble::Throttling)),
            (page(403, Some(61)), Some(Trouble::Unanswered)),
            (page(404, Some(60)), Some(Trouble::Unanswered)),
            (page(413, None), None),
            (page(414, Some(60)), None),
            (page(431, None), None),
            (page(429, None), Some(Trouble::Throttling)),
            (page(429, Some(0)), Some(Trouble::Throttling)),
            (page(503, None), Some(Trouble::Failing)),
            (page(511, None), Some(Trouble::Unanswered)),
            (oauth(503, "temporarily_unavailable", &[]), Some(Trouble::Failing)),
            (oauth(400, "temporarily_unavailable", &[]), Some(Trouble::Failing)),
            (oauth(429, "temporarily_unavailable", &[90_055]), Some(Trouble::Throttling)),
            (oauth(502, "invalid_grant", &[]), Some(Trouble::Failing)),
            (oauth(400, "slow_down", &[]), Some(Trouble::Throttling)),
            (oauth(400, "invalid_grant", &[]), None),
            (oauth(401, "invalid_client", &[]), None),
            (oauth(400, "something_new", &[]), None),
            (oauth(403, "Forbidden", &[]), Some(Trouble::Unanswered)),
            (Failure::UnsafeVerificationUri, None),
        ] {
            assert_eq!(Trouble::of(&failure), want, "{failure:?}");
        }
        for pending in ["authorization_pending", "slow_down", "expired_token", "access_denied"] {
            assert_eq!(Trouble::of_poll(&oauth(400, pending, &[])), None, "{pending}");
        }
        assert_eq!(Trouble::of_poll(&page(503, None)), Some(Trouble::Failing));
        assert_eq!(Trouble::of_poll(&oauth(403, "Forbidden", &[])), None);
    }

    #[test]
    fn a_retry_after_is_kept_to_the_second_and_at_most_an_hour() {
        for (asked, failures, want) in [(60, 1, 60), (1, 1, 1), (3600, 1, 3600), (u64::MAX, 1, 3600), (600, 9, 600)] {
            let pause = Trouble::Throttling.pause(failures, Some(asked), 1.0);
            assert_eq!(pause, Duration::from_secs(want), "{asked} after {failures}");
        }
        // None at all, and a server that repeats a short one for ever.
        assert!(Trouble::Throttling.pause(1, Some(0), 0.0) >= Duration::from_secs(4));
        assert!(Trouble::Failing.pause(20, Some(1), 0.0) >= Duration::from_secs(200));
        // A portal's, or a proxy's.
        assert!(Trouble::Unanswered.pause(1, Some(3600), 1.0) <= Duration::from_secs(2));
    }

    #[test]
    fn a_loop_is_held_for_a_minute() {
        let held = |error, codes: &[i64]| loop_pause(&oauth(400, error, codes));
        assert_eq!(held("invalid_grant", &[50_196]), Some(LOOP_PAUSE));
        assert_eq!(held("invalid_grant", &[50_076]), None);
    }

    #[test]
    fn what_is_left_is_told_in_whole_seconds_and_never_as_nothing() {
        for (left, told) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(left)), told, "{left} ms");
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_up_to_the_longest_and_stay_within_a_fifth(
            which in 0..ALL.len(), failures in 1..200_u32, fraction in 0.0..=1.0,
        ) {
            let trouble = ALL[which];
            let at = |failures, fraction| trouble.pause(failures, None, fraction).as_secs_f64();
            let middle = at(failures, 0.5);
            prop_assert!(at(failures + 1, 0.5) >= middle, "never shorter than the one before");
            prop_assert!(at(failures, fraction) >= middle * 0.799 && at(failures, fraction) <= middle * 1.201);
            prop_assert!(at(failures, fraction) <= trouble.longest().as_secs_f64() + 1e-6);
            prop_assert!(at(failures, fraction) >= trouble.first().as_secs_f64() * 0.799);
            prop_assert!(at(failures.max(12), 1.0) > trouble.longest().as_secs_f64() - 1e-6, "it gets there");
            prop_assert!(at(failures, 1.0) > at(failures, 0.0), "chance moves it");
        }
    }
}
