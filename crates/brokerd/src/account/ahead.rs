//! What a person has done goes ahead of refreshes: a sign-in, a sign-out. One that hangs in front of it is cut off.

use std::time::Duration;

use broker_ipc::api::SignedOut;
use broker_ipc::error::ErrorBody;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::hold::Brought;
use super::jobs::Job;
use super::{Account, Flying};
use crate::explain::Refusal;
use crate::flight::{Landing, Progress};
use crate::grant::Credential;

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
        self.air = None;
        self.hold = Some(self.underway.hold());
        self.sent = self.underway.sent().or(self.sent.take());
        let signs_in = matches!(self.queue.front(), Some(Job::Adopt { .. }));
        let why = if signs_in { "signed in anew" } else { "signs out" };
        tracing::warn!(account = %self.id, "a refresh that hangs is cut off: the account {why}");
        let Some(Flying { ask, progress, .. }) = self.flying.take() else { return };
        if signs_in {
            // Who waits for it has it by the new sign-in.
            self.queue.push_back(Job::Refresh { ask, progress, wanted: true });
        } else {
            let gone = Refusal::sign_in("the account was signed out meanwhile");
            progress.send_replace(Progress::Landed(Err(gone)));
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
