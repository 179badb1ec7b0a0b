//! The command: started, told what we are told, and waited for.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{Command, ExitStatus};

use broker_client::{ErrorBody, ErrorCode};

use super::surroundings::Surroundings;
use crate::failure::{Failure, say};

/// Runs a command to its end and returns its exit code: as a shell tells it, 128 and the signal's number where one ended it.
pub(super) fn run(words: &[OsString], surroundings: &Surroundings) -> Result<i32, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "there is no command").into());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    surroundings.apply(&mut command);
    match platform::run(command) {
        Ok(status) => Ok(code(status)),
        Err(error) => {
            let name = crate::clean::line(&program.to_string_lossy()).into_owned();
            say(&format!("brokerctl: cannot run {name}: {error}\n"));
            Ok(if error.kind() == ErrorKind::NotFound { 127 } else { 126 })
        }
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1)
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::process::{Command, ExitStatus};
    use std::sync::{Arc, Mutex, PoisonError};

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
    use signal_hook::consts::{SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::Origin;

    use crate::terminal;

    const FORWARDED: [i32; 8] = [SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

    pub(super) fn run(mut command: Command) -> io::Result<ExitStatus> {
        // Before the command starts: a signal in between must not end us and leave it.
        let heeded = terminal::heeded(&FORWARDED);
        let mut signals = SignalsInfo::<WithOrigin>::new(&heeded)?;
        terminal::leave_to_others(&heeded);
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let target = Arc::new(Mutex::new(pid));
        let forwarding = Arc::clone(&target);
        let handle = signals.handle();
        let forwarder = std::thread::spawn(move || {
            for origin in signals.forever() {
                forward(&origin, *forwarding.lock().unwrap_or_else(PoisonError::into_inner));
            }
        });
        if let Some(pid) = pid {
            // It has ended, and its number is still its own: nobody else is sent its signals.
            let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            while matches!(ended(), Err(rustix::io::Errno::INTR)) {}
        }
        *target.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let status = child.wait();
        handle.close();
        drop(forwarder.join());
        status
    }

    /// Sends a signal on, unless the command has it already.
    ///
    /// Whether another process has sent it to the command as well, as `timeout` does to its group and systemd to a unit's processes,
    /// nobody can tell: the command has it twice then, for lost it would be worse.
    fn forward(origin: &Origin, pid: Option<Pid>) {
        let is_a_keys = matches!(origin.signal, SIGINT | SIGQUIT) && origin.process.is_none();
        // The terminal sends its keys' signals to everybody in the foreground.
        if is_a_keys && is_foreground() {
            return;
        }
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(origin.signal)) {
            // It may be of another user by now (sudo): then it is not ours to tell.
            kill_process(pid, signal).ok();
        }
    }

    fn is_foreground() -> bool {
        let terminal = std::fs::File::open("/dev/tty").ok();
        let foreground = terminal.and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
        foreground.is_some_and(|group| group == rustix::process::getpgrp())
    }
}

#[cfg(windows)]
mod platform {
    use std::io;
    use std::process::{Command, ExitStatus};

    /// The console sends Ctrl-C to both. What it means is the command's to say; we stay, and clean up after it.
    pub(super) fn run(mut command: Command) -> io::Result<ExitStatus> {
        // Before it starts, and for good: the key that ends the command may reach us only after its end.
        broker_windows::console::leave_keys_to_others()?;
        command.status()
    }
}
