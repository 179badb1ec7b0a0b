//! Looks for what must not be seen where it must not be: secrets in logs, on terminals, in `/proc`, on disk; in clear
//! or encoded.

mod forms;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Match};

use self::forms::forms;
use crate::fake_as::{FakeAs, Issued};

/// What is secret in one home. A home that watches for something makes its daemons log everything.
#[derive(Default)]
pub struct Canary {
    sources: Mutex<Vec<Source>>,
}

/// Bytes at the end of what is looked for that are looked for first.
const END: usize = 16;

/// Secrets that are looked for in one pass: all that thousands of killed daemons were given would fill the memory.
const AT_ONCE: usize = 4096;

type Source = Box<dyn Fn() -> Vec<Issued> + Send + Sync>;

impl Canary {
    /// Watches for everything a server gives out and knows, from now on.
    pub fn watch(&self, server: &FakeAs) {
        let server = server.clone();
        self.watch_for(move || server.secrets());
    }

    /// Watches for what a function returns, whenever it is asked.
    pub fn watch_for(&self, source: impl Fn() -> Vec<Issued> + Send + Sync + 'static) {
        self.sources().push(Box::new(source));
    }

    /// Watches for what answers that tests write by hand give out. They are no server's, and all begin with `made-up-`.
    pub fn watch_made_up(&self) {
        self.watch_for(|| vec![Issued { kind: "access_token", value: "made-up-".into() }]);
    }

    /// Returns whether there is something to watch for.
    pub fn is_awake(&self) -> bool {
        !self.sources().is_empty()
    }

    /// Returns how many secrets it looks for.
    pub fn count(&self) -> usize {
        self.sources().iter().map(|source| source().len()).sum()
    }

    /// Panics if a secret stands in a text. `spared` are the kinds that belong there.
    pub fn check(&self, place: &str, text: &[u8], spared: &[&str]) {
        if let Some(found) = self.found(text, spared) {
            panic!("{place} has a secret in it: {} {}", found.kind, found.value);
        }
    }

    /// Looks into every file under a directory.
    pub fn check_directory(&self, directory: &Path) {
        for path in files(directory) {
            if let Ok(content) = fs::read(&path) {
                self.check(&path.display().to_string(), &content, &[]);
            }
        }
    }

    /// Looks into a text and every file under a directory, in one pass: for those who look often.
    pub fn check_with_directory(&self, place: &str, text: &[u8], directory: &Path) {
        let mut all = text.to_owned();
        for content in files(directory).iter().filter_map(|path| fs::read(path).ok()) {
            // Nothing is found that begins in one of them and ends in the next.
            all.push(b'\n');
            all.extend(content);
        }
        self.check(place, &all, &[]);
    }

    /// Looks at what everybody on the machine, or the user's other programs, can see of a running process.
    ///
    /// Where there is no `/proc`, nothing; under Wine it would be that of another process, whose number Linux gave. The environment of a
    /// brokerd, which hides, is seen by root alone: `leaks` puts on record where it was not.
    pub fn check_process(&self, pid: u32) {
        if cfg!(windows) {
            return;
        }
        for name in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{name}");
            if let Ok(content) = fs::read(&path) {
                self.check(&path, &content, &[]);
            }
        }
    }

    /// Returns the first secret that stands in a text, as it is or encoded.
    pub fn found(&self, text: &[u8], spared: &[&str]) -> Option<Issued> {
        if text.is_empty() {
            return None;
        }
        let mut secrets = self.sources().iter().flat_map(|source| source()).collect::<Vec<_>>();
        secrets.retain(|secret| !spared.contains(&secret.kind));
        secrets.chunks(AT_ONCE).find_map(|secrets| found(secrets, text))
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the first of these secrets that stands in a text.
fn found(secrets: &[Issued], text: &[u8]) -> Option<Issued> {
    let forms = secrets.iter().flat_map(|secret| forms(&secret.value).into_iter().map(move |form| (secret, form)));
    let (of, forms): (Vec<_>, Vec<_>) = forms.unzip();
    // One pass for each would take minutes over the logs of a crowd: this is one for all. Not by a table of all states, nor for
    // more of a secret than its end: to make that takes longer than a scenario to run. Many end alike, so each that ends at a
    // place is compared, not only the first.
    let ends = forms.iter().map(|form| &form[form.len().saturating_sub(END)..]);
    let all = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(ends);
    let all = all.unwrap_or_else(|error| panic!("what to look for: {error}"));
    let whole = |found: &Match| text[..found.end()].ends_with(&forms[found.pattern()]);
    all.find_overlapping_iter(text).find(whole).map(|found| of[found.pattern()].clone())
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary").field("awake", &self.is_awake()).finish()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
