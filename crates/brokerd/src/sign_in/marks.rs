//! `prompts.json`: which prompts are pending and whether they have been polled. No secret is in it.
//!
//! A mark is written before the first poll, and when `slow_down` changes the interval; a keyring would be too slow for that. The file is replaced whole and not
//! synced: it is for a daemon that dies, not for a machine that does. Without a state directory, or where it cannot be
//! written, [`Marks::end`] says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::replace;

const FILE: &str = "prompts.json";

/// How far a prompt's polling has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Seconds between two polls, as `slow_down` has left it.
    interval: u64,
    /// A poll has been sent, or was about to be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) polled: bool,
    /// It is over, or its user has consented: its code must not be polled again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
    /// When its codes run out, in seconds since 1970; the record says it too, but the store may not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl Mark {
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval)
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.over || self.expires_at.is_some_and(|end| end <= now.as_second())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Contents {
    version: u32,
    prompts: BTreeMap<String, Mark>,
}

/// The marks. One mutex, never held over an await.
pub(crate) struct Marks {
    directory: Option<PathBuf>,
    prompts: Mutex<BTreeMap<String, Mark>>,
}

impl Marks {
    /// Reads them from `directory`; `None` keeps them in memory. A file that cannot be read has none.
    pub(crate) fn open(directory: Option<PathBuf>) -> Self {
        if let Some(directory) = &directory {
            replace::remove_leftovers(directory, &directory.join(FILE));
        }
        let text = directory.as_ref().and_then(|directory| std::fs::read(directory.join(FILE)).ok());
        let contents: Contents = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { directory, prompts: Mutex::new(contents.prompts) }
    }

    fn prompts(&self) -> MutexGuard<'_, BTreeMap<String, Mark>> {
        self.prompts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every mark.
    pub(super) fn all(&self) -> Vec<(String, Mark)> {
        self.prompts().iter().map(|(id, mark)| (id.clone(), mark.clone())).collect()
    }

    /// Whether there is a mark of this prompt.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.prompts().contains_key(id)
    }

    /// A prompt is about to be kept.
    pub(super) fn add(&self, id: &str, interval: Duration, expires_at: Timestamp) {
        let (interval, expires_at) = (interval.as_secs(), Some(expires_at.as_second()));
        self.change(|prompts| {
            prompts.insert(id.to_owned(), Mark { interval, expires_at, ..Mark::default() });
        });
    }

    /// A poll is about to be sent.
    pub(super) fn polling(&self, id: &str, interval: Duration) {
        let Some(before) = self.prompts().get(id).cloned() else { return };
        let now = Mark { interval: interval.as_secs(), polled: true, over: false, ..before };
        if now != before {
            self.change(|prompts| {
                prompts.insert(id.to_owned(), now);
            });
        }
    }

    /// Its code must not be polled again. `false` if that could not be written down.
    pub(super) fn end(&self, id: &str) -> bool {
        self.change(|prompts| {
            if let Some(mark) = prompts.get_mut(id) {
                mark.over = true;
            }
        })
    }

    /// The prompt is over and its record gone.
    pub(super) fn remove(&self, id: &str) {
        if self.contains(id) {
            self.change(|prompts| {
                prompts.remove(id);
            });
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Mark>)) -> bool {
        let mut prompts = self.prompts();
        change(&mut prompts);
        let Some(directory) = &self.directory else { return false };
        let contents = Contents { version: 1, prompts: prompts.clone() };
        let written = replace::quickly(directory, FILE, &contents);
        if let Err(error) = &written {
            tracing::warn!(path = %directory.join(FILE).display(), %error, "pending prompts cannot be noted");
        }
        written.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_and_a_broken_file_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Marks::open(Some(directory.path().join("state")));
        let marks = open();
        let end = Timestamp::from_second(900).unwrap();
        marks.add("a", Duration::from_secs(5), end);
        marks.add("b", Duration::from_secs(5), end);
        marks.polling("a", Duration::from_secs(10));
        assert!(marks.end("b"));
        let all = open().all();
        assert_eq!((all[0].1.interval(), all[0].1.polled, all[0].1.over), (Duration::from_secs(10), true, false));
        assert_eq!((all[1].1.polled, all[1].1.over), (false, true));
        let over = |at: i64| [0, 1].map(|index: usize| all[index].1.is_over(Timestamp::from_second(at).unwrap()));
        assert_eq!((over(899), over(900)), ([false, true], [true, true]));
        open().remove("a");
        assert!(!open().contains("a") && open().contains("b"));
        std::fs::write(directory.path().join("state").join(FILE), "{").unwrap();
        assert!(open().all().is_empty());
    }

    #[test]
    fn what_was_not_written_down_is_said() {
        let marks = Marks::open(None);
        marks.add("a", Duration::from_secs(5), Timestamp::UNIX_EPOCH);
        assert!(!marks.end("a"));
        assert!(marks.all()[0].1.over, "in memory it is known all the same");
    }
}
