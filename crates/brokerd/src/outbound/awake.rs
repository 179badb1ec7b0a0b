//! Whether the machine slept since the last exchange: the connections kept from before are dead then, and nobody says so.
//!
//! The clock by which the pool ages them stands still meanwhile. A request sent into one would wait for all the time an exchange
//! has, and whether the server has had it would not be known.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// By how much the wall clock must be further on than the other: clocks are also set, by a little.
const SLEPT: SignedDuration = SignedDuration::from_secs(30);

/// Both clocks at the last exchange.
#[derive(Debug, Default)]
pub(super) struct Awake(Mutex<Option<(Instant, Timestamp)>>);

impl Awake {
    /// Whether the machine slept since this was asked last, by a wall clock that says `now`.
    pub(super) fn slept(&self, now: Timestamp) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace((Instant::now(), now));
        last.is_some_and(|(then, last)| {
            let counted = SignedDuration::try_from(then.elapsed()).unwrap_or(SignedDuration::MAX);
            now.duration_since(last).saturating_sub(counted) > SLEPT
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Each row: seconds that the wall clock and the other went on by.
    #[tokio::test(start_paused = true)]
    async fn a_clock_that_stood_still_slept() {
        let (awake, mut wall) = (Awake::default(), Timestamp::UNIX_EPOCH);
        assert!(!awake.slept(wall), "nothing is known yet");
        for (seconds, counted, expected) in
            [(0, 0, false), (3600, 3600, false), (3600, 0, true), (31, 0, true), (30, 0, false), (-86_400, 5, false)]
        {
            wall += SignedDuration::from_secs(seconds);
            tokio::time::advance(Duration::from_secs(counted)).await;
            assert_eq!(awake.slept(wall), expected, "{seconds} s, {counted} of them counted");
        }
    }
}
