//! Signals, by what they ask for.

use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To leave; the signal's name.
    Leave(&'static str),
    /// To read the configuration again.
    Reload,
}

/// The signals of this process, from when this is made.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes them over. Must be called within a runtime.
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Leave("SIGTERM"),
            _ = self.interrupt.recv() => Signal::Leave("SIGINT"),
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// What a console says when it is to end: at its keyboard, or by its window. That the session ends is told to services, as a rule, and
/// heeded where it is told here. Once told, Windows
/// waits some seconds (five, as a rule) and then ends the process; what is not saved by then is where a crash would leave it.
#[cfg(windows)]
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    r#break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    logoff: tokio::signal::windows::CtrlLogoff,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// Takes them over. Must be called within a runtime.
    pub fn new() -> io::Result<Self> {
        use tokio::signal::windows;

        Ok(Self {
            interrupt: windows::ctrl_c()?,
            r#break: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            logoff: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    /// Waits for the next. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Leave("Ctrl-C"),
            _ = self.r#break.recv() => Signal::Leave("Ctrl-Break"),
            _ = self.close.recv() => Signal::Leave("close"),
            _ = self.logoff.recv() => Signal::Leave("logoff"),
            _ = self.shutdown.recv() => Signal::Leave("shutdown"),
        }
    }
}
