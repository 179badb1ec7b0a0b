//! Prompts that outlived the daemon: found at start, and gone on with for whoever comes back for them.
//!
//! What may have happened to a poll that was under way decides. A code whose user had consented is never polled again: some
//! servers revoke the whole grant then, and it may be the one that was just saved. A code whose last poll has no known
//! answer is polled again: if that poll had brought the grant, nobody has it, and there is nothing left to lose.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::marks::Mark;
use super::{SignIns, kept};
use crate::broker::Broker;

/// How long a prompt waits for its clients to come back; they try for as long.
pub(super) const COMEBACK: Duration = Duration::from_secs(30);

impl SignIns {
    /// Waits until the prompts of the daemon before this one have been found again, so that their clients join them
    /// instead of being shown new ones. Bounded by the vault's deadline.
    pub(crate) async fn recovered(&self) {
        // The sender lives as long as `self`.
        drop(self.recovered.subscribe().wait_for(|done| *done).await);
    }

    /// Returns whether [`recovered`](Self::recovered) would not wait.
    pub(crate) fn have_recovered(&self) -> bool {
        *self.recovered.borrow()
    }

    /// Finds the prompts that were pending, in the background.
    pub(crate) fn recover(&self, broker: &Arc<Broker>) {
        let marks = self.marks.all();
        if marks.is_empty() {
            self.recovered.send_replace(true);
            return;
        }
        let tasks = broker.tasks.clone();
        let broker = Arc::clone(broker);
        tasks.spawn(async move {
            // Whatever becomes of this task, nobody waits for it for ever.
            let _recovered = Recovered(&broker.sign_ins.recovered);
            for (id, mark) in marks {
                tokio::select! {
                    () = take_up(&broker, id, mark) => {}
                    () = broker.stop.cancelled() => return,
                }
            }
        });
    }
}

struct Recovered<'s>(&'s watch::Sender<bool>);

impl Drop for Recovered<'_> {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

async fn take_up(broker: &Arc<Broker>, id: String, mark: Mark) {
    if !mark.over
        && let Ok(Some(record)) = broker.vault.get(&kept::key(&id)).await
        && let Some((wish, kept)) = kept::from_record(broker, &record, &mark)
    {
        broker.sign_ins.resume(broker, id, wish, kept);
        return;
    }
    forget(broker, &id).await;
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
