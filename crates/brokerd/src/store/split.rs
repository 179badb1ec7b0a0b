//! Fits long values into a store of short items (Windows Credential Manager takes 2,560 bytes).
//!
//! 1. The chunks `{key}#{generation}.{n}` are written, n from 0 up, under the generation (0 or 1) that is not in use.
//! 2. The head `{key}` is written: it names the generation and the number of chunks. This is the commit.
//! 3. The chunks of the other generation are deleted, the last one first.
//!
//! A crash between any two steps leaves the old value or the new one, whole. What it leaves besides is always chunks 0 to k of a
//! generation that no head names, without a gap (1 goes up, 3 goes down), so the next change finds and deletes them
//! although such a store cannot search. A value that fits is its own head.

use zeroize::Zeroizing;

use super::{SecretStore, StoreError, StoreKind};

/// What every split value's head begins with; no framed record does.
const HEAD: &str = "brokerd-split:1:";

/// A store that splits what is too long for the one inside.
#[derive(Debug)]
pub struct Split<S> {
    inner: S,
    max: usize,
}

#[derive(Clone, Copy)]
struct Head {
    generation: u8,
    chunks: usize,
}

impl<S: SecretStore> Split<S> {
    /// Wraps a store that says how much one item takes.
    ///
    /// `max` is in bytes; less than a head needs (40) is raised to that.
    pub fn new(inner: S, max: usize) -> Self {
        Self { inner, max: max.max(40) }
    }

    fn head(&mut self, key: &str) -> Result<Option<Head>, StoreError> {
        Ok(self.inner.get(key)?.and_then(|item| Head::parse(&item)))
    }

    /// Deletes chunks 0 to k of a generation that no head names, the last one first.
    fn clean(&mut self, key: &str, generation: u8) -> Result<(), StoreError> {
        let mut count = 0;
        while self.inner.get(&chunk_key(key, generation, count))?.is_some() {
            count += 1;
        }
        for index in (0..count).rev() {
            self.inner.delete(&chunk_key(key, generation, index))?;
        }
        Ok(())
    }

    /// The value is safe already: chunks that stay behind are deleted by the next change.
    fn clean_after_commit(&mut self, key: &str, generation: u8) {
        if let Err(error) = self.clean(key, generation) {
            tracing::warn!(error = error.chain(), "chunks of an old record stay behind until the next change");
        }
    }
}

impl<S: SecretStore> SecretStore for Split<S> {
    fn kind(&self) -> StoreKind {
        self.inner.kind()
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let Some(item) = self.inner.get(key)? else {
            return Ok(None);
        };
        let Some(head) = Head::parse(&item) else {
            return Ok(Some(item));
        };
        let mut value = Zeroizing::new(Vec::with_capacity(head.chunks.saturating_mul(self.max).min(1 << 20)));
        for index in 0..head.chunks {
            let Some(chunk) = self.inner.get(&chunk_key(key, head.generation, index))? else {
                return Err(StoreError::Damaged(format!("chunk {index} of {} is missing", head.chunks)));
            };
            value.extend_from_slice(&chunk);
        }
        Ok(Some(value))
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        let old = self.head(key)?;
        if secret.len() <= self.max {
            self.inner.put(key, secret)?;
            self.clean_after_commit(key, 0);
            self.clean_after_commit(key, 1);
            return Ok(());
        }
        let generation = old.map_or(0, |head| 1 - head.generation);
        // Before the first write: what a crash left there could be longer than what comes now.
        self.clean(key, generation)?;
        let mut chunks = 0_usize;
        for chunk in secret.chunks(self.max) {
            self.inner.put(&chunk_key(key, generation, chunks), chunk)?;
            chunks += 1;
        }
        self.inner.put(key, Head { generation, chunks }.text().as_bytes())?;
        self.clean_after_commit(key, 1 - generation);
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key)?;
        // Unlike after a put, these are failures: a refresh token would stay in the keyring after "sign out".
        self.clean(key, 0)?;
        self.clean(key, 1)
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        let mut keys = self.inner.list()?;
        if let Some(keys) = &mut keys {
            keys.retain(|key| !is_chunk_key(key));
        }
        Ok(keys)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.inner.reopen()
    }

    fn touch_every(&self) -> Option<std::time::Duration> {
        self.inner.touch_every()
    }

    fn touch(&mut self) -> Result<(), StoreError> {
        self.inner.touch()
    }
}

impl Head {
    fn text(self) -> String {
        format!("{HEAD}{}:{}", self.generation, self.chunks)
    }

    fn parse(item: &[u8]) -> Option<Self> {
        let rest = std::str::from_utf8(item).ok()?.strip_prefix(HEAD)?;
        let (generation, chunks) = rest.split_once(':')?;
        let generation = match generation {
            "0" => 0,
            "1" => 1,
            _ => return None,
        };
        Some(Self { generation, chunks: chunks.parse().ok()? })
    }
}

fn chunk_key(key: &str, generation: u8, index: usize) -> String {
    format!("{key}#{generation}.{index}")
}

fn is_chunk_key(key: &str) -> bool {
    let Some((_, suffix)) = key.rsplit_once('#') else {
        return false;
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    matches!(suffix.split_once('.'), Some(("0" | "1", index)) if digits(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    const MAX: usize = 50;

    fn stores() -> (MemoryStore, Split<MemoryStore>) {
        let memory = MemoryStore::new().with_max_item_bytes(MAX);
        (memory.clone(), Split::new(memory, MAX))
    }

    fn value(letter: char, length: usize) -> Vec<u8> {
        letter.to_string().repeat(length).into_bytes()
    }

    #[test]
    fn values_of_all_lengths_come_back_and_leave_nothing_behind() {
        let (memory, mut store) = stores();
        for length in [0, 1, 49, 50, 51, 100, 101, 5000, 10] {
            store.put("key", &value('x', length)).unwrap();
            assert_eq!(store.get("key").unwrap().unwrap().len(), length);
            assert_eq!(store.list().unwrap().unwrap(), ["key"]);
            let chunks = if length <= MAX { 0 } else { length.div_ceil(MAX) };
            assert_eq!(memory.raw_keys().len(), 1 + chunks, "after {length} bytes");
        }
        store.put("key", &value('x', 500)).unwrap();
        store.delete("key").unwrap();
        assert_eq!(memory.raw_keys(), Vec::<String>::new());
    }

    #[test]
    fn a_crash_at_any_step_of_a_put_leaves_one_value_whole() {
        let lengths = [20, 220, 420];
        for (before, after) in lengths.iter().flat_map(|a| lengths.iter().map(move |b| (*a, *b))) {
            // The longest put takes 9 writes and 5 deletes.
            for step in 0..16 {
                let (memory, mut store) = stores();
                store.put("key", &value('o', before)).unwrap();
                memory.fail_after(Some(step));
                let outcome = store.put("key", &value('n', after));
                memory.fail_after(None);
                let left = store.get("key").unwrap().unwrap();
                let new = *left == value('n', after);
                assert!(new || *left == value('o', before), "{before} to {after}, step {step}: a mixture");
                assert!(outcome.is_err() || new, "{before} to {after}, step {step}: success without the new value");

                // The next change finds whatever the crash left, although it never searches.
                store.put("key", &value('e', after)).unwrap();
                assert_eq!(*store.get("key").unwrap().unwrap(), value('e', after));
                store.delete("key").unwrap();
                assert_eq!(memory.raw_keys(), Vec::<String>::new(), "{before} to {after}, step {step}");
            }
        }
    }

    #[test]
    fn a_crash_at_any_step_of_a_delete_is_finished_by_the_next_one() {
        for step in 0..12 {
            let (memory, mut store) = stores();
            store.put("key", &value('o', 500)).unwrap();
            memory.fail_after(Some(step));
            let outcome = store.delete("key");
            memory.fail_after(None);
            assert!(outcome.is_err() || memory.raw_keys().is_empty(), "step {step}");
            if step > 0 {
                assert!(store.get("key").unwrap().is_none(), "step {step}: the head goes first");
            }
            store.delete("key").unwrap();
            assert_eq!(memory.raw_keys(), Vec::<String>::new(), "step {step}");
        }
    }

    #[test]
    fn keys_that_look_a_little_like_chunks_are_listed() {
        let (_, mut store) = stores();
        for key in ["a#b", "a#0", "a#0.", "a#2.1", "a#0.x"] {
            store.put(key, b"v").unwrap();
        }
        assert_eq!(store.list().unwrap().unwrap().len(), 5);
    }
}
