//! What one job does to the store: the same code on the thread and in the twin, framing included.

use std::fmt::Write as _;

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::store::frame::{self, FrameError};
use crate::store::{SecretStore, StoreError};

/// What a caller asks for.
pub(super) enum Job {
    Check,
    Delete(String),
    Get(String),
    List,
    Open,
    Put(String, Zeroizing<String>),
    Unlock { passphrase: SecretString, new: bool },
}

/// What the caller gets.
pub(super) enum Answer {
    Done,
    Keys(Option<Vec<String>>),
    Value(Option<Zeroizing<String>>),
}

/// The item that [`Job::Check`] writes; never listed.
const CHECK_KEY: &str = "brokerd-check";

pub(super) fn run(store: &mut dyn SecretStore, job: &Job) -> Result<Answer, StoreError> {
    match job {
        Job::Check => check(store).map(|()| Answer::Done),
        Job::Delete(key) => store.delete(key).map(|()| Answer::Done),
        Job::Get(key) => read(store, key).map(Answer::Value),
        Job::List => list(store).map(Answer::Keys),
        // The store is open: whoever opened it saw to that.
        Job::Open | Job::Unlock { .. } => Ok(Answer::Done),
        Job::Put(key, secret) => store.put(key, frame::encode(secret).as_bytes()).map(|()| Answer::Done),
    }
}

/// Whether a job that got this answer asked the store anything, so that the store knows itself in use.
pub(super) fn reached_store(job: &Job, answer: &Answer) -> bool {
    match job {
        Job::Open | Job::Unlock { .. } => false,
        // A store that cannot search says so without looking.
        Job::List => matches!(answer, Answer::Keys(Some(_))),
        Job::Check | Job::Delete(_) | Job::Get(_) | Job::Put(..) => true,
    }
}

/// Reads a record, and once more over a new connection if it is not what was written: a bad session of KWallet garbles what it
/// carries, not what is stored.
fn read(store: &mut dyn SecretStore, key: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
    match read_once(store, key) {
        Err(StoreError::Damaged(what)) => {
            tracing::warn!(what, "a record came back damaged; reopening the store to read it again");
            store.reopen()?;
            read_once(store, key)
        }
        result => result,
    }
}

fn read_once(store: &mut dyn SecretStore, key: &str) -> Result<Option<Zeroizing<String>>, StoreError> {
    let Some(record) = store.get(key)? else {
        return Ok(None);
    };
    match frame::decode(&record) {
        Ok(payload) => Ok(Some(payload)),
        Err(error @ FrameError::Damaged) => Err(StoreError::Damaged(error.to_string())),
        Err(error @ FrameError::Newer) => Err(StoreError::NotSupported(error.to_string())),
    }
}

fn list(store: &mut dyn SecretStore) -> Result<Option<Vec<String>>, StoreError> {
    let mut keys = store.list()?;
    if let Some(keys) = &mut keys {
        keys.retain(|key| key != CHECK_KEY);
    }
    Ok(keys)
}

fn check(store: &mut dyn SecretStore) -> Result<(), StoreError> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)
        .map_err(|error| StoreError::unavailable_because("the system gives no random bytes", error))?;
    let mut value = String::new();
    for byte in random {
        // Writing to a `String` cannot fail.
        let _ = write!(value, "{byte:02x}");
    }
    store.put(CHECK_KEY, frame::encode(&value).as_bytes())?;
    let back = read(store, CHECK_KEY);
    // Whatever came back, the item goes.
    store.delete(CHECK_KEY)?;
    match back? {
        Some(back) if *back == value => Ok(()),
        Some(_) => Err(StoreError::Damaged("the store gave back another value than was written".to_owned())),
        None => Err(StoreError::Damaged("the store lost what was just written".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    fn put(store: &mut MemoryStore, key: &str, value: &str) {
        run(store, &Job::Put(key.to_owned(), Zeroizing::new(value.to_owned()))).unwrap();
    }

    #[test]
    fn wrong_bytes_are_read_again_over_a_new_connection() {
        let mut store = MemoryStore::new();
        put(&mut store, "a", "secret");
        store.garble_next_gets(1);
        assert_eq!(read(&mut store, "a").unwrap().unwrap().as_str(), "secret");
        assert_eq!(store.reopened(), 1);
        store.garble_next_gets(2);
        assert!(matches!(read(&mut store, "a"), Err(StoreError::Damaged(_))));
        assert_eq!(store.reopened(), 2);
    }

    #[test]
    fn a_foreign_item_is_damaged_and_a_newer_one_is_not() {
        let mut store = MemoryStore::new();
        store.set_raw("a", b"hello");
        store.set_raw("b", b"brokerd:2:{}");
        assert!(matches!(read(&mut store, "a"), Err(StoreError::Damaged(_))));
        assert!(matches!(read(&mut store, "b"), Err(StoreError::NotSupported(_))));
    }

    #[test]
    fn a_check_leaves_nothing_behind_and_finds_what_is_wrong() {
        let mut store = MemoryStore::new();
        check(&mut store).unwrap();
        assert!(store.raw_keys().is_empty());
        store.garble_next_gets(2);
        assert!(matches!(check(&mut store), Err(StoreError::Damaged(_))));
        assert!(store.raw_keys().is_empty());
        store.set_full(true);
        assert!(matches!(check(&mut store), Err(StoreError::Full { .. })));
        store.set_raw(CHECK_KEY, b"left by a crash");
        assert_eq!(list(&mut store).unwrap().unwrap(), Vec::<String>::new());
    }
}
