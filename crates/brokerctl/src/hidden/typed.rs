//! A line that is typed at a terminal and not shown.

use std::io::{ErrorKind, Read as _, Stdin};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{getpgrp, kill_current_process_group};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::unreadable;
use crate::failure::{Failure, say};
use crate::terminal::{Signal, Signals, end, stop};

/// What Ctrl-C types, and the exit code of whoever it interrupts.
const CTRL_C: u8 = 3;
const INTERRUPTED: u8 = 130;

/// Asks, and reads a line from stdin, a terminal.
///
/// Asks once nothing typed is shown: whoever answers at once, as a program does, is heard and not seen.
///
/// Signals from the keyboard are off meanwhile; Ctrl-C ends the line instead, and is seen in it. Those of other processes end or
/// stop this one once the terminal is as it was.
pub(super) fn line(asking: &str) -> Result<SecretString, Failure> {
    let failed = |error: rustix::io::Errno| unreadable(&error.into());
    let (woken, wake) = UnixStream::pair().map_err(|error| unreadable(&error))?;
    woken.set_nonblocking(true).and_then(|()| wake.set_nonblocking(true)).map_err(|error| unreadable(&error))?;
    wait_for_the_foreground();
    let signals = Signals::watch(&wake).map_err(|error| unreadable(&error))?;
    let terminal = Quiet::make(std::io::stdin()).map_err(failed)?;
    say(asking);
    // A terminal gives a line at a time, of at most 4095 bytes.
    let mut typed = Zeroizing::new([0_u8; 4096]);
    let count = loop {
        match wait(&terminal, &woken, &signals) {
            Some(signal) => heed(signal, &terminal, asking).map_err(failed)?,
            None => match rustix::io::read(&terminal.stdin, &mut *typed) {
                Err(rustix::io::Errno::INTR) => {}
                count => break count,
            },
        }
    };
    let restored = terminal.restore();
    say("\n");
    let count = count.and_then(|count| restored.map(|()| count)).map_err(failed)?;
    let typed = &typed[..count];
    if typed.contains(&CTRL_C) {
        return Err(Failure::Told(INTERRUPTED));
    }
    let text = std::str::from_utf8(typed).map_err(|_| unreadable(&ErrorKind::InvalidData.into()))?;
    Ok(SecretString::from(text))
}

/// Stops in the background, as whoever sets a terminal from there, before its modes are looked at: until then they are those of whoever has it.
fn wait_for_the_foreground() {
    let is_elsewhere = || tcgetpgrp(std::io::stdin()).is_ok_and(|group| group != getpgrp());
    if is_elsewhere() {
        kill_current_process_group(rustix::process::Signal::TTOU).ok();
    }
}

/// Waits for a signal; returns none once there is a line, or the terminal has gone.
fn wait(terminal: &Quiet, woken: &UnixStream, signals: &Signals) -> Option<Signal> {
    loop {
        // Emptied before it is looked at: what comes in between wakes the next wait.
        while (&*woken).read(&mut [0; 64]).is_ok_and(|count| count == 64) {}
        if let Some(signal) = signals.take() {
            return Some(signal);
        }
        let mut sources = [PollFd::new(woken, PollFlags::IN), PollFd::new(&terminal.stdin, PollFlags::IN)];
        if poll(&mut sources, None).is_ok() && !sources[1].revents().is_empty() {
            return None;
        }
    }
}

fn heed(signal: Signal, terminal: &Quiet, asking: &str) -> rustix::io::Result<()> {
    match signal {
        Signal::End(signal) => {
            // A terminal that has gone has no modes.
            let _ = terminal.restore();
            say("\n");
            end(signal);
        }
        Signal::Stop => {
            terminal.restore()?;
            stop();
        }
        // Whoever stopped it has set the terminal since.
        Signal::Continued => {
            terminal.hush()?;
            say(asking);
        }
        Signal::Resized => {}
    }
    Ok(())
}

/// A terminal that shows nothing of what is typed.
struct Quiet {
    stdin: Stdin,
    before: Termios,
}

impl Quiet {
    fn make(stdin: Stdin) -> rustix::io::Result<Self> {
        let terminal = Self { before: tcgetattr(&stdin)?, stdin };
        terminal.hush().map(|()| terminal)
    }

    /// In the background this stops the process until it has the terminal (POSIX, General Terminal Interface).
    fn hush(&self) -> rustix::io::Result<()> {
        let mut quiet = self.before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(&self.stdin, OptionalActions::Flush, &quiet)
    }

    /// In the background nothing is to be done: whoever has the terminal has set it.
    fn restore(&self) -> rustix::io::Result<()> {
        if tcgetpgrp(&self.stdin).is_ok_and(|group| group != getpgrp()) {
            return Ok(());
        }
        tcsetattr(&self.stdin, OptionalActions::Flush, &self.before)
    }
}
