//! Prompts that outlived the daemon: found at start, and gone on with for whoever comes back for them.
//!
//! What may have happened to a poll that was under way decides. A code whose user had consented is never polled again: some
//! servers revoke the whole grant then, and it may be the one that was just saved. A code whose last poll has no known
//! answer is polled again: if that poll had brought the grant, nobody has it, and there is nothing left to lose.
//!
//! A store that is locked or does not answer has not said that a prompt is gone: it is asked again when it answers somebody,
//! after a pause, and before anybody is shown a new prompt, until the codes have run out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::marks::Mark;
use super::{SignIns, kept};
use crate::broker::Broker;
use crate::store::StoreError;
use crate::vault::VaultError;

/// How long a prompt waits for its clients to come back; they try for as long.
pub(super) const COMEBACK: Duration = Duration::from_secs(30);
/// The first pause before a store that did not answer is asked again; doubled up to the longest, as an account's is.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The search for the prompts of the daemon before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The store has not been asked for all of them yet.
    First,
    /// It did not answer for some, and is left alone for now.
    Paused,
    /// It is asked for these again.
    Again,
    /// Each was found, or is gone.
    Over,
}

impl SignIns {
    /// Waits until the prompts of the daemon before this one have been found again, so that their clients join them
    /// instead of being shown new ones. Bounded by the vault's deadline.
    pub(crate) async fn recovered(&self) {
        // The sender lives as long as `self`.
        drop(self.search.subscribe().wait_for(|search| *search != Search::First).await);
    }

    /// Returns whether [`recovered`](Self::recovered) would not wait.
    pub(crate) fn have_recovered(&self) -> bool {
        *self.search.borrow() != Search::First
    }

    /// Looks once more for prompts that the store did not answer for. Before somebody is shown a new one: the store, which
    /// must answer for that, may have opened just now. Bounded by the vault's deadline.
    pub(crate) async fn look_again(&self) {
        let mut search = self.search.subscribe();
        self.search.send_if_modified(|search| {
            let paused = *search == Search::Paused;
            if paused {
                *search = Search::Again;
            }
            paused
        });
        drop(search.wait_for(|search| matches!(search, Search::Paused | Search::Over)).await);
    }

    /// Finds the prompts that were pending, in the background.
    pub(crate) fn recover(&self, broker: &Arc<Broker>) {
        let marks = self.marks.all();
        if marks.is_empty() {
            self.search.send_replace(Search::Over);
            return;
        }
        let tasks = broker.tasks.clone();
        let broker = Arc::clone(broker);
        tasks.spawn(async move {
            // Whatever becomes of this task, nobody waits for it for ever.
            let _over = Over(&broker.sign_ins.search);
            tokio::select! {
                () = find(&broker, marks) => {}
                () = broker.stop.cancelled() => {}
            }
        });
    }
}

struct Over<'s>(&'s watch::Sender<Search>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.send_replace(Search::Over);
    }
}

/// Takes up every prompt of these marks, as soon as the store answers for it.
async fn find(broker: &Arc<Broker>, mut marks: Vec<(String, Mark)>) {
    let search = &broker.sign_ins.search;
    let (mut wanted, mut recoveries) = (search.subscribe(), broker.vault.recoveries());
    let mut pause = FIRST_PAUSE;
    loop {
        let (mut unanswered, mut is_shut) = (Vec::new(), true);
        for (id, mark) in marks {
            if let Err(error) = take_up(broker, &id, &mark).await {
                is_shut &= error.is_shut();
                unanswered.push((id, mark));
            }
        }
        if unanswered.is_empty() {
            return;
        }
        marks = unanswered;
        tracing::info!(prompts = marks.len(), "the store does not answer for pending prompts; it is asked again");
        search.send_replace(Search::Paused);
        tokio::select! {
            _ = wanted.wait_for(|search| *search == Search::Again) => {}
            _ = recoveries.changed() => {}
            // Who has closed the dialog of a locked store is not shown another before somebody comes for the prompt.
            () = tokio::time::sleep(pause), if !is_shut => pause = (pause * 2).min(LONGEST_PAUSE),
        }
        search.send_replace(Search::Again);
    }
}

/// Goes on with a prompt, or forgets it where that cannot be. Fails where the store does not say what it has of it.
async fn take_up(broker: &Arc<Broker>, id: &str, mark: &Mark) -> Result<(), VaultError> {
    if !mark.is_over(broker.clock.now()) {
        match broker.vault.get(&kept::key(id)).await {
            Ok(record) => {
                if let Some((wish, kept)) = record.and_then(|record| kept::from_record(broker, &record, mark)) {
                    broker.sign_ins.resume(broker, id.to_owned(), wish, kept);
                    return Ok(());
                }
            }
            Err(VaultError::Store(error)) if matches!(*error, StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    forget(broker, id).await;
    Ok(())
}

/// Takes a prompt's record and mark away. What cannot be deleted now is deleted at the next start.
pub(super) async fn forget(broker: &Broker, id: &str) {
    if !broker.sign_ins.marks.contains(id) {
        return;
    }
    broker.sign_ins.marks.end(id);
    match broker.vault.delete(&kept::key(id)).await {
        Ok(()) => broker.sign_ins.marks.remove(id),
        Err(error) => {
            tracing::warn!(prompt = id, %error, "the record of a prompt that is over stays until the next start");
        }
    }
}
