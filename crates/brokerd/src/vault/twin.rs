//! The vault without a thread, for a memory store: the same order, deadlines and answers, under tokio's clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::board::Board;
use super::error::VaultError;
use super::work::{self, Answer, Job};
use crate::store::SecretStore;
use crate::store::memory::MemoryStore;
use crate::store::split::Split;

pub(super) struct Twin {
    memory: MemoryStore,
    board: Arc<Board>,
    /// Fair: jobs get their turn in the order they asked for it.
    store: tokio::sync::Mutex<Box<dyn SecretStore>>,
    hang: Mutex<Hang>,
}

/// What the thread would be stuck in. Its mutex is never held over an await.
#[derive(Default)]
struct Hang {
    since: Option<Instant>,
    /// The job whose caller left while it hung: a thread in that call would carry it out in the end.
    late: Option<Job>,
}

impl Twin {
    pub(super) fn new(memory: MemoryStore, board: Arc<Board>) -> Self {
        let store: Box<dyn SecretStore> = match memory.max_item_bytes() {
            Some(max) => Box::new(Split::new(memory.clone(), max)),
            None => Box::new(memory.clone()),
        };
        board.opened(&*store, &format!("store \"memory\", as configured: {}", store.durability()));
        Self { memory, board, store: tokio::sync::Mutex::new(store), hang: Mutex::default() }
    }

    pub(super) async fn call(&self, job: Job, deadline: Duration) -> Result<Answer, VaultError> {
        if self.is_stuck(deadline) {
            return Err(VaultError::TimedOut);
        }
        tokio::time::timeout(deadline, self.turn(job, deadline)).await.unwrap_or(Err(VaultError::TimedOut))
    }

    async fn turn(&self, job: Job, deadline: Duration) -> Result<Answer, VaultError> {
        let mut store = self.store.lock().await;
        let mut job = job;
        if self.memory.is_hanging() {
            if self.is_stuck(deadline) {
                return Err(VaultError::TimedOut);
            }
            let begun = Begun::new(&self.hang, job);
            self.memory.released().await;
            let Some(released) = begun.end() else {
                return Err(VaultError::TimedOut);
            };
            job = released;
        }
        let late = {
            let mut hang = self.hang();
            hang.since = None;
            hang.late.take()
        };
        if let Some(late) = late {
            self.board.note(&work::run(&mut **store, &late));
        }
        let result = work::run(&mut **store, &job);
        self.board.note(&result);
        Ok(result?)
    }

    fn is_stuck(&self, deadline: Duration) -> bool {
        self.memory.is_hanging() && self.hang().since.is_some_and(|since| since.elapsed() >= deadline)
    }

    fn hang(&self) -> MutexGuard<'_, Hang> {
        self.hang.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that hangs. Dropped with its caller's future, it becomes the late one, unless another hung before it: then it never began.
struct Begun<'a> {
    hang: &'a Mutex<Hang>,
    job: Option<Job>,
}

impl<'a> Begun<'a> {
    fn new(hang: &'a Mutex<Hang>, job: Job) -> Self {
        hang.lock().unwrap_or_else(PoisonError::into_inner).since.get_or_insert_with(Instant::now);
        Self { hang, job: Some(job) }
    }

    fn end(mut self) -> Option<Job> {
        self.job.take()
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            self.hang.lock().unwrap_or_else(PoisonError::into_inner).late.get_or_insert(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DEADLINE, Vault};
    use super::*;
    use zeroize::Zeroizing;

    fn vault() -> (MemoryStore, Vault) {
        let memory = MemoryStore::new();
        (memory.clone(), Vault::memory(memory))
    }

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_survives_the_round_trip_framed() {
        let (memory, vault) = vault();
        vault.put("a", secret("one")).await.unwrap();
        assert!(memory.raw("a").unwrap().starts_with(b"brokerd:1:"));
        assert_eq!(vault.get("a").await.unwrap(), Some(secret("one")));
        assert_eq!(vault.list().await.unwrap().unwrap(), ["a"]);
        vault.delete("a").await.unwrap();
        assert_eq!(vault.get("a").await.unwrap(), None);
        vault.check().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_store_costs_one_deadline_and_then_none() {
        let (memory, vault) = vault();
        memory.set_hanging(true);
        let start = Instant::now();
        let (first, second) = tokio::join!(vault.put("a", secret("one")), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            vault.get("a").await
        });
        assert!(matches!(first, Err(VaultError::TimedOut)));
        assert!(matches!(second, Err(VaultError::TimedOut)));
        assert_eq!(start.elapsed(), DEADLINE, "the second did not wait for a deadline of its own");
        assert!(matches!(vault.get("a").await, Err(VaultError::TimedOut)));
        assert_eq!(start.elapsed(), DEADLINE, "nor did the third");
        assert_eq!(vault.status().state, "locked");

        memory.set_hanging(false);
        assert_eq!(vault.get("a").await.unwrap(), Some(secret("one")), "the put was begun, so it is carried out");
        assert_eq!(vault.status().state, "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_whose_caller_left_before_it_began_is_skipped() {
        let (memory, vault) = vault();
        memory.set_hanging(true);
        tokio::join!(
            async {
                let begun = vault.put("a", secret("begun"));
                assert!(tokio::time::timeout(Duration::from_secs(2), begun).await.is_err());
            },
            async {
                let queued = vault.put("b", secret("not begun"));
                assert!(tokio::time::timeout(Duration::from_secs(1), queued).await.is_err());
            },
        );
        memory.set_hanging(false);
        assert_eq!(vault.list().await.unwrap().unwrap(), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn switches_show_as_errors_and_in_the_status() {
        let (memory, vault) = vault();
        memory.set_locked(true);
        assert!(matches!(vault.get("a").await, Err(VaultError::Locked)));
        assert_eq!(vault.status().state, "locked");
        memory.set_locked(false);
        memory.set_full(true);
        assert!(matches!(vault.put("a", secret("x")).await, Err(VaultError::Store(_))));
        assert_eq!(vault.status().state, "unavailable");
        memory.set_full(false);
        vault.put("a", secret("x")).await.unwrap();
        assert_eq!(vault.status().state, "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn long_secrets_are_split_where_the_store_wants_it() {
        let memory = MemoryStore::new().with_max_item_bytes(100);
        let vault = Vault::memory(memory.clone());
        vault.put("a", secret(&"x".repeat(1000))).await.unwrap();
        assert_eq!(vault.get("a").await.unwrap().unwrap().len(), 1000);
        assert!(memory.raw_keys().len() > 10);
        assert_eq!(vault.list().await.unwrap().unwrap(), ["a"]);
    }
}
