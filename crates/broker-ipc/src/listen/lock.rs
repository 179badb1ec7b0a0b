//! The lock that decides between daemons: a file beside the socket, with the holder's process id in it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};

use super::ListenError;
use super::directory::PrivateDir;

/// The lock, held until dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a socket, or says who holds it.
    pub(super) fn take(directory: &PrivateDir, socket: &str) -> Result<Self, ListenError> {
        let name = format!("{socket}.lock");
        let failed = || ListenError::io(format!("lock {name}"));
        let mut file = directory.open_file(&name).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = directory.path_of(socket);
                let at = path.display().to_string();
                // Or its user is sent to one that nobody can reach.
                let at = if path.exists() { at } else { format!("{at}, which was removed") };
                return Err(ListenError::AlreadyRunning { at, pid: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
        // The process id is for people: without it the lock holds all the same.
        drop(write_holder(&mut file));
        Ok(Self { _file: file })
    }
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
