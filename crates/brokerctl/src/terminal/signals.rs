//! Signals while the terminal is in use: each is noted and wakes whoever waits, who then acts on it.
//!
//! A signal that has had a handler has one for the life of the process. So what it does by default is a handler too, the first of its
//! signal, and is switched off while somebody else acts on it.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::{SigId, flag, low_level};

/// Those whose default ends or stops the process.
const ENDING: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];

/// Those of [`ENDING`] that have a handler, and whether it is the default's.
static DEFAULTS: Mutex<Vec<(i32, Arc<AtomicBool>)>> = Mutex::new(Vec::new());

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
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
pub(crate) struct Signals {
    noted: Vec<(i32, Arc<AtomicBool>)>,
    handlers: Vec<SigId>,
}

impl Signals {
    /// Notes signals from now on; each writes a byte to `wake`.
    pub(crate) fn watch(wake: &UnixStream) -> io::Result<Self> {
        let mut signals = Self { noted: Vec::new(), handlers: Vec::new() };
        let mut ending = heeded(&ENDING);
        if is_orphaned() {
            ending.retain(|signal| *signal != SIGTSTP);
        }
        for signal in &ending {
            keep_default(*signal)?;
        }
        for signal in ending.iter().copied().chain([SIGCONT, SIGWINCH]) {
            let flag = Arc::new(AtomicBool::new(false));
            signals.handlers.push(flag::register(signal, Arc::clone(&flag))?);
            signals.handlers.push(low_level::pipe::register(signal, wake.try_clone()?)?);
            signals.noted.push((signal, flag));
        }
        set_defaults(&ending, false);
        Ok(signals)
    }

    /// Returns one that was noted and not returned yet.
    pub(crate) fn take(&self) -> Option<Signal> {
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
        set_defaults(&ENDING, true);
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
        // What came too late to be acted on ends us all the same.
        while let Some(signal) = self.take() {
            if let Signal::End(signal) = signal {
                end(signal);
            }
        }
    }
}

/// Leaves these signals to handlers of the caller's, which it has registered, for good.
pub(crate) fn leave_to_others(signals: &[i32]) {
    set_defaults(signals, false);
}

/// Those of `signals` that whoever started this process has not told it to ignore, as `nohup` does: a command that it starts inherits that, but
/// not where we had a handler.
pub(crate) fn heeded(signals: &[i32]) -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let is_heeded = |signal: &i32| ignored.unwrap_or_default() >> (signal - 1) & 1 == 0;
    signals.iter().copied().filter(is_heeded).collect()
}

/// Whether nobody could continue this process, as where it is all that a terminal or an `ssh -t` runs: the kernel ignores Ctrl-Z there
/// (POSIX, orphaned process group), but not the SIGSTOP by which a handler does the same. Without a handler the kernel decides.
fn is_orphaned() -> bool {
    // The shell that leads a session puts each of its jobs into a group of its own; what is in its own group is no job of anybody's.
    rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpgrp())
}

fn keep_default(signal: i32) -> io::Result<()> {
    let mut defaults = DEFAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    if !defaults.iter().any(|(known, _)| *known == signal) {
        let is_default = Arc::new(AtomicBool::new(true));
        flag::register_conditional_default(signal, Arc::clone(&is_default))?;
        defaults.push((signal, is_default));
    }
    Ok(())
}

fn set_defaults(signals: &[i32], on: bool) {
    let defaults = DEFAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, is_default) in defaults.iter().filter(|(signal, _)| signals.contains(signal)) {
        is_default.store(on, Ordering::Release);
    }
}

/// Stops this process as Ctrl-Z does; returns when it goes on.
pub(crate) fn stop() {
    drop(low_level::emulate_default_handler(SIGTSTP));
}

/// Ends this process by a signal, so that whoever started it sees which.
pub(crate) fn end(signal: i32) {
    drop(low_level::emulate_default_handler(signal));
}
