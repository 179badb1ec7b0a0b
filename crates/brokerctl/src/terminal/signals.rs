//! Signals while the terminal is in use: each is noted and wakes whoever waits, who then acts on it.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::{flag, low_level};

/// Those whose default ends or stops the process.
const ENDING: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// The process goes on, after somebody stopped it.
    Continued,
    /// It is asked to end.
    End(i32),
    /// The terminal has another size.
    Resized,
    /// It is asked to stop.
    Stop,
}

/// The signals that were noted. Dropping it gives each back its default.
#[derive(Debug)]
pub(super) struct Signals {
    over: Arc<AtomicBool>,
    noted: Vec<(i32, Arc<AtomicBool>)>,
}

impl Signals {
    /// Notes signals from now on; each writes a byte to `wake`.
    pub(super) fn watch(wake: &UnixStream) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        for signal in ENDING {
            flag::register_conditional_default(signal, Arc::clone(&over))?;
        }
        let mut noted = Vec::new();
        for signal in ENDING.into_iter().chain([SIGCONT, SIGWINCH]) {
            let flag = Arc::new(AtomicBool::new(false));
            flag::register(signal, Arc::clone(&flag))?;
            low_level::pipe::register(signal, wake.try_clone()?)?;
            noted.push((signal, flag));
        }
        Ok(Self { over, noted })
    }

    /// Returns one that was noted and not returned yet.
    pub(super) fn take(&self) -> Option<Signal> {
        let (signal, _) = self.noted.iter().find(|(_, flag)| flag.swap(false, Ordering::AcqRel))?;
        Some(match *signal {
            SIGCONT => Signal::Continued,
            SIGTSTP => Signal::Stop,
            SIGWINCH => Signal::Resized,
            ending => Signal::End(ending),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Stops this process as Ctrl-Z does; returns when it goes on.
pub(super) fn stop() {
    drop(low_level::emulate_default_handler(SIGTSTP));
}

/// Ends this process by a signal, so that whoever started it sees which.
pub(super) fn end(signal: i32) {
    drop(low_level::emulate_default_handler(signal));
}
