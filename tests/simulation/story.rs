//! What happened in a world, line by line, with the seconds since its beginning.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// A story; clones write on in the same one.
#[derive(Clone, Default)]
pub(crate) struct Story(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    begin: Option<Instant>,
    millis: u128,
    lines: Vec<String>,
}

impl Story {
    /// Tells what happens now.
    pub(crate) fn tell(&self, line: impl fmt::Display) {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = *told.begin.get_or_insert(now);
        told.millis = now.duration_since(begin).as_millis();
        let line = format!("{:>10}.{:03} {line}", told.millis / 1000, told.millis % 1000);
        told.lines.push(line);
    }

    /// How long it has been.
    pub(crate) fn seconds(&self) -> u64 {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(told.millis / 1000).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
