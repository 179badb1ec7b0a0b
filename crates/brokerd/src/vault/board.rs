//! What is known about the store without asking it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use broker_ipc::api::StoreStatus;
use tokio::sync::watch;

use super::error::VaultError;
use crate::store::{SecretStore, StoreError, StoreKind};

/// The last known state. One mutex, never held over an await or a store's call.
pub(super) struct Board {
    known: Mutex<Known>,
    /// Counts how often it answered again.
    recoveries: watch::Sender<u64>,
}

struct Known {
    kind: StoreKind,
    durability: &'static str,
    state: &'static str,
    detail: Option<String>,
    why: Option<String>,
    /// What a person is to give, where that is how it opens.
    unlock: Option<&'static str>,
}

impl Board {
    pub(super) fn new(configured: StoreKind) -> Self {
        let durability = "not known until the store is open";
        let known = Known { kind: configured, durability, state: "opening", detail: None, why: None, unlock: None };
        Self { known: Mutex::new(known), recoveries: watch::Sender::new(0) }
    }

    pub(super) fn opened(&self, store: &dyn SecretStore, why: &str) {
        tracing::info!(why, "store opened");
        let mut known = self.lock();
        known.kind = store.kind();
        known.durability = store.durability();
        known.why = Some(why.to_owned());
        // After a failure the job that it was opened for tells whether it works: a locked one opens too.
        if known.state == "opening" {
            (known.state, known.detail) = ("ok", None);
        }
    }

    /// Notes how a call ended.
    pub(super) fn note<T>(&self, result: &Result<T, StoreError>) {
        let mut known = self.lock();
        if matches!(result, Err(StoreError::Passphrase(_))) && known.state == "ok" {
            return; // it is open, whatever somebody takes for its passphrase
        }
        let (state, detail) = match result {
            Ok(_) => ("ok", None),
            Err(error @ (StoreError::NeedsPassphrase { .. } | StoreError::Passphrase(_))) => {
                ("locked", Some(error.to_string()))
            }
            Err(StoreError::Locked) => ("locked", Some(StoreError::Locked.to_string())),
            Err(error) => ("unavailable", Some(error.chain())),
        };
        match result {
            Err(StoreError::NeedsPassphrase { new: true }) => known.unlock = Some("new_passphrase"),
            Err(StoreError::NeedsPassphrase { new: false }) => known.unlock = Some("passphrase"),
            // Still locked, as it was.
            Err(StoreError::Passphrase(_)) => {}
            _ => known.unlock = None,
        }
        let changed = state != known.state;
        if changed {
            if state == "ok" {
                tracing::info!(state, "store state changed");
            } else {
                tracing::warn!(state, detail, "store state changed");
            }
        }
        (known.state, known.detail) = (state, detail);
        drop(known);
        if changed && state == "ok" {
            self.recoveries.send_modify(|count| *count += 1);
        }
    }

    pub(super) fn recoveries(&self) -> watch::Receiver<u64> {
        self.recoveries.subscribe()
    }

    pub(super) fn note_timeout(&self) {
        let mut known = self.lock();
        known.state = "locked";
        known.detail = Some(VaultError::TimedOut.to_string());
    }

    pub(super) fn kind(&self) -> &'static str {
        self.lock().kind.as_str()
    }

    pub(super) fn status(&self) -> StoreStatus {
        let known = self.lock();
        StoreStatus {
            kind: known.kind.as_str().to_owned(),
            durability: known.durability.to_owned(),
            state: known.state.to_owned(),
            detail: known.detail.clone(),
            unlock: known.unlock.map(str::to_owned),
        }
    }

    pub(super) fn why(&self) -> Option<String> {
        self.lock().why.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
