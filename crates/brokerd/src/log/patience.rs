//! Writing to what may have stopped reading: a pipe, a terminal, the journal.

#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long a reader may be merely slow.
const MOMENT_MS: u32 = 50;

/// Whether the reader was found to have stopped. Waiting for it again at every line would stop the daemon with it.
#[derive(Debug, Default)]
pub(super) struct Patience {
    stopped: AtomicBool,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self { stopped: AtomicBool::new(false) }
    }

    /// Returns whether a small write would not wait. Waits a moment itself, but not for a reader that had stopped before.
    pub(super) fn has_room(&self, asked: impl FnOnce(u32) -> bool) -> bool {
        let moment = if self.stopped.load(Ordering::Relaxed) { 0 } else { MOMENT_MS };
        let room = asked(moment);
        self.stopped.store(!room, Ordering::Relaxed);
        room
    }
}

/// Returns whether `fd` takes a small write within `wait_ms` milliseconds.
#[cfg(unix)]
pub(super) fn takes_a_write(fd: impl AsFd, wait_ms: u32) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait_ms) * 1_000_000 };
    let mut asked = [PollFd::new(&fd, PollFlags::OUT)];
    // What is closed or broken takes the write as well: its error comes at once.
    matches!(poll(&mut asked, Some(&wait)), Ok(ready) if ready > 0)
}
