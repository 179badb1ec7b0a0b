//! The keyboard, key by key.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::sync::Mutex;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr, ttyname,
};

use super::Key;
use super::keys;

/// How the terminal was before it was held, while it is: for a panic, which [`Keyboard`] is out of reach of.
static HELD: Mutex<Option<Termios>> = Mutex::new(None);

/// Gives the terminal back as it was, and returns whether it was held. A panic anywhere may call it: it waits for nobody.
pub(super) fn give_back() -> bool {
    let before = HELD.try_lock().ok().and_then(|mut held| held.take());
    let tty = File::options().read(true).write(true).open("/dev/tty");
    let (Some(before), Ok(tty)) = (before, tty) else { return false };
    // In the background it would be stopped for it, and whoever is in the foreground has set it since.
    tcgetpgrp(&tty).ok() == Some(rustix::process::getpgrp()) && tcsetattr(&tty, OptionalActions::Now, &before).is_ok()
}

fn note(held: Option<&Termios>) {
    // A lock that is poisoned was a panic's, which has given the terminal back.
    if let Ok(mut place) = HELD.lock() {
        *place = held.cloned();
    }
}

/// The controlling terminal, which gives keys while it is [held](Keyboard::hold). Signals from it stay on: Ctrl-C and
/// Ctrl-Z mean to a whole pipeline what they always do.
#[derive(Debug)]
pub(super) struct Keyboard {
    tty: File,
    /// Many processes may show the same prompt on one terminal at once; one of them has the keys.
    _lock: Option<File>,
    /// How it was before it was held first.
    before: Option<Termios>,
    held: bool,
}

impl Keyboard {
    /// Takes the keyboard, unless it is not ours.
    pub(super) fn take() -> Option<Self> {
        let tty = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let lock = lock()?;
        let mut keyboard = Self { tty, _lock: lock, before: None, held: false };
        keyboard.hold().then_some(keyboard)
    }

    /// Makes the terminal give keys, if this process is in its foreground and nobody else has done so.
    pub(super) fn hold(&mut self) -> bool {
        // A process in the background that changes modes is stopped for it (POSIX, General Terminal Interface).
        if !self.is_in_foreground() {
            return false;
        }
        let Ok(now) = tcgetattr(&self.tty) else { return false };
        if now.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO) {
            self.before = Some(now.clone());
        } else if self.before.is_none() {
            return false;
        }
        let mut modes = now;
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // A read never waits: whoever else reads here may have been faster.
        modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before there was anything to answer is no answer.
        note(self.before.as_ref());
        self.held = tcsetattr(&self.tty, OptionalActions::Flush, &modes).is_ok();
        self.held
    }

    /// Gives the terminal back as it was.
    pub(super) fn release(&mut self) {
        if std::mem::take(&mut self.held)
            && self.is_in_foreground()
            && let Some(before) = &self.before
        {
            // A terminal that has gone has no modes.
            let _ = tcsetattr(&self.tty, OptionalActions::Drain, before);
            note(None);
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    fn is_in_foreground(&self) -> bool {
        tcgetpgrp(&self.tty).ok() == Some(rustix::process::getpgrp())
    }

    /// Returns the keys that were pressed.
    pub(super) fn read(&self) -> io::Result<Vec<Key>> {
        let mut bytes = [0; 64];
        let count = rustix::io::read(&self.tty, &mut bytes)?;
        Ok(keys::parse(&bytes[..count]))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.release();
    }
}

impl AsFd for Keyboard {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.tty.as_fd()
    }
}

/// Locks the terminal that stderr is, for processes like this one. `None` if another has it; a terminal without a name,
/// as in some containers, cannot be locked, and is not shared either.
#[expect(clippy::option_option, reason = "refused, or taken with or without a lock")]
fn lock() -> Option<Option<File>> {
    let path = ttyname(io::stderr(), Vec::new()).ok();
    let file = path.and_then(|path| File::open(path.to_str().ok()?).ok());
    match file.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => None,
        _ => Some(file),
    }
}
