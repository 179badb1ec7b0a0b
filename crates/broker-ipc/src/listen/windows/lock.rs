//! The lock that decides between daemons: a file of the pipe's name in the user's own directory.
//!
//! The first instance of a pipe is refused where there is one already, but in the same words whether that is the user's own
//! daemon or somebody else's. The lock makes the difference, also where the system overlooks the flag, as Wine does.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;

use super::ListenError;

/// The lock, held until dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a pipe; `None` where another process holds it.
    pub(super) fn take(pipe: &str) -> Result<Option<Self>, ListenError> {
        let failed = || ListenError::io(format!("lock the pipe {pipe}"));
        let directory = directory().ok_or_else(|| failed()(std::io::Error::other("there is no home directory")))?;
        std::fs::create_dir_all(&directory).map_err(failed())?;
        let path = directory.join(file_name(pipe));
        // It stays when the daemon goes: another may wait for the same file.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed()(error)),
        }
    }
}

/// Where only the user, administrators and the system may write.
fn directory() -> Option<PathBuf> {
    let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute());
    let local = local.or_else(|| Some(std::env::home_dir()?.join("AppData").join("Local")))?;
    Some(local.join("brokerd").join("run"))
}

/// A pipe's name may have letters that a file's may not; neither tells capitals from small ones.
fn file_name(pipe: &str) -> String {
    let mut name = String::new();
    for letter in pipe.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => name.push(letter),
            // Writing to a String does not fail.
            _ => drop(write!(name, "%{:x}", u32::from(letter))),
        }
    }
    name + ".lock"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pipe_has_a_lock_of_its_own() {
        let pipe = format!("brokerd-lock-{}", std::process::id());
        let held = Lock::take(&pipe).unwrap().unwrap();
        assert!(Lock::take(&pipe).unwrap().is_none());
        assert!(Lock::take(&format!("{pipe}-2")).unwrap().is_some());
        drop(held);
        assert!(Lock::take(&pipe).unwrap().is_some());
    }

    #[test]
    fn any_name_of_a_pipe_is_a_file_name() {
        assert_eq!(file_name("brokerd-S-1-5"), "brokerd-S-1-5.lock");
        assert_eq!(file_name("a b:c."), "a%20b%3ac%2e.lock");
        assert_ne!(file_name("a.b"), file_name("a_b"));
    }
}
