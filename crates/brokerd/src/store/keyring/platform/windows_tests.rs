//! Long records in the real Credential Manager, or Wine's: in parts, across processes, through crashes.
//!
//! The other processes are this program again: [`ROLE`] tells it which test it is to play a part in, and how.

use std::process::{Command, ExitStatus};

use super::*;
use crate::store::split::Split;

/// What one item takes.
const MAX: usize = 2560;
/// In the environment of the other process: what it is to do.
const ROLE: &str = "BROKERD_TEST_ROLE";

fn open() -> Split<Platform> {
    Split::new(Platform::open().unwrap(), MAX)
}

fn value(letter: u8, length: usize) -> Vec<u8> {
    vec![letter; length]
}

/// A key that no other test and no earlier run has.
fn key(test: &str) -> String {
    format!("test-{test}-{}", std::process::id())
}

/// The items that are there for a key, by their names.
fn items(key: &str) -> Vec<String> {
    let mut store = Platform::open().unwrap();
    let parts = (0..2).flat_map(|generation| (0..8).map(move |part| format!("{key}#{generation}.{part}")));
    let names = std::iter::once(key.to_owned()).chain(parts);
    names.filter(|name| store.get(name).unwrap().is_some()).collect()
}

fn another_process(test: &str, role: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{}::{test}", module_path!().split_once("::").unwrap().1)])
        .env(ROLE, role)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn values_of_all_lengths_come_back_and_nothing_is_left_of_them() {
    let (key, mut store) = (key("lengths"), open());
    for length in [0, 1, MAX - 1, MAX, MAX + 1, 3 * MAX, 4 * MAX + 7, 10] {
        store.put(&key, &value(b'x', length)).unwrap();
        assert_eq!(store.get(&key).unwrap().unwrap().len(), length);
        let parts = if length <= MAX { 0 } else { length.div_ceil(MAX) };
        assert_eq!(items(&key).len(), 1 + parts, "{length} bytes: {:?}", items(&key));
    }
    store.put(&key, &value(b'x', 3 * MAX)).unwrap();
    store.delete(&key).unwrap();
    assert_eq!(items(&key), Vec::<String>::new());
    assert!(store.get(&key).unwrap().is_none());
    store.delete(&key).unwrap();
}

#[test]
fn one_item_takes_what_is_said_and_no_more() {
    let (key, mut store) = (key("limit"), Platform::open().unwrap());
    store.put(&key, &value(b'x', MAX)).unwrap();
    let error = store.put(&key, &value(b'y', MAX + 1)).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(**store.get(&key).unwrap().unwrap(), value(b'x', MAX), "the old value is whole");
    store.delete(&key).unwrap();
}

#[test]
fn another_process_reads_what_this_one_wrote() {
    if let Ok(key) = std::env::var(ROLE) {
        assert_eq!(**open().get(&key).unwrap().unwrap(), value(b'p', 3 * MAX));
        return;
    }
    let (key, mut store) = (key("process"), open());
    store.put(&key, &value(b'p', 3 * MAX)).unwrap();
    assert!(another_process("another_process_reads_what_this_one_wrote", &key).success());
    store.put(&key, &value(b'q', 3 * MAX)).unwrap();
    assert!(!another_process("another_process_reads_what_this_one_wrote", &key).success(), "it looks");
    store.delete(&key).unwrap();
}

#[test]
fn a_record_stays_on_its_machine() {
    let (key, mut store) = (key("local"), Platform::open().unwrap());
    store.put(&key, b"record").unwrap();
    let attributes = Entry::new(SERVICE, &key).unwrap().get_attributes().unwrap();
    assert_eq!(attributes.get("persistence").map(String::as_str), Some("Local"));
    store.delete(&key).unwrap();
}

/// The keyring of a process that dies before one of its changes.
struct Dying {
    inner: Platform,
    changes_left: usize,
}

impl Dying {
    fn change(&mut self) {
        if self.changes_left == 0 {
            std::process::abort();
        }
        self.changes_left -= 1;
    }
}

impl SecretStore for Dying {
    fn kind(&self) -> StoreKind {
        self.inner.kind()
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.inner.get(key)
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        self.change();
        self.inner.put(key, secret)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.change();
        self.inner.delete(key)
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        self.inner.list()
    }
}

#[test]
fn a_process_that_dies_between_two_parts_leaves_one_value_whole() {
    const TEST: &str = "a_process_that_dies_between_two_parts_leaves_one_value_whole";
    if let Ok(role) = std::env::var(ROLE) {
        let (key, changes) = role.split_once('/').unwrap();
        let dying = Dying { inner: Platform::open().unwrap(), changes_left: changes.parse().unwrap() };
        Split::new(dying, MAX).put(key, &value(b'n', 2 * MAX + 1)).unwrap();
        return;
    }
    let (key, mut store) = (key("crash"), open());
    // Three parts, the head, and the old value's two parts: six changes.
    for changes in 0..=6 {
        store.put(&key, &value(b'o', MAX + 1)).unwrap();
        let lived = another_process(TEST, &format!("{key}/{changes}")).success();
        assert_eq!(lived, changes == 6, "after {changes} changes");
        let left = store.get(&key).unwrap().unwrap();
        let expected = if changes < 4 { value(b'o', MAX + 1) } else { value(b'n', 2 * MAX + 1) };
        assert!(**left == expected, "after {changes} changes: neither the old value nor the new one");
        store.delete(&key).unwrap();
        assert_eq!(items(&key), Vec::<String>::new(), "after {changes} changes");
    }
}
