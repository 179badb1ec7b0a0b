//! What the account's task knows of the flight in the air, should a sign-out cut that off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_oauth::secret::RefreshToken;
use tokio::time::Instant;

use crate::grant::Refresh;
use crate::outbound::EXCHANGE_TIMEOUT;

/// How long a provider may be at work on what it was sent: an exchange, and the way there.
const DONE: Duration = EXCHANGE_TIMEOUT.saturating_add(Duration::from_secs(1));

/// Shared by the account's task and its flight.
#[derive(Clone, Default)]
pub(super) struct Underway {
    may_hang: Arc<AtomicBool>,
    sent: Arc<Mutex<Option<Sent>>>,
    /// What a flight that was cut off had sent.
    before: Option<Sent>,
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
        Self { may_hang: Arc::new(AtomicBool::new(may_hang)), sent: Arc::default(), before }
    }

    /// What there was to save has been saved.
    pub(super) fn begins(&self) {
        self.may_hang.store(true, Ordering::Relaxed);
    }

    /// The token is sent now.
    pub(super) fn sends(&self, token: &RefreshToken) {
        let sent = Sent { token: token.clone(), until: Instant::now() + DONE };
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
    }

    /// The provider has answered, and nothing more is sent.
    pub(super) fn answered(&self) {
        self.may_hang.store(false, Ordering::Relaxed);
    }

    /// Whether the flight waits for the provider, which may never answer, so that a sign-out may cut it off. Once the provider has
    /// answered it may not: what is being saved may be all there is of a rotated token. The vault's deadline ends that.
    pub(super) fn may_hang(&self) -> bool {
        self.may_hang.load(Ordering::Relaxed)
    }

    /// What was sent last.
    pub(super) fn sent(&self) -> Option<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For how long the provider may be at work still on what was sent of this grant by a flight that was cut off. A provider that rotates
    /// may take the later of two for a theft.
    pub(super) fn still_at(&self, refresh: &Refresh) -> Option<Duration> {
        let Sent { token, until } = self.before.as_ref().filter(|sent| sent.is_at_work())?;
        let is_of_this = *token == refresh.token || refresh.previous.as_ref() == Some(token);
        is_of_this.then(|| until.saturating_duration_since(Instant::now()))
    }
}
