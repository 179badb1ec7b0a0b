//! The one way to the secrets: an async handle over the thread that owns the [`store`].
//!
//! A locked Secret Service can hold its caller for ever, and D-Bus calls have no deadline of their own. So the store lives on one plain
//! thread, which nobody waits for at exit, and every job has a deadline on the caller's side. While a call is stuck, later jobs fail at
//! once instead of queueing for a deadline each. Jobs run in the order they were asked for.
//!
//! [`Vault::memory`] is the same without a thread, for memory stores and for tests: to a paused tokio clock, a real thread looks like
//! idleness, and it would fire every timer.

mod board;
mod error;
mod thread;
mod twin;
mod work;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api::StoreStatus;
use secrecy::SecretString;
use tokio::sync::watch;
use zeroize::Zeroizing;

pub use self::error::VaultError;

use self::board::Board;
use self::thread::{Given, Thread};
use self::twin::Twin;
use self::work::{Answer, Job};
use crate::store::memory::MemoryStore;
use crate::store::{self, Opened, StoreConfig, StoreError, StoreKind};

/// How long a job may take, waiting for its turn included, unless [`Vault::with_deadline`] says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// The same for a passphrase, whatever the handle says: making a key of it is slow by design, and slower on a small machine. A client waits
/// for a minute.
const UNLOCK_DEADLINE: Duration = Duration::from_secs(45);

/// A handle to the secrets. Clones lead to the same store.
///
/// Every method ends by the deadline, [`unlock`](Self::unlock) of a store on a thread by a longer one of its own. Dropping a call's future
/// gives up the wait: a job that has not begun is skipped; one that has begun is carried out, its answer lost.
#[derive(Clone)]
pub struct Vault {
    backend: Backend,
    board: Arc<Board>,
    deadline: Duration,
}

#[derive(Clone)]
enum Backend {
    Thread(Thread),
    Twin(Arc<Twin>),
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Vault {
    /// Starts the vault for a configured store. The store is opened by the first job, and by every later one until that succeeds.
    ///
    /// `auto` chooses once: a store that fails later is opened again as what it was.
    ///
    /// # Errors
    ///
    /// Only if the system gives no thread.
    pub fn spawn(mut config: StoreConfig) -> io::Result<Self> {
        if config.kind == StoreKind::Memory {
            return Ok(Self::memory(MemoryStore::new()));
        }
        Self::spawn_over(config.kind, move |given| {
            let opened = match given {
                Some((passphrase, new)) => store::unlock_explained(&config, passphrase, new)?,
                None => store::open_explained(&config)?,
            };
            config.kind = opened.store.kind();
            Ok(opened)
        })
    }

    /// Starts the vault for whatever `open` opens, on the vault's thread. `configured` is what `status` says until then.
    ///
    /// # Errors
    ///
    /// Only if the system gives no thread.
    pub fn spawn_with(
        configured: StoreKind,
        mut open: impl FnMut() -> Result<Opened, StoreError> + Send + 'static,
    ) -> io::Result<Self> {
        Self::spawn_over(configured, move |_| open())
    }

    fn spawn_over(
        configured: StoreKind,
        open: impl FnMut(Option<Given<'_>>) -> Result<Opened, StoreError> + Send + 'static,
    ) -> io::Result<Self> {
        let board = Arc::new(Board::new(configured));
        let thread = Thread::spawn(Arc::clone(&board), Box::new(open))?;
        Ok(Self { backend: Backend::Thread(thread), board, deadline: DEADLINE })
    }

    /// A vault over a memory store, without a thread: everything happens in the caller's task, under tokio's clock.
    ///
    /// A store that [hangs](MemoryStore::set_hanging) holds its job until the deadline, and the vault then behaves as it would with a thread
    /// in that call. The job that hung is carried out before the first job after the store was released.
    pub fn memory(store: MemoryStore) -> Self {
        let board = Arc::new(Board::new(StoreKind::Memory));
        let twin = Twin::new(store, Arc::clone(&board));
        Self { backend: Backend::Twin(Arc::new(twin)), board, deadline: DEADLINE }
    }

    /// The same vault with another deadline for the jobs of this handle and its clones.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Opens the store, if it is not open.
    pub async fn open(&self) -> Result<(), VaultError> {
        self.call(Job::Open).await.map(drop)
    }

    /// Opens a store that waits for a person's passphrase; with `new`, this is the one from now on. One that is open stays so.
    pub async fn unlock(&self, passphrase: SecretString, new: bool) -> Result<(), VaultError> {
        self.call(Job::Unlock { passphrase, new }).await.map(drop)
    }

    /// Reads a secret; `None` if there is none.
    ///
    /// `None` is an answer of the store and not of its lock or absence. It does not prove that there never was one: the user can delete
    /// items by hand, and the kernel forgets.
    pub async fn get(&self, key: &str) -> Result<Option<Zeroizing<String>>, VaultError> {
        match self.call(Job::Get(key.to_owned())).await? {
            Answer::Value(value) => Ok(value),
            _ => Ok(None),
        }
    }

    /// Writes or replaces a secret. `Ok` means that it is as durable as the store makes it.
    ///
    /// After [`VaultError::TimedOut`] it may have been written, or be written later.
    pub async fn put(&self, key: &str, secret: Zeroizing<String>) -> Result<(), VaultError> {
        self.call(Job::Put(key.to_owned(), secret)).await.map(drop)
    }

    /// Deletes a secret; one that is not there is deleted already.
    pub async fn delete(&self, key: &str) -> Result<(), VaultError> {
        self.call(Job::Delete(key.to_owned())).await.map(drop)
    }

    /// Returns all keys, or `None` where the store cannot search.
    pub async fn list(&self) -> Result<Option<Vec<String>>, VaultError> {
        match self.call(Job::List).await? {
            Answer::Keys(keys) => Ok(keys),
            _ => Ok(None),
        }
    }

    /// Writes an item, reads it back and deletes it: what `doctor` wants to know.
    pub async fn check(&self) -> Result<(), VaultError> {
        self.call(Job::Check).await.map(drop)
    }

    /// Returns whether the vault's thread answered within `limit`, or is inside a call of the store's.
    pub async fn is_alive(&self, limit: Duration) -> bool {
        match &self.backend {
            Backend::Thread(thread) => thread.is_alive(limit).await,
            Backend::Twin(_) => true,
        }
    }

    /// Returns what is known about the store, without asking it.
    pub fn status(&self) -> StoreStatus {
        self.board.status()
    }

    /// Returns which kind of store it is, as the configuration names it; `auto` before it is open.
    pub(crate) fn kind(&self) -> &'static str {
        self.board.kind()
    }

    /// Returns a receiver that sees a change each time the store does what it is asked to, after it did not.
    pub(crate) fn recoveries(&self) -> watch::Receiver<u64> {
        self.board.recoveries()
    }

    /// Returns which store was taken and why, on one line, once it is open.
    pub fn why(&self) -> Option<String> {
        self.board.why()
    }

    async fn call(&self, job: Job) -> Result<Answer, VaultError> {
        let result = match &self.backend {
            Backend::Thread(thread) if matches!(job, Job::Unlock { .. }) => {
                thread.unlock(job, self.deadline, UNLOCK_DEADLINE).await
            }
            Backend::Thread(thread) => thread.call(job, self.deadline).await,
            Backend::Twin(twin) => twin.call(job, self.deadline).await,
        };
        if let Err(VaultError::TimedOut) = result {
            self.board.note_timeout();
        }
        result
    }
}
