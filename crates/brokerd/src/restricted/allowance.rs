//! How much of the user's own way to a token those on one restricted socket may take up.
//!
//! An account's refreshes wait for each other, and a provider that is asked too often lets everybody wait. Whoever is on a
//! restricted socket can ask for a new token with every call, by `force_refresh` or by claims that nobody has seen.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use broker_ipc::error::{ErrorBody, ErrorCode};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::explain::{Refusal, Remedy};

/// Requests that may wait for a refresh at a time. The others wait here, where they are in nobody's way.
const AT_ONCE: usize = 4;
/// Requests that no token at hand would serve, one behind the other.
const IN_A_ROW: u32 = 16;
/// How long until there may be one more of them.
const ONE_MORE: Duration = Duration::from_secs(5);

/// What one restricted socket's callers have between them.
#[derive(Debug)]
pub(crate) struct Allowance {
    turns: Semaphore,
    /// When all that was taken is paid back.
    paid: Mutex<Option<Instant>>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), paid: Mutex::default() }
    }
}

impl Allowance {
    /// Waits for a turn, which lasts until what is returned is dropped. One that `wants_new` is refused when there were many.
    pub(crate) async fn turn(&self, wants_new: bool) -> Result<SemaphorePermit<'_>, Refusal> {
        if wants_new {
            self.take(Instant::now())?;
        }
        self.turns.acquire().await.map_err(|_| Refusal::internal())
    }

    fn take(&self, now: Instant) -> Result<(), Refusal> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let then = paid.map_or(now, |paid| paid.max(now)) + ONE_MORE;
        let Some(wait) = (then - now).checked_sub(ONE_MORE * IN_A_ROW).filter(|wait| !wait.is_zero()) else {
            *paid = Some(then);
            return Ok(());
        };
        let what = "too many requests through this restricted socket want a new token, and not the one at hand";
        let mut body = ErrorBody::new(ErrorCode::Throttled, what)
            .with_hint("ask without force_refresh and claims where the token at hand was not refused");
        body.retry_after = Some(wait.as_secs() + 1);
        Err(Refusal { body, remedy: Remedy::Time, unusable: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn new_tokens_are_had_in_a_row_and_then_one_by_one() {
        let allowance = Allowance::default();
        for _ in 0..IN_A_ROW {
            drop(allowance.turn(true).await.unwrap());
        }
        for _ in 0..2 {
            let refused = allowance.turn(true).await.unwrap_err().body;
            assert_eq!((refused.error, refused.retry_after), (ErrorCode::Throttled, Some(6)));
        }
        drop(allowance.turn(false).await.unwrap());
        tokio::time::advance(ONE_MORE).await;
        drop(allowance.turn(true).await.unwrap());
        assert!(allowance.turn(true).await.is_err(), "what was refused was not taken");
        tokio::time::advance(ONE_MORE * 100).await;
        for _ in 0..IN_A_ROW {
            drop(allowance.turn(true).await.unwrap());
        }
        assert!(allowance.turn(true).await.is_err(), "nothing is saved up");
    }
}
