//! A socket that a service manager made and handed over: whether it is as safe as one of ours.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::directory::PrivateDir;
use super::lock::Lock;
use super::{Access, ListenError};
use crate::user::is_own;

/// Permission bits of everybody but the owner, and those with which others could replace the socket.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

/// A service manager does not look whether its socket is still there.
const AGAIN: &str = "restart the socket unit, brokerd.socket, which makes it anew";

/// What is known about the inherited socket, held while it is used.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) path: PathBuf,
    /// So that a daemon started by hand can say who is first. None where the directory is root's.
    _lock: Option<Lock>,
}

impl Inherited {
    /// Checks what stands at the socket's name, by the rules for a socket of our own; its directory may be root's too.
    pub(super) fn check(fd: &OwnedFd) -> Result<Self, ListenError> {
        let path = name_of(fd)?;
        let insecure = |why: String| ListenError::insecure(&path, why);
        let facts = std::fs::symlink_metadata(&path)
            .map_err(|error| insecure(format!("is where the service manager's socket should be: {error}; {AGAIN}")))?;
        if !facts.file_type().is_socket() || !is_own(facts.uid()) {
            return Err(insecure("is not the socket that the service manager made for this user".to_owned()));
        }
        if facts.mode() & OTHERS != 0 {
            let mode = facts.mode() & 0o7777;
            return Err(insecure(format!(
                "is open to others (mode {mode:04o}); set SocketMode=0600 in the socket unit"
            )));
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(insecure("is no name for a socket".to_owned()));
        };
        let lock = if is_roots(parent) {
            None
        } else {
            let directory = PrivateDir::open(parent, Access::Own)?;
            Some(take_patiently(&directory, name)?)
        };
        Ok(Self { path, _lock: lock })
    }
}

fn name_of(fd: &OwnedFd) -> Result<PathBuf, ListenError> {
    let failed = || ListenError::io("find the name of the inherited socket");
    let socket = UnixListener::from(fd.try_clone().map_err(failed())?);
    let address = socket.local_addr().map_err(failed())?;
    let path = address.as_pathname().map(Path::to_path_buf);
    path.ok_or_else(|| ListenError::insecure("the inherited socket", "has no name in the file system"))
}

/// Whether a directory is root's, and nobody else may put anything there.
fn is_roots(directory: &Path) -> bool {
    std::fs::symlink_metadata(directory)
        .is_ok_and(|facts| facts.is_dir() && facts.uid() == 0 && facts.mode() & OTHERS_WRITE == 0)
        && !rustix::process::geteuid().is_root()
}

/// A daemon started by hand holds the lock for as long as it asks who answers at the socket: that is what started this one.
fn take_patiently(directory: &PrivateDir, name: &str) -> Result<Lock, ListenError> {
    const PAUSE: Duration = Duration::from_millis(50);
    const PAUSES: u32 = 40;
    for _ in 0..PAUSES {
        match Lock::take(directory, name) {
            Err(ListenError::AlreadyRunning { .. }) => sleep(PAUSE),
            taken => return taken,
        }
    }
    Lock::take(directory, name)
}
