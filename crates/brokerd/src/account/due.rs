//! What an account has to do with the store, and when it may be asked again.

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::Account;
use super::hold::Hold;
use super::jobs::Job;
use crate::explain::{Refusal, Remedy};

/// How the account stands with the store, beside its grant.
pub(super) struct StoreTies {
    /// Whether the store's recovery is a reason to ask it before a pause is over. Once for each pause: it may do what others want and not
    /// this.
    pub(super) early: bool,
    /// The store was told to delete the grant, and may have done so though it did not say it.
    pub(super) doubt: Option<Doubt>,
}

/// What is done about a deletion that nobody knows the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its user was told that the account stays signed in: the grant is written once more.
    Stay,
    /// It was to give way to another account, and still is.
    GiveWay,
}

impl Default for StoreTies {
    fn default() -> Self {
        Self { early: true, doubt: None }
    }
}

/// What is to be done with the store when it answers.
pub(super) struct Due {
    pub(super) job: Job,
    /// Whether it is tried after each pause. What is not waits for the store to have answered somebody: asking one that is locked may
    /// open a dialog.
    by_itself: bool,
}

impl Account {
    pub(super) fn due(&self) -> Option<Due> {
        if self.air.is_some() {
            return None;
        }
        let by_itself = |job| Some(Due { job, by_itself: true });
        match (&self.hold, self.settles_doubt()) {
            (Some(Hold::Unsaved { .. }), None) => by_itself(Job::Save),
            (_, Some(job)) => Some(Due { job, by_itself: false }),
            _ if self.is_missed() => by_itself(Job::Load),
            _ => None,
        }
    }

    /// What is done about a deletion in doubt, if anything can be.
    pub(super) fn settles_doubt(&self) -> Option<Job> {
        match (&self.hold, self.store.doubt?) {
            (_, Doubt::GiveWay) => Some(Job::give_way(oneshot::channel().0)),
            (Some(Hold::Saved(_)), Doubt::Stay) => Some(Job::Rewrite),
            _ => None,
        }
    }

    /// A sign-in came. Saved, it settles what became of a deletion before it; unsaved, it is no less what the user has consented
    /// to since, and does not give way. One that was turned away (the profile has changed since it began) changes nothing.
    pub(super) fn adopted(&mut self, failure: Option<&Refusal>) {
        let is_unsaved = |refusal: &Refusal| refusal.remedy == Remedy::Time;
        let is_newer = matches!(self.hold, Some(Hold::Unsaved { .. })) && self.store.doubt == Some(Doubt::GiveWay);
        if failure.is_none_or(|refusal| is_newer && is_unsaved(refusal)) {
            self.store.doubt = None;
        }
    }
}

/// Ends when the store may be asked: after the pause, or because it has just answered somebody; with `early`, before the pause is over too.
/// Pends for ever where nothing is due. Cancelled, it has seen no recovery.
pub(super) async fn again(due: Option<&Due>, not_before: Instant, early: bool, recoveries: &mut watch::Receiver<u64>) {
    let Some(due) = due else { return std::future::pending().await };
    if !early {
        tokio::time::sleep_until(not_before).await;
    }
    let recovery = recoveries.changed();
    drop(if due.by_itself { tokio::time::timeout_at(not_before, recovery).await } else { Ok(recovery.await) });
}
