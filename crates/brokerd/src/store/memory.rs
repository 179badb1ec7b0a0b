//! The store that forgets: this process's memory. Also the tests' keyring, with a switch for each way that a real one fails.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{SecretStore, StoreError, StoreKind};

/// A store in memory. Clones share their contents and their switches.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// Whether the process that this handle is for is gone.
    ended: Arc<AtomicBool>,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes a thread that hangs in a call.
    released: Condvar,
    /// Wakes a task that stands in for such a thread.
    hanging: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    items: BTreeMap<String, Zeroizing<Vec<u8>>>,
    log: VecDeque<Operation>,
    max_item_bytes: Option<usize>,
    locked: bool,
    failing: bool,
    full: bool,
    failing_gets: usize,
    failing_puts: usize,
    failing_deletes: usize,
    /// After so many more changes (puts and deletes), every call fails: the crash of the process.
    changes_left: Option<usize>,
    garbled_gets: usize,
    reopened: usize,
}

/// One call that a [`MemoryStore`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which call.
    pub kind: OperationKind,
    /// Its key; empty for [`OperationKind::List`].
    pub key: String,
    /// Whether it succeeded.
    pub ok: bool,
}

/// A call of [`SecretStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// `delete`
    Delete,
    /// `get`
    Get,
    /// `list`
    List,
    /// `put`
    Put,
}

/// The log keeps the last so many calls; in production nobody reads it.
const LOG_LENGTH: usize = 10_000;

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store that works.
    pub fn new() -> Self {
        let (hanging, _) = watch::channel(false);
        let shared = Shared { state: Mutex::default(), released: Condvar::new(), hanging };
        Self { shared: Arc::new(shared), ended: Arc::default() }
    }

    /// Returns a handle for one of several processes that have the store one after the other.
    #[must_use]
    pub fn for_process(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), ended: Arc::default() }
    }

    /// Makes every later call by this handle and its clones fail, and touch nothing: its process is gone.
    pub fn end_process(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Makes every item that is longer than `bytes` an error, like Windows Credential Manager does.
    #[must_use]
    pub fn with_max_item_bytes(self, bytes: usize) -> Self {
        self.state().max_item_bytes = Some(bytes);
        self
    }

    /// Makes every call answer [`StoreError::Locked`], or not.
    pub fn set_locked(&self, on: bool) {
        self.state().locked = on;
    }

    /// Makes every call answer [`StoreError::Unavailable`], or not.
    pub fn set_failing(&self, on: bool) {
        self.state().failing = on;
    }

    /// Makes every put answer [`StoreError::Full`], or not.
    pub fn set_full(&self, on: bool) {
        self.state().full = on;
    }

    /// Makes every call hang, or lets those that hang go on.
    pub fn set_hanging(&self, on: bool) {
        let guard = self.state();
        self.shared.hanging.send_replace(on);
        drop(guard);
        self.shared.released.notify_all();
    }

    /// Makes the next `count` gets answer [`StoreError::Unavailable`], while everything else works.
    pub fn fail_next_gets(&self, count: usize) {
        self.state().failing_gets = count;
    }

    /// Makes the next `count` puts answer [`StoreError::Unavailable`].
    pub fn fail_next_puts(&self, count: usize) {
        self.state().failing_puts = count;
    }

    /// Makes the next `count` deletes answer [`StoreError::Unavailable`].
    pub fn fail_next_deletes(&self, count: usize) {
        self.state().failing_deletes = count;
    }

    /// Lets `count` more puts and deletes through and makes every call after them fail, as if the process had ended; `None` ends that.
    pub fn fail_after(&self, count: Option<usize>) {
        self.state().changes_left = count;
    }

    /// Makes the next `count` gets answer with wrong bytes and no error, as one real keyring did.
    pub fn garble_next_gets(&self, count: usize) {
        self.state().garbled_gets = count;
    }

    /// Returns the calls so far, oldest first (at most the last 10,000).
    pub fn operations(&self) -> Vec<Operation> {
        self.state().log.iter().cloned().collect()
    }

    /// Forgets the calls so far.
    pub fn clear_operations(&self) {
        self.state().log.clear();
    }

    /// Returns how often the store was reopened.
    pub fn reopened(&self) -> usize {
        self.state().reopened
    }

    /// Returns the keys of all items as they lie there, chunks included.
    pub fn raw_keys(&self) -> Vec<String> {
        self.state().items.keys().cloned().collect()
    }

    /// Returns an item as it lies there, frame included, whatever the switches say.
    pub fn raw(&self, key: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.state().items.get(key).cloned()
    }

    /// Puts an item there as it is, past frame and switches.
    pub fn set_raw(&self, key: &str, bytes: &[u8]) {
        self.state().items.insert(key.to_owned(), Zeroizing::new(bytes.to_vec()));
    }

    /// Tells whether calls hang.
    pub fn is_hanging(&self) -> bool {
        *self.shared.hanging.borrow()
    }

    /// Waits until calls do not hang. Cancellation loses nothing.
    pub async fn released(&self) {
        let mut hanging = self.shared.hanging.subscribe();
        // The sender lives in `self`, so this cannot fail.
        drop(hanging.wait_for(|hanging| !hanging).await);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks while the store hangs.
    fn wait(&self) -> MutexGuard<'_, State> {
        let hanging = |_: &mut State| *self.shared.hanging.borrow();
        self.shared.released.wait_while(self.state(), hanging).unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        kind: OperationKind,
        key: &str,
        work: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.wait();
        if self.ended.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("the memory store was left by this process"));
        }
        let result = state.refuse(kind).and_then(|()| work(&mut state));
        if state.log.len() == LOG_LENGTH {
            state.log.pop_front();
        }
        state.log.push_back(Operation { kind, key: key.to_owned(), ok: result.is_ok() });
        result
    }
}

impl State {
    fn refuse(&mut self, kind: OperationKind) -> Result<(), StoreError> {
        let changes = matches!(kind, OperationKind::Delete | OperationKind::Put);
        match &mut self.changes_left {
            Some(0) => return Err(StoreError::unavailable("the memory store was told to fail")),
            Some(left) if changes => *left -= 1,
            _ => {}
        }
        if self.locked {
            return Err(StoreError::Locked);
        }
        if self.failing {
            return Err(StoreError::unavailable("the memory store was told to fail"));
        }
        if kind == OperationKind::Get && self.failing_gets > 0 {
            self.failing_gets -= 1;
            return Err(StoreError::unavailable("the memory store was told to fail this get"));
        }
        if kind == OperationKind::Delete && self.failing_deletes > 0 {
            self.failing_deletes -= 1;
            return Err(StoreError::unavailable("the memory store was told to fail this delete"));
        }
        if kind == OperationKind::Put {
            if self.full {
                return Err(StoreError::Full { what: "the memory store is full".to_owned(), source: None });
            }
            if self.failing_puts > 0 {
                self.failing_puts -= 1;
                return Err(StoreError::unavailable("the memory store was told to fail this put"));
            }
        }
        Ok(())
    }
}

impl SecretStore for MemoryStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn durability(&self) -> &'static str {
        "sign-ins are kept in brokerd's memory only and end with it"
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.call(OperationKind::Get, key, |state| {
            let mut item = state.items.get(key).cloned();
            if let Some(byte) = item.as_mut().and_then(|item| item.last_mut())
                && state.garbled_gets > 0
            {
                state.garbled_gets -= 1;
                *byte ^= 1;
            }
            Ok(item)
        })
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        self.call(OperationKind::Put, key, |state| {
            if state.max_item_bytes.is_some_and(|max| secret.len() > max) {
                return Err(StoreError::Full { what: "the item is too long".to_owned(), source: None });
            }
            state.items.insert(key.to_owned(), Zeroizing::new(secret.to_vec()));
            Ok(())
        })
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.call(OperationKind::Delete, key, |state| {
            state.items.remove(key);
            Ok(())
        })
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        self.call(OperationKind::List, "", |state| Ok(Some(state.items.keys().cloned().collect())))
    }

    fn max_item_bytes(&self) -> Option<usize> {
        self.state().max_item_bytes
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.state().reopened += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_items_and_switches() {
        let handle = MemoryStore::new();
        let mut store = handle.clone();
        store.put("a", b"1").unwrap();
        assert_eq!(handle.raw("a").as_deref(), Some(&b"1".to_vec()));
        handle.set_locked(true);
        assert!(matches!(store.get("a"), Err(StoreError::Locked)));
        handle.set_locked(false);
        handle.fail_next_puts(1);
        assert!(matches!(store.put("a", b"2"), Err(StoreError::Unavailable { .. })));
        store.put("a", b"2").unwrap();
        let oks: Vec<_> = handle.operations().iter().map(|operation| operation.ok).collect();
        assert_eq!(oks, [true, false, false, true]);
    }

    #[test]
    fn a_hanging_call_goes_on_when_released() {
        let handle = MemoryStore::new();
        handle.set_hanging(true);
        let mut store = handle.clone();
        let call = std::thread::spawn(move || store.put("a", b"1"));
        assert!(handle.raw("a").is_none());
        handle.set_hanging(false);
        call.join().unwrap().unwrap();
        assert!(handle.raw("a").is_some());
    }
}
