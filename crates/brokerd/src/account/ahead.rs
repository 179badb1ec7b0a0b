//! What a person has done goes ahead of refreshes: a sign-in, a sign-out. One that hangs in front of it is cut off.

use std::time::Duration;

use broker_ipc::api::SignedOut;
use broker_ipc::error::ErrorBody;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::hold::Brought;
use super::jobs::Job;
use super::{Account, Flying, NoLoan};
use crate::flight::Landing;
use crate::grant::Credential;
use crate::outbound::EXCHANGE_TIMEOUT;
use crate::provider::Fault;

/// How long a refresh in the air may keep it waiting for the provider's answer, which then is saved all the same. A provider that answers at
/// all does so in seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// From the request to sign out to its answer, less what the store may take at the end.
const LIMIT: Duration = Duration::from_secs(40);

impl Account {
    /// Until it is saved, a consent is in memory alone.
    pub(super) fn queue_adopt(&mut self, brought: Box<Brought>, reply: oneshot::Sender<Landing>) {
        let adopt = Job::Adopt { brought, reply };
        if self.takes_the_place(&adopt) {
            self.cut_at.get_or_insert(Instant::now() + PATIENCE);
        }
        self.queue_ahead(adopt);
    }

    /// With `revoke`, the provider is told.
    pub(super) fn queue_sign_out(&mut self, reply: oneshot::Sender<Result<SignedOut, ErrorBody>>, revoke: bool) {
        let now = Instant::now();
        self.cut_at.get_or_insert(now + PATIENCE);
        self.queue_ahead(Job::SignOut { reply, by: now + LIMIT, revoke });
    }

    /// Behind what a person did before it.
    fn queue_ahead(&mut self, job: Job) {
        let behind = self.queue.iter().rposition(|job| !job.asks()).map_or(0, |last| last + 1);
        self.queue.insert(behind, job);
    }

    /// Whether it brings a grant that what a refresh may bring is nothing against.
    fn takes_the_place(&self, job: &Job) -> bool {
        let Job::Adopt { brought, .. } = job else { return false };
        let lasts = !matches!(brought.grant.credential, Credential::Transient);
        lasts && self.provider.as_ref().is_some_and(|provider| brought.grant.belongs_to(&provider.profile))
    }

    /// Whether a sign-in waits for its turn that is worth more than what is in the air.
    pub(super) fn has_consent(&self) -> bool {
        self.queue.iter().any(|job| self.takes_the_place(job))
    }

    /// Ends a refresh that hangs. What the provider made of it is not known, as after a crash: what was sent is there, and an intent.
    /// One that was answered in this very moment is let land. Should the account go on with this grant, nothing is sent of it before
    /// this one would have ended by itself.
    pub(super) fn cut_off(&mut self) {
        if !self.underway.may_hang() {
            return;
        }
        let signs_out = self.queue.iter().any(|job| matches!(job, Job::SignOut { .. }));
        // A reload may have made it another client's.
        if !signs_out && !self.has_consent() {
            self.cut_at = None;
            return;
        }
        let why = if signs_out { "signs out" } else { "signed in anew" };
        tracing::warn!(account = %self.id, "a refresh that hangs is cut off: the account {why}");
        let underway = std::mem::take(&mut self.underway);
        self.air = None;
        self.outdated = false;
        self.hold = Some(underway.hold());
        self.sent = underway.sent().or(self.sent.take());
        if let Some(reply) = self.lending.take()
            && !signs_out
        {
            // There is something to lend still, or again.
            drop(reply.send(Err(NoLoan::Fault(Fault::still_at_work(EXCHANGE_TIMEOUT)))));
        }
        // Who waits for it has it by the new sign-in, or hears that the account has signed out, or why it has not.
        if let Some(Flying { ask, progress, .. }) = self.flying.take()
            && progress.receiver_count() > 0
        {
            self.queue.push_back(Job::Refresh { ask, progress, wanted: true });
        }
    }
}

impl Job {
    /// The end of an account that another has come in the place of.
    pub(super) fn give_way(reply: oneshot::Sender<Result<SignedOut, ErrorBody>>) -> Self {
        Self::SignOut { reply, by: Instant::now() + LIMIT, revoke: false }
    }

    /// Whether it may ask the provider for a token.
    pub(super) fn asks(&self) -> bool {
        matches!(self, Self::Refresh { .. } | Self::Lend { .. } | Self::Load)
    }
}
