//! The thread that owns the store, and the caller's side of a job on it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::board::Board;
use super::error::VaultError;
use super::work::{self, Answer, Job};
use crate::store::{Opened, SecretStore, StoreError};

/// Opens the store, on the thread; with what a person gave for it, if that is how it came to be opened.
pub(super) type Opener = Box<dyn FnMut(Option<Given<'_>>) -> Result<Opened, StoreError> + Send>;

/// A passphrase, and whether it is to be the new one.
pub(super) type Given<'a> = (&'a SecretString, bool);

/// The callers' end. The thread ends when the last one is dropped, or with the process, whichever is first; nobody joins it.
#[derive(Clone)]
pub(super) struct Thread {
    jobs: mpsc::Sender<Queued>,
    progress: Arc<Progress>,
}

enum Queued {
    Job {
        id: u64,
        job: Job,
        reply: oneshot::Sender<Result<Answer, VaultError>>,
    },
    /// Is there anybody?
    Pulse(oneshot::Sender<()>),
}

/// Which call the thread is in. One mutex, never held over an await or a store's call.
struct Progress {
    running: Mutex<Running>,
    /// True while the thread is in a call that went over its deadline. Changed with `running` locked.
    stuck: watch::Sender<bool>,
}

#[derive(Default)]
struct Running {
    last_id: u64,
    call: Option<(u64, Instant)>,
}

impl Thread {
    pub(super) fn spawn(board: Arc<Board>, open: Opener) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let (stuck, _) = watch::channel(false);
        let progress = Arc::new(Progress { running: Mutex::default(), stuck });
        let mut owner = Owner { board, open, store: None, used: Instant::now(), progress: Arc::clone(&progress) };
        // Dropping the handle detaches the thread: a call that never returns must not hold up the exit.
        drop(std::thread::Builder::new().name("vault".to_owned()).spawn(move || owner.run(&queue))?);
        Ok(Self { jobs, progress })
    }

    /// Hands a job over and waits for it. Cancelled before the job began, it is skipped; after that, it is carried out.
    pub(super) async fn call(&self, job: Job, deadline: Duration) -> Result<Answer, VaultError> {
        let mut stuck = self.progress.stuck.subscribe();
        // The second condition finds a stuck call whose own caller left before its deadline.
        if *stuck.borrow_and_update() || self.progress.running_for(deadline) {
            return Err(VaultError::TimedOut);
        }
        let (id, answer) = self.hand_over(job)?;
        tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| VaultError::Ended)?,
            () = tokio::time::sleep(deadline) => {
                self.progress.out_of_time(id, deadline);
                Err(VaultError::TimedOut)
            }
            // The call in front is stuck: no need to wait for the own deadline as well.
            _ = stuck.wait_for(|stuck| *stuck) => Err(VaultError::TimedOut),
        }
    }

    /// The same for a job that is slow by design: it may take longer than the others' deadline once it has begun. Behind a call that is stuck
    /// it does not wait.
    pub(super) async fn unlock(&self, job: Job, others: Duration, deadline: Duration) -> Result<Answer, VaultError> {
        let mut stuck = self.progress.stuck.subscribe();
        if *stuck.borrow_and_update() || self.progress.running_for(others) {
            return Err(VaultError::TimedOut);
        }
        let (id, mut answer) = self.hand_over(job)?;
        let answered = async {
            tokio::select! {
                biased;
                answer = &mut answer => return answer.map_err(|_| VaultError::Ended)?,
                _ = stuck.wait_for(|stuck| *stuck) => {}
            }
            if !self.progress.is_in(id) {
                return Err(VaultError::TimedOut);
            }
            // Somebody else found the thread in it for longer than others wait.
            answer.await.map_err(|_| VaultError::Ended)?
        };
        tokio::time::timeout(deadline, answered).await.unwrap_or_else(|_| {
            self.progress.out_of_time(id, deadline);
            Err(VaultError::TimedOut)
        })
    }

    fn hand_over(&self, job: Job) -> Result<(u64, oneshot::Receiver<Result<Answer, VaultError>>), VaultError> {
        let id = self.progress.next_id();
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Queued::Job { id, job, reply }).map_err(|_| VaultError::Ended)?;
        Ok((id, answer))
    }
}

impl Thread {
    /// Returns whether the thread comes round to its queue within `limit`, or is in a call of the store's, however long that takes.
    pub(super) async fn is_alive(&self, limit: Duration) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(Queued::Pulse(reply)).is_err() {
            return false;
        }
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.is_ok(),
            Err(_) => self.progress.lock().call.is_some(),
        }
    }
}

impl Progress {
    fn next_id(&self) -> u64 {
        let mut running = self.lock();
        running.last_id += 1;
        running.last_id
    }

    fn is_in(&self, id: u64) -> bool {
        self.lock().call.is_some_and(|(call, _)| call == id)
    }

    fn running_for(&self, deadline: Duration) -> bool {
        self.lock().call.is_some_and(|(_, since)| since.elapsed() >= deadline)
    }

    /// Called when the deadline of job `id` passed: it is stuck itself, or it waited behind a call that is, or the queue was long.
    fn out_of_time(&self, id: u64, deadline: Duration) {
        let running = self.lock();
        if running.call.is_some_and(|(call, since)| call == id || since.elapsed() >= deadline)
            && !self.stuck.send_replace(true)
        {
            tracing::warn!(?deadline, "the store is stuck in a call");
        }
    }

    fn begin(&self, id: u64) {
        self.lock().call = Some((id, Instant::now()));
    }

    fn end(&self) {
        let mut running = self.lock();
        running.call = None;
        if self.stuck.send_replace(false) {
            tracing::info!("the stuck call of the store returned");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's end.
struct Owner {
    board: Arc<Board>,
    open: Opener,
    store: Option<Box<dyn SecretStore>>,
    /// When the store was last reached, by a job or a touch. A pulse reaches the thread and not the store.
    used: Instant,
    progress: Arc<Progress>,
}

impl Owner {
    fn run(&mut self, queue: &mpsc::Receiver<Queued>) {
        loop {
            let next = match self.touch_in() {
                Some(left) => queue.recv_timeout(left),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Queued::Job { id, job, reply }) => self.serve(id, &job, reply),
                // Whoever asked may be gone.
                Ok(Queued::Pulse(reply)) => drop(reply.send(())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // After any message: pulses may come so often that the wait for the next one never ends by itself.
            if self.touch_in().is_some_and(|left| left.is_zero()) {
                self.touch();
            }
        }
    }

    /// How long until the store is to be touched; `None` where nothing expires.
    fn touch_in(&self) -> Option<Duration> {
        let every = self.store.as_deref().and_then(SecretStore::touch_every)?;
        Some(every.saturating_sub(self.used.elapsed()))
    }

    fn serve(&mut self, id: u64, job: &Job, reply: oneshot::Sender<Result<Answer, VaultError>>) {
        if reply.is_closed() {
            return;
        }
        let result = self.guarded(id, |owner| owner.work(job));
        // The caller may have left meanwhile; what was done stays done.
        drop(reply.send(result.map_err(VaultError::from)));
    }

    /// Every job that reaches a kernel keyring resets its three days; this is for when there are none.
    fn touch(&mut self) {
        let result = self.guarded(0, |owner| match &mut owner.store {
            Some(store) => store.touch(),
            None => Ok(()),
        });
        // Also after a failure, or the thread would do nothing else.
        self.used = Instant::now();
        if let Err(error) = result {
            tracing::warn!(error = error.chain(), "the store's expiry could not be put off");
        }
    }

    fn work(&mut self, job: &Job) -> Result<Answer, StoreError> {
        let store = if let Some(store) = &mut self.store {
            if matches!(job, Job::Unlock { new: true, .. }) {
                return Err(StoreError::Passphrase("there is a passphrase already".to_owned()));
            }
            store
        } else {
            let given = match job {
                Job::Unlock { passphrase, new } => Some((passphrase, *new)),
                _ => None,
            };
            let Opened { store, why } = (self.open)(given)?;
            self.board.opened(&*store, &why);
            self.used = Instant::now();
            self.store.insert(store)
        };
        let answer = work::run(&mut **store, job)?;
        if work::reached_store(job, &answer) {
            self.used = Instant::now();
        }
        Ok(answer)
    }

    /// Runs a call so that its progress shows and its panic, a library's, costs the store and not the thread.
    fn guarded<T>(&mut self, id: u64, call: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.progress.begin(id);
        let result = catch_unwind(AssertUnwindSafe(|| call(self))).unwrap_or_else(|_| {
            // Whatever state it was in, it is opened anew by the next job.
            self.store = None;
            Err(StoreError::unavailable("the store's library failed; its message is in the log"))
        });
        // Before `end`: a caller that finds the thread free also finds how it became so.
        self.board.note(&result);
        self.progress.end();
        result
    }
}

#[cfg(test)]
mod tests;
