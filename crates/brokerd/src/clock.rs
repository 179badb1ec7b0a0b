//! Wall time, and its paused twin for tests.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells wall time. Token expiry is wall time, because the monotonic clock stops while a laptop sleeps; everything else in
/// the daemon waits on tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Option<Paused>);

#[derive(Clone, Copy, Debug)]
struct Paused {
    base: Timestamp,
    start: Instant,
    /// Seconds by which the wall clock was set otherwise since.
    shift: &'static AtomicI64,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that starts at `base` and moves with tokio's, so that a paused runtime stops it as well. Must be made inside
    /// a runtime.
    pub fn following_tokio(base: Timestamp) -> Self {
        // Leaked, so that a clock stays a value to copy; there is one a test.
        let shift = Box::leak(Box::default());
        Self(Some(Paused { base, start: Instant::now(), shift }))
    }

    /// Sets a clock that follows tokio's forward, as a suspended machine finds it, or back. The system's is not ours to set.
    pub fn shift(&self, seconds: i64) {
        if let Some(paused) = self.0 {
            paused.shift.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
            None => Timestamp::now(),
            Some(Paused { base, start, shift }) => {
                let passed = SignedDuration::try_from(start.elapsed()).unwrap_or_default();
                let passed = passed.saturating_add(SignedDuration::from_secs(shift.load(Ordering::Relaxed)));
                base.checked_add(passed).unwrap_or(base)
            }
        }
    }
}

/// RFC 3339 UTC in whole seconds, as the LocalAPI has it.
pub fn rfc3339(at: Timestamp) -> String {
    // Cutting, not rounding: a token must not seem to live longer than it does.
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
