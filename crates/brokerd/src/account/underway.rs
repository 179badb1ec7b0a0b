//! What the account's task knows of the flight in the air, should it be cut off.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_oauth::secret::RefreshToken;
use tokio::sync::watch;
use tokio::time::Instant;

use super::hold::{Held, Hold};
use super::until;
use crate::grant::{Grant, Refresh};
use crate::outbound::EXCHANGE_TIMEOUT;

/// How long a provider may be at work on what it was sent: an exchange, and the way there.
const DONE: Duration = EXCHANGE_TIMEOUT.saturating_add(Duration::from_secs(1));

/// Shared by the account's task and its flight.
#[derive(Clone, Default)]
pub(super) struct Underway {
    may_hang: Arc<watch::Sender<bool>>,
    known: Arc<Mutex<Known>>,
    /// What a flight that was cut off had sent.
    before: Option<Sent>,
}

#[derive(Default)]
struct Known {
    grant: Option<Grant>,
    sent: Option<Sent>,
}

/// A refresh token on its way, and when the provider is done with it at the latest.
#[derive(Clone)]
pub(super) struct Sent {
    token: RefreshToken,
    until: Instant,
}

impl Sent {
    /// Whether the provider may be at work on it still.
    pub(super) fn is_at_work(&self) -> bool {
        self.until > Instant::now()
    }
}

impl Underway {
    pub(super) fn new(may_hang: bool, before: Option<Sent>) -> Self {
        Self { may_hang: Arc::new(watch::Sender::new(may_hang)), known: Arc::default(), before }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there was to save has been saved, and this is what there is.
    pub(super) fn begins(&self, hold: &Hold) {
        if let Hold::Saved(Held { grant, .. }) = hold {
            self.writes(grant);
        }
        self.may_hang.send_replace(true);
    }

    /// The grant goes to the store like this.
    pub(super) fn writes(&self, grant: &Grant) {
        self.known().grant = Some(grant.clone());
    }

    /// The token is sent now.
    pub(super) fn sends(&self, token: &RefreshToken) {
        self.known().sent = Some(Sent { token: token.clone(), until: Instant::now() + DONE });
    }

    /// The provider has answered, and nothing more is sent.
    pub(super) fn answered(&self) {
        self.may_hang.send_replace(false);
    }

    /// Whether the flight waits for the provider, which may never answer, so that it may be cut off. Once the provider has answered
    /// it may not: what is being saved may be all there is of a rotated token. The vault's deadline ends that.
    pub(super) fn may_hang(&self) -> bool {
        *self.may_hang.borrow()
    }

    /// Ends when the flight may hang, not before `time`; never without one.
    pub(super) async fn hangs_past(&self, time: Option<Instant>) {
        until(time).await;
        // Its sender is here.
        drop(self.may_hang.subscribe().wait_for(|may_hang| *may_hang).await);
    }

    /// What was sent last.
    pub(super) fn sent(&self) -> Option<Sent> {
        self.known().sent.clone()
    }

    /// The grant as the flight had it. The store may not have it any longer, if a deletion before this was in doubt.
    pub(super) fn hold(&self) -> Hold {
        self.known().grant.take().map_or(Hold::NotLoaded, |grant| Hold::Saved(Held::new(grant)))
    }

    /// For how long the provider may be at work still on what was sent of this grant by a flight that was cut off. A provider that rotates
    /// may take the later of two for a theft.
    pub(super) fn still_at(&self, refresh: &Refresh) -> Option<Duration> {
        let Sent { token, until } = self.before.as_ref().filter(|sent| sent.is_at_work())?;
        let is_of_this = *token == refresh.token || refresh.previous.as_ref() == Some(token);
        is_of_this.then(|| until.saturating_duration_since(Instant::now()))
    }
}
