//! A flight: one acquisition, and everybody who waits for it, on one `watch` channel.
//!
//! | need | how `watch` gives it |
//! |---|---|
//! | one flight for all | a caller with the same key subscribes |
//! | the prompt reaches every waiter | `send_replace(Prompt)`; each reads at its own pace |
//! | a late joiner sees it at once | `borrow()` is the current value |
//! | the last waiter left | `closed()` |
//! | the result reaches everybody | `send_replace(Landed)` |
//!
//! Who may cancel what, when every caller has gone:
//!
//! | operation | then | why |
//! |---|---|---|
//! | refresh in the air | runs to the end and is saved, but for a sign-out or a sign-in before which it hangs | the server may have rotated the token |
//! | refresh not yet begun | dropped | |
//! | device flow between polls | abandoned | nobody sees the prompt |
//! | poll in the air, or grant received | runs to the save | the user has consented |

use std::sync::Arc;

use broker_ipc::api::DevicePrompt;
use broker_oauth::token::IssuedToken;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::explain::Refusal;
use crate::grant::AccountId;

/// Where a flight is.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// Nothing to show yet.
    Working,
    /// A person must act.
    Prompt(Arc<Prompt>),
    /// Over.
    Landed(Landing),
}

/// What a person must see, and until when.
#[derive(Debug)]
pub(crate) struct Prompt {
    prompt: DevicePrompt,
    expires_at: Timestamp,
}

impl Prompt {
    /// A prompt whose codes run out at `expires_at`.
    pub(crate) fn new(prompt: DevicePrompt, expires_at: Timestamp) -> Self {
        Self { prompt, expires_at }
    }

    /// The prompt as it is to be told at `now`.
    pub(crate) fn at(&self, now: Timestamp) -> DevicePrompt {
        let left = self.expires_at.duration_since(now).as_secs();
        DevicePrompt { expires_in: u64::try_from(left).unwrap_or(0), ..self.prompt.clone() }
    }
}

/// How a flight ended.
pub(crate) type Landing = Result<Landed, Refusal>;

/// What a flight brought.
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    /// Whose.
    pub account: AccountId,
    /// The token.
    pub token: Arc<IssuedToken>,
}

/// A waiter's end of a flight. Dropping it leaves the flight.
pub(crate) type Waiter = watch::Receiver<Progress>;

/// Starts a flight's channel.
pub(crate) fn channel() -> (watch::Sender<Progress>, Waiter) {
    watch::channel(Progress::Working)
}

/// A flight that has landed before it began.
pub(crate) fn landed(landing: Landing) -> Waiter {
    watch::channel(Progress::Landed(landing)).1
}

/// Waits for the landing, sending each prompt on the way to `show`. A flight whose task died lands as an internal error.
/// Dropping the future leaves the flight.
pub(crate) async fn wait(mut waiter: Waiter, show: Option<&mpsc::Sender<Arc<Prompt>>>) -> Landing {
    loop {
        let progress = waiter.borrow_and_update().clone();
        match progress {
            Progress::Working => {}
            Progress::Prompt(prompt) => {
                if let Some(show) = show {
                    // A receiver that has gone has a caller that has gone: this future is about to be dropped.
                    drop(show.send(prompt).await);
                }
            }
            Progress::Landed(landing) => return landing,
        }
        if waiter.changed().await.is_err() {
            return match &*waiter.borrow() {
                Progress::Landed(landing) => landing.clone(),
                _ => Err(Refusal::internal()),
            };
        }
    }
}
