//! Wall time, and its paused twin for tests.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells wall time. Token expiry is wall time, because the monotonic clock stops while a laptop sleeps; everything else in
/// the daemon waits on tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Option<(Timestamp, Instant)>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that starts at `base` and moves with tokio's, so that a paused runtime stops it as well. Must be made inside
    /// a runtime.
    pub fn following_tokio(base: Timestamp) -> Self {
        Self(Some((base, Instant::now())))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
            None => Timestamp::now(),
            Some((base, start)) => {
                base.checked_add(SignedDuration::try_from(start.elapsed()).unwrap_or_default()).unwrap_or(base)
            }
        }
    }
}

/// RFC 3339 UTC in whole seconds, as the LocalAPI has it.
pub fn rfc3339(at: Timestamp) -> String {
    // Cutting, not rounding: a token must not seem to live longer than it does.
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
