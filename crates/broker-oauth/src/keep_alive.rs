//! Keeping a refresh token alive: some servers end one that is not used for half an hour.

use jiff::{SignedDuration, Timestamp};

/// Never sooner than this after it came.
const LEAST: SignedDuration = SignedDuration::from_secs(30);
/// The longest nap, by the life: shorter for a short one.
const NAP: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(4), SignedDuration::from_hours(1));
/// How far the wall clock may run backwards before these times are not believed.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// When a refresh token came and when it ends if it is not used, as the provider said and by our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshLife {
    /// When it came.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl RefreshLife {
    /// When to use it: after three quarters of its life, or up to a sixteenth of it sooner. `spread` says how much, so that
    /// accounts that signed in together do not refresh together.
    pub fn due_at(&self, spread: u8) -> Timestamp {
        let sooner = self.length() / 16 * i32::from(spread) / 255;
        let after = (self.length() / 4 * 3 - sooner).max(LEAST);
        self.issued_at.checked_add(after).unwrap_or(self.expires_at)
    }

    /// Whether it is time to use it. A clock that moved back says nothing of how long it has lived: then it is time as well,
    /// and the next one's times are of the clock as it is now.
    pub fn is_due(&self, now: Timestamp, spread: u8) -> bool {
        now >= self.due_at(spread) || now < self.issued_at - CLOCK_TOLERANCE
    }

    /// How long to sleep before looking at the wall clock again. Never until it is due in one go: a machine's suspend stops
    /// the clock that sleepers go by, and not the provider's.
    pub fn nap(&self, now: Timestamp, spread: u8) -> SignedDuration {
        if self.is_due(now, spread) {
            return SignedDuration::ZERO;
        }
        let longest = (self.length() / 100).clamp(NAP.0, NAP.1);
        // Not a hair too early: a timer that ends before its time would end again and again.
        (self.due_at(spread).duration_since(now) + SignedDuration::from_millis(1)).min(longest)
    }

    fn length(&self) -> SignedDuration {
        self.expires_at.duration_since(self.issued_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn life(seconds: i64) -> RefreshLife {
        RefreshLife { issued_at: at(1000), expires_at: at(1000 + seconds) }
    }

    #[test]
    fn half_an_hour_is_used_after_twenty_two_minutes_or_a_little_sooner() {
        let life = life(1800);
        assert_eq!(life.due_at(0), at(1000 + 1350));
        assert_eq!(life.due_at(255), at(1000 + 1350 - 112) - SignedDuration::from_millis(500));
        assert!(!life.is_due(at(1000 + 1349), 0));
        assert!(life.is_due(at(1000 + 1350), 0));
        assert!(life.is_due(at(1000 + 100_000), 0), "a known end in the past is no end");
    }

    #[test]
    fn nothing_is_due_within_thirty_seconds() {
        for seconds in [-5, 0, 1, 39, 40] {
            assert_eq!(life(seconds).due_at(255), at(1030), "{seconds}");
        }
    }

    #[test]
    fn a_clock_that_moved_back_makes_it_due() {
        assert!(!life(1800).is_due(at(1000 - 300), 0));
        assert!(life(1800).is_due(at(1000 - 301), 0));
    }

    #[test]
    fn naps_are_short_for_short_lives_and_long_for_long_ones() {
        assert_eq!(life(1800).nap(at(1000), 0), SignedDuration::from_mins(4));
        assert_eq!(life(90 * 86_400).nap(at(1000), 0), SignedDuration::from_hours(1));
        assert_eq!(life(1800).nap(at(1000 + 1340), 0), SignedDuration::from_millis(10_001));
    }
}
