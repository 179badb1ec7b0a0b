use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::super::Vault;
use super::*;
use crate::store::StoreKind;
use crate::store::memory::MemoryStore;

/// Real time passes in these tests, because a real thread does: short deadlines, and nothing waits for longer than one of them.
const SHORT: Duration = Duration::from_millis(300);

fn vault(memory: &MemoryStore) -> Vault {
    let memory = memory.clone();
    Vault::spawn_with(StoreKind::Keyring, move || opened(&memory)).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of an opener")]
fn opened(memory: &MemoryStore) -> Result<Opened, StoreError> {
    Ok(Opened { store: Box::new(memory.clone()), why: "a test".to_owned() })
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

#[tokio::test]
async fn jobs_run_on_the_thread_in_order() {
    let memory = MemoryStore::new();
    let vault = vault(&memory);
    assert_eq!(vault.status().state, "opening");
    let (_, _, value) = tokio::join!(vault.put("a", secret("1")), vault.put("a", secret("2")), vault.get("a"));
    assert_eq!(value.unwrap(), Some(secret("2")));
    assert_eq!((vault.status().kind.as_str(), vault.status().state.as_str()), ("memory", "ok"));
    assert_eq!(vault.why().as_deref(), Some("a test"));
}

#[tokio::test]
async fn a_stuck_call_fails_its_job_in_time_and_later_ones_at_once() {
    let memory = MemoryStore::new();
    let vault = vault(&memory);
    vault.open().await.unwrap();
    let vault = vault.with_deadline(SHORT);
    memory.set_hanging(true);
    let (first, queued) = tokio::join!(vault.put("a", secret("1")), vault.put("b", secret("2")));
    assert!(matches!((first, queued), (Err(VaultError::TimedOut), Err(VaultError::TimedOut))));

    let patient = vault.clone().with_deadline(Duration::from_secs(3600));
    assert!(matches!(patient.get("a").await, Err(VaultError::TimedOut)), "at once, an hour before its deadline");
    assert_eq!(vault.status().state, "locked");

    let mut stuck = thread_of(&vault).progress.stuck.subscribe();
    memory.set_hanging(false);
    stuck.wait_for(|stuck| !stuck).await.unwrap();
    assert_eq!(patient.get("a").await.unwrap(), Some(secret("1")), "begun, so carried out");
    assert_eq!(patient.get("b").await.unwrap(), None, "its caller left before it began");
}

#[tokio::test]
async fn a_passphrase_may_take_longer_than_others_wait() {
    let memory = MemoryStore::new();
    let (begin, entered) = oneshot::channel();
    let (release, gate) = mpsc::channel();
    let mut begin = Some(begin);
    let vault = Vault::spawn_over(StoreKind::File, move |given| {
        if given.is_none() {
            return Err(StoreError::NeedsPassphrase { new: false });
        }
        begin.take().unwrap().send(()).unwrap();
        gate.recv().unwrap();
        opened(&memory)
    })
    .unwrap()
    .with_deadline(SHORT);
    let others = async {
        entered.await.unwrap();
        assert!(matches!(vault.get("a").await, Err(VaultError::TimedOut)));
        release.send(()).unwrap();
    };
    let (unlocked, ()) = tokio::join!(vault.unlock("correct horse".into(), false), others);
    unlocked.unwrap();
    assert_eq!(vault.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn who_would_choose_a_passphrase_for_an_open_store_is_told_that_there_is_one() {
    let vault = vault(&MemoryStore::new());
    vault.open().await.unwrap();
    let refused = vault.unlock("correct horse".into(), true).await.unwrap_err();
    assert!(refused.to_string().contains("there is a passphrase already"), "{refused}");
    assert_eq!(vault.status().state, "ok");
    vault.unlock("correct horse".into(), false).await.unwrap();
}

#[tokio::test]
async fn a_passphrase_does_not_wait_behind_a_stuck_call() {
    let memory = MemoryStore::new();
    let vault = vault(&memory);
    vault.open().await.unwrap();
    let vault = vault.with_deadline(SHORT);
    memory.set_hanging(true);
    let both = async { tokio::join!(vault.get("a"), vault.unlock("correct horse".into(), false)) };
    // Its own deadline is 45 seconds.
    let both = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    assert!(matches!(both, (Err(VaultError::TimedOut), Err(VaultError::TimedOut))));
    memory.set_hanging(false);
}

#[tokio::test]
async fn a_stuck_call_is_found_though_its_caller_left() {
    let memory = MemoryStore::new();
    let vault = vault(&memory);
    vault.open().await.unwrap();
    let vault = vault.with_deadline(SHORT);
    memory.set_hanging(true);
    assert!(tokio::time::timeout(SHORT / 4, vault.get("a")).await.is_err());
    assert!(matches!(vault.get("a").await, Err(VaultError::TimedOut)));
    let patient = vault.with_deadline(Duration::from_secs(3600));
    assert!(matches!(patient.get("a").await, Err(VaultError::TimedOut)), "the second caller found it stuck");
    memory.set_hanging(false);
}

#[tokio::test]
async fn a_store_that_does_not_open_is_tried_again() {
    let memory = MemoryStore::new();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&attempts);
    let vault = Vault::spawn_with(StoreKind::Keyring, move || match counter.fetch_add(1, Ordering::Relaxed) {
        0 => Err(StoreError::unavailable("no service yet")),
        1 => panic!("a library's panic"),
        _ => opened(&memory),
    })
    .unwrap();
    assert!(matches!(vault.get("a").await, Err(VaultError::Store(_))));
    assert_eq!(vault.status().detail.as_deref(), Some("no service yet"));
    assert!(matches!(vault.get("a").await, Err(VaultError::Store(_))), "a panic costs one answer");
    let recoveries = vault.recoveries();
    assert_eq!(vault.get("a").await.unwrap(), None);
    assert!(recoveries.has_changed().unwrap(), "whoever waits for the store is told");
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
}

/// A store that wants to be touched so often, and tells when it was.
struct Fading(MemoryStore, Duration, mpsc::Sender<()>);

impl SecretStore for Fading {
    fn kind(&self) -> StoreKind {
        StoreKind::Kernel
    }

    fn durability(&self) -> &'static str {
        "not long"
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.0.get(key)
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        self.0.put(key, secret)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key)
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        Ok(None)
    }

    fn touch_every(&self) -> Option<Duration> {
        Some(self.1)
    }

    fn touch(&mut self) -> Result<(), StoreError> {
        // Nobody listens any more when the test ends.
        let _ = self.2.send(());
        Ok(())
    }
}

#[tokio::test]
async fn an_idle_store_that_fades_is_touched_and_the_thread_ends_with_its_handles() {
    let (sender, touches) = mpsc::channel();
    let vault = Vault::spawn_with(StoreKind::Kernel, move || {
        let store = Fading(MemoryStore::new(), Duration::from_millis(1), sender.clone());
        Ok(Opened { store: Box::new(store), why: String::new() })
    })
    .unwrap();
    vault.open().await.unwrap();
    touches.recv().unwrap();
    touches.recv().unwrap();
    drop(vault);
    // Until the thread has dropped the store and its opener, and with them the senders.
    while touches.recv().is_ok() {}
}

/// What the thread does on its way round for one message, in the test's own thread and under its clock.
fn come_round(owner: &mut Owner, message: Queued) {
    let (jobs, queue) = mpsc::channel();
    jobs.send(message).unwrap();
    drop(jobs);
    owner.run(&queue);
}

#[tokio::test(start_paused = true)]
async fn pulses_do_not_put_a_touch_off_and_a_job_that_reaches_the_store_does() {
    const HOUR: Duration = Duration::from_secs(3600);
    let (sender, touches) = mpsc::channel();
    let mut owner = Owner {
        board: Arc::new(Board::new(StoreKind::Kernel)),
        open: Box::new(|_| Err(StoreError::unavailable("it is open"))),
        store: Some(Box::new(Fading(MemoryStore::new(), HOUR, sender))),
        used: Instant::now(),
        progress: Arc::new(Progress { running: Mutex::default(), stuck: watch::channel(false).0 }),
    };
    let rounds = [
        (None, 0),
        (None, 1),
        (None, 0),
        (None, 1),
        (Some(Job::Get("a".to_owned())), 0),
        (None, 0),
        (None, 1),
        // Neither asks this store for anything.
        (Some(Job::Open), 0),
        (Some(Job::List), 1),
    ];
    for (round, (job, expected)) in rounds.into_iter().enumerate() {
        tokio::time::advance(HOUR / 2).await;
        let (reply, _answer) = oneshot::channel();
        match job {
            Some(job) => come_round(&mut owner, Queued::Job { id: 1, job, reply }),
            None => come_round(&mut owner, Queued::Pulse(oneshot::channel().0)),
        }
        assert_eq!(touches.try_iter().count(), expected, "round {round}");
    }
}

fn thread_of(vault: &Vault) -> &Thread {
    match &vault.backend {
        super::super::Backend::Thread(thread) => thread,
        super::super::Backend::Twin(_) => panic!("a vault with a thread"),
    }
}
