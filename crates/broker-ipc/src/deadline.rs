//! When a blocking client gives up: the one place of the workspace that reads `std`'s monotonic clock.
//!
//! Async code uses tokio's, which tests can pause; a client without a runtime has no other clock than this.

use std::time::Duration;

#[expect(
    clippy::disallowed_types,
    reason = "the blocking client has no tokio clock, and a pause in it would have nothing to wake it"
)]
type Instant = std::time::Instant;

/// A moment after which nobody waits any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Returns the moment `wait` from now; one too far away to be a moment is [`Deadline::never`].
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now().checked_add(wait))
    }

    /// Returns a deadline that never comes.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Returns the one that comes first.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(another)) => Self(Some(one.min(another))),
            (one, another) => Self(one.or(another)),
        }
    }

    /// Returns the time left: `None` once it has passed, [`Duration::MAX`] where it never comes.
    pub fn remaining(self) -> Option<Duration> {
        match self.0 {
            None => Some(Duration::MAX),
            Some(at) => at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()),
        }
    }

    /// Returns the time left as a socket's timeout, where `None` means for ever.
    ///
    /// # Errors
    /// `TimedOut` once it has passed.
    pub fn socket_timeout(self) -> std::io::Result<Option<Duration>> {
        match self.remaining() {
            None => Err(std::io::ErrorKind::TimedOut.into()),
            Some(Duration::MAX) => Ok(None),
            Some(left) => Ok(Some(left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_or_never_comes() {
        assert_eq!(Deadline::after(Duration::ZERO).remaining(), None);
        assert!(Deadline::after(Duration::ZERO).socket_timeout().is_err());
        assert!(Deadline::after(Duration::from_secs(60)).remaining() > Some(Duration::from_secs(59)));
        assert_eq!(Deadline::after(Duration::MAX), Deadline::never());
        let soon = Deadline::after(Duration::from_secs(1));
        assert_eq!(soon.earlier(Deadline::never()), soon);
        assert_eq!(Deadline::never().earlier(soon), soon);
        assert_eq!(Deadline::after(Duration::from_secs(9)).earlier(soon), soon);
        assert_eq!(Deadline::never().socket_timeout().unwrap(), None);
    }
}
