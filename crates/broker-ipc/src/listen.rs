//! How the daemon listens, alone.
//!
//! 1. The directory is made 0700 and checked: ours, closed to others, not a link.
//! 2. A lock file beside the socket decides between daemons; it is never removed, so no two can hold different ones.
//! 3. Holding the lock, a socket of ours that nobody answers is removed.
//! 4. The socket is bound, 0600 from the moment it exists, and must then be found in the directory that was checked.
//! 5. On drop it is removed, if it is still the same file.
//!
//! A socket that a service manager made and handed over is checked by the same rules, used as it is and never removed.
//!
//! On Windows a pipe has its access list from the start, its first instance must be the first of its name, and a lock file in
//! the user's directory decides between daemons.

#[cfg(unix)]
mod directory;
#[cfg(unix)]
mod inherited;
#[cfg(unix)]
mod lock;
#[cfg(test)]
#[cfg(unix)]
mod tests;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::path::PathBuf;

#[cfg(unix)]
pub use unix::Listener;
#[cfg(windows)]
pub use windows::Listener;

pub use crate::stream::Stream;

/// Who may reach a socket by its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner: the directory is 0700, the socket 0600.
    Own,
    /// Whoever may enter the directory: that others may not write, the socket is 0666.
    Shared,
}

#[cfg(unix)]
impl Access {
    fn socket_mode(self) -> rustix::fs::RawMode {
        match self {
            Self::Own => 0o600,
            Self::Shared => 0o666,
        }
    }
}

/// Why the daemon does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another brokerd of this user listens there.
    #[error("another brokerd is running{} at {at}: use it, or stop it first", pid.map_or_else(String::new, |pid| format!(" (process {pid})")))]
    AlreadyRunning {
        /// The socket or pipe, for a person.
        at: String,
        /// Its process id, if known.
        pid: Option<u32>,
    },
    /// Somebody listens there who is no brokerd: the service manager, for one that it would start.
    #[error("{} is taken{}: stop brokerd.socket, if a service manager listens there", path.display(), pid.map_or_else(String::new, |pid| format!(" by process {pid}")))]
    Taken {
        /// The socket.
        path: PathBuf,
        /// Who, if known.
        pid: Option<u32>,
    },
    /// Others could reach, replace or redirect the socket.
    #[error("{} {why}", path.display())]
    Insecure {
        /// The directory or file at fault.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The path does not fit a socket's name.
    #[error("socket path {} is longer than the {limit} bytes a socket may have", path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
        /// The longest that fits.
        limit: usize,
    },
    /// Anything else.
    #[error("cannot {what}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl ListenError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }

    fn insecure(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::Insecure { path: path.into(), why: why.into() }
    }
}
