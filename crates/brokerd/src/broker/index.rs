//! The index of accounts held against the store: at start, and again while the store has not answered.

use std::sync::{Arc, Mutex, PoisonError};

use broker_ipc::error::ErrorBody;
use tokio::sync::watch;

use super::Broker;
use crate::account::Command;
use crate::accounts::Card;
use crate::explain::Refusal;
use crate::grant::{AccountId, Grant};
use crate::sign_in::prompt_of;
use crate::store::StoreError;
use crate::vault::VaultError;

/// Whether the index has been held against the store.
pub(super) struct Reconciled {
    done: watch::Sender<Result<bool, ErrorBody>>,
    running: Mutex<bool>,
}

impl Default for Reconciled {
    fn default() -> Self {
        Self { done: watch::Sender::new(Ok(false)), running: Mutex::new(false) }
    }
}

impl Broker {
    /// Holds the index against the store, in the background; once at a time.
    pub(crate) fn reconcile(self: &Arc<Self>) {
        let mut running = self.reconciled.running.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *running, true) {
            return;
        }
        let broker = Arc::clone(self);
        self.tasks.spawn(async move {
            let work = async {
                let outcome = broker.hold_index_against_store().await;
                *broker.reconciled.running.lock().unwrap_or_else(PoisonError::into_inner) = false;
                drop(broker.reconciled.done.send_replace(outcome.map(|()| true)));
            };
            tokio::select! {
                () = work => {}
                () = broker.stop.cancelled() => {}
            }
        });
    }

    /// Waits until the index has been held against the store, trying again if the store did not answer last time. An
    /// account may be there that the index does not know.
    pub(crate) async fn reconciled(self: &Arc<Self>) -> Result<(), ErrorBody> {
        let mut done = self.reconciled.done.subscribe();
        if matches!(*done.borrow_and_update(), Ok(true)) {
            return Ok(());
        }
        self.reconcile();
        loop {
            tokio::select! {
                changed = done.changed() => if changed.is_err() { return Ok(()) },
                () = self.stop.cancelled() => return Err(Refusal::shutting_down().body),
            }
            match &*done.borrow_and_update() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(error.clone()),
            }
        }
    }

    async fn hold_index_against_store(self: &Arc<Self>) -> Result<(), ErrorBody> {
        // Whoever signs in from here on is not in the list, and is no less there; nor is what no store has taken yet.
        let known = self.accounts.indexed();
        let keys = match self.vault.list().await {
            Ok(keys) => keys,
            Err(error) => {
                self.begin_to_keep_alive(&known).await;
                return Err(error.body());
            }
        };
        self.tell_store();
        let stored: Option<Vec<AccountId>> =
            keys.as_ref().map(|keys| keys.iter().filter_map(|key| AccountId::parse(key)).collect());
        self.sweep(keys.as_deref().unwrap_or_default()).await;
        let taken_in = self.take_in_lost(stored.iter().flatten()).await;
        for card in known {
            let listed = stored.as_ref().is_none_or(|stored| stored.contains(&card.id));
            // "No such entry" is believed only if the store's list agrees, where it has one.
            if listed || !matches!(self.vault.get(card.id.as_str()).await, Ok(None)) {
                self.tell(&card.id, Command::Load).await;
            } else if let Some(elsewhere) = card.elsewhere(self.vault.kind()) {
                self.notices.add(format!(
                    "the sign-in of {} under profile {} is in another store, \"{elsewhere}\", and not in this one",
                    card.username, card.profile
                ));
            } else {
                self.accounts.forget(&card.id);
                self.notices.add(format!(
                    "the sign-in of {} under profile {} is not in the store any more",
                    card.username, card.profile
                ));
            }
        }
        taken_in.map_err(|error| error.body())
    }

    /// Starts the accounts that must not wait for somebody to ask: each tries by itself to read its grant.
    async fn begin_to_keep_alive(self: &Arc<Self>, known: &[Arc<Card>]) {
        let profiles = self.profiles();
        let kept = |card: &&Arc<Card>| {
            profiles.providers.get(&card.profile).is_some_and(|provider| provider.profile.silent.keep_alive)
        };
        for card in known.iter().filter(kept) {
            self.tell(&card.id, Command::Load).await;
        }
    }

    /// Deletes the records of prompts that nobody knows any more: their marks are lost.
    async fn sweep(&self, keys: &[String]) {
        let unknown = |key: &&String| prompt_of(key).is_some_and(|id| !self.sign_ins.marks.contains(id));
        for key in keys.iter().filter(unknown) {
            drop(self.vault.delete(key).await);
        }
    }

    /// Says which store it is and how long sign-ins last there. One that forgets is worth a notice.
    fn tell_store(&self) {
        let Some(why) = self.vault.why() else { return };
        let store = self.vault.status();
        if matches!(store.kind.as_str(), "keyring" | "file") {
            tracing::info!(store = store.kind, why, "store open");
        } else {
            self.notices.add(why);
        }
    }

    /// Takes in every account that the store has and the index does not. The first one that could not be read is told when
    /// the others are in: what it hides is there, and nobody is to sign in anew before it has been tried again.
    async fn take_in_lost(self: &Arc<Self>, stored: impl Iterator<Item = &AccountId>) -> Result<(), VaultError> {
        let mut outcome = Ok(());
        for id in stored {
            if self.accounts.card(id).is_some() {
                continue;
            }
            match self.take_in(id).await {
                Ok(true) => {
                    self.tell(id, Command::Load).await;
                }
                Ok(false) => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Takes in an account the store has and the index does not; `false` if its record is gone or of no use.
    async fn take_in(self: &Arc<Self>, id: &AccountId) -> Result<bool, VaultError> {
        let record = match self.vault.get(id.as_str()).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(false),
            // It will be so the next time as well, and must not hold up everybody else for ever.
            Err(VaultError::Store(error)) if matches!(*error, StoreError::Damaged(_) | StoreError::NotSupported(_)) => {
                self.notices.add(format!("the store has a record {id} that cannot be read: {error}"));
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        Ok(match Grant::from_record(&record) {
            Ok(grant) => {
                self.notices.add(format!(
                    "the index of accounts had lost {} under profile {}; repaired from the store",
                    grant.username(),
                    grant.profile
                ));
                self.accounts.remember(&grant, self.vault.kind());
                true
            }
            Err(why) => {
                self.notices.add(format!("the store has a record {id} that cannot be read: {why}"));
                false
            }
        })
    }
}
