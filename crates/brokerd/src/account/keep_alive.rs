//! Keeping a short refresh token alive, where the profile wants it (`keep_alive`): a refresh that nobody asked for, before
//! the token would end unused.
//!
//! There is no timer for other accounts, nor where the provider does not say when the token ends.

use std::time::Duration;

use broker_oauth::keep_alive::RefreshLife;
use tokio::time::Instant;

use super::ask::Key;
use super::hold::Hold;
use super::{Account, Ask, refresh};
use crate::explain::{Refusal, Remedy};

/// The pause after an attempt that could not be made at all. As long as a refusal is remembered: it costs the provider nothing.
const PAUSE: Duration = Duration::from_secs(120);

/// How keeping alive goes.
#[derive(Default)]
pub(super) struct KeepAlive {
    /// What the last attempt was for, and what it asked for.
    tried: Option<(RefreshLife, Key)>,
    /// A refresh does not lengthen this one's life: left alone until there is another.
    given_up: Option<RefreshLife>,
    /// The refresh was refused a moment ago, and is not tried before that is forgotten; or it could not be sent.
    rests_until: Option<Instant>,
}

impl Account {
    /// How long to sleep before looking whether the refresh token must be used; `None`: not at all.
    pub(super) fn nap(&self) -> Option<Duration> {
        let life = self.kept_life()?;
        let nap = life.nap(self.broker.clock.now(), self.spread()).unsigned_abs();
        // After an attempt that failed, in the pace of all that nobody waits for.
        let again = self.not_before.max(self.keep_alive.rests_until.unwrap_or(self.not_before));
        Some(if nap.is_zero() { again.saturating_duration_since(Instant::now()) } else { nap })
    }

    /// Uses the refresh token, if it is time.
    pub(super) fn keep_alive(&mut self) {
        let Some(life) = self.kept_life().filter(|life| life.is_due(self.broker.clock.now(), self.spread())) else {
            return;
        };
        let Some(ask) = self.unasked() else { return };
        self.keep_alive.rests_until = self.refusals.until(&ask.key());
        if self.keep_alive.rests_until.is_some() {
            return; // nothing would be sent
        }
        tracing::debug!(account = %self.id, "the refresh token is used, so that it does not end");
        self.keep_alive.tried = Some((life, ask.key()));
        drop(self.join(ask, false));
    }

    /// Takes in how a refresh went. One that worked and left the end where it was, or was refused for good, is not repeated. What
    /// is wrong here alone (no client secret, a file of certificates that is being replaced) may be mended without a word to us.
    pub(super) fn kept_alive(&mut self, flown: Option<&Key>, failure: Option<&Refusal>) {
        let Some((life, _)) = self.keep_alive.tried.take_if(|(_, key)| flown == Some(key)) else { return };
        match failure {
            Some(Refusal { remedy: Remedy::Time, .. }) => {}
            Some(Refusal { remedy: Remedy::None, body, .. }) if body.provider.is_none() => {
                self.keep_alive.rests_until = Some(Instant::now() + PAUSE);
            }
            _ => self.keep_alive.given_up = Some(life),
        }
    }

    /// The life to prolong; none while the grant is in the air or unsaved.
    fn kept_life(&self) -> Option<RefreshLife> {
        let profile = &self.provider.as_ref()?.profile;
        let Some(Hold::Saved(held)) = &self.hold else { return None };
        let wanted = profile.silent.keep_alive && held.grant.belongs_to(profile);
        held.grant.refresh_life().filter(|life| wanted && self.keep_alive.given_up != Some(*life))
    }

    fn unasked(&self) -> Option<Ask> {
        let Some(Hold::Saved(held)) = &self.hold else { return None };
        Some(refresh::unasked(self.provider.as_ref()?, &held.grant))
    }

    /// Whether the grant could not be read, and must be, so that its refresh token is kept alive: nobody else might ask
    /// before it ends.
    pub(super) fn is_missed(&self) -> bool {
        let wanted = self.provider.as_ref().is_some_and(|provider| provider.profile.silent.keep_alive);
        wanted && matches!(self.hold, Some(Hold::NotLoaded)) && self.air.is_none()
    }

    /// The same for an account whenever it is asked, and different for most others.
    fn spread(&self) -> u8 {
        self.id.as_str().get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }
}
