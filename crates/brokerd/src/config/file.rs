//! Reading the file, and refusing one that others may write: who writes it decides where tokens come from.

#[cfg(windows)]
mod windows;

mod directory;

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

#[cfg(windows)]
use self::windows::{check_owner, check_unread};
use super::ConfigError;

/// What to do about a file that others may write.
const MAKE_IT_YOURS: &str = if cfg!(windows) {
    "let only yourself, SYSTEM and Administrators write it: icacls FILE /inheritance:r /grant:r %USERNAME%:F"
} else {
    "run: chmod go-w on it, and make sure that it is yours"
};
/// What to do about a file in whose place others may put another.
const CLOSE_ITS_DIRECTORY: &str =
    "run: chmod o-w on the directory, and make sure that it is yours; or keep the file elsewhere";
/// What to do about a file with a secret in it that others may read.
const KEEP_IT_YOURS: &str = if cfg!(windows) {
    "let only yourself, SYSTEM and Administrators read it: icacls FILE /inheritance:r /grant:r %USERNAME%:F"
} else {
    "give it to you alone: chmod 600"
};
/// What to do about a file that is not there, or not one.
const LOOK_FOR_IT: &str = "check the path: a relative one begins beside the configuration, and ~ is not expanded";
/// Larger files are neither configurations nor secrets.
const MAX: usize = 1024 * 1024;
/// There is room for a file of this length at least.
const SHORT: usize = 16 * 1024;

/// Why a file that the configuration names is not used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub(crate) struct Unfit {
    path: PathBuf,
    why: String,
    /// What to do.
    pub(crate) hint: &'static str,
}

impl Unfit {
    fn new(path: &Path, why: &impl ToString, hint: &'static str) -> Self {
        Self { path: path.into(), why: why.to_string(), hint }
    }
}

/// Reads a configuration. There may be a proxy's password in it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let wrong = |message: String, hint: &str| ConfigError { path: path.into(), line: None, message, hint: hint.into() };
    let unreadable = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => wrong("there is no configuration file".into(), super::FIRST_PROFILE),
        ErrorKind::FileTooLarge | ErrorKind::InvalidInput => {
            wrong(error.to_string(), "is it a configuration? docs/CONFIG.md has examples")
        }
        _ => wrong(format!("cannot be read: {error}"), "make it readable for you"),
    };
    // The checks are made on the open file, so that it cannot be exchanged between check and use.
    let file = open(path).map_err(|error| unreadable(&error))?;
    check_writers(&file, path).map_err(|(why, hint)| wrong(why, hint))?;
    whole(file).map_err(|error| unreadable(&error))
}

/// Opens a file for reading, and nothing else: a pipe would hold up the whole daemon until somebody writes into it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// A file's text, all of it or none: half a file can mean something else, half a secret is a wrong one.
fn whole(file: File) -> io::Result<Zeroizing<String>> {
    let bytes = bytes(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A file's bytes. Not `read_to_end`: growing would leave copies of a secret behind, so there is room for all of it at once.
fn bytes(mut file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    // A file system that does not know how long its files are says 0.
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(MAX).clamp(SHORT, MAX);
    // One byte more tells whether that was all of it.
    let mut bytes = Zeroizing::new(vec![0; length + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled > MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is too long: more than {MAX} bytes")));
    }
    if filled > length {
        return Err(io::Error::other("it is being written at this moment"));
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Refuses a file that somebody else could have written, or could put another in the place of.
fn check_writers(file: &File, path: &Path) -> Result<(), (String, &'static str)> {
    check_owner(file).map_err(|why| (why, MAKE_IT_YOURS))?;
    directory::check(path).map_err(|why| (why, CLOSE_ITS_DIRECTORY))
}

/// Refuses a file that somebody else could have written.
#[cfg(unix)]
pub(super) fn check_owner(file: &File) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let (mode, owner) = (metadata.mode(), metadata.uid());
    if mode & 0o022 != 0 {
        return Err(format!("others may write it (mode {:o})", mode & 0o7777));
    }
    if owner != 0 && !broker_ipc::user::is_own(owner) {
        return Err(format!("it belongs to another user (uid {owner})"));
    }
    Ok(())
}

/// Opens a file that nobody else could have written. Reading by the path again might read another one.
pub(crate) fn open_file(path: &Path) -> Result<(File, Metadata), Unfit> {
    let absent = |error: io::Error| Unfit::new(path, &error, LOOK_FOR_IT);
    let file = open(path).map_err(absent)?;
    check_writers(&file, path).map_err(|(why, hint)| Unfit::new(path, &why, hint))?;
    let metadata = file.metadata().map_err(absent)?;
    Ok((file, metadata))
}

/// Refuses an open file with a secret in it that others may read or write.
#[cfg(windows)]
pub(crate) fn check_secret(file: &File) -> Result<(), String> {
    check_owner(file)?;
    check_unread(file)
}

/// Refuses a file that others may read: there is a secret in it.
pub(super) fn check_private(path: &Path) -> Result<(), String> {
    let file = open(path).map_err(|error| error.to_string())?;
    check_unread(&file)
}

#[cfg(unix)]
fn check_unread(file: &File) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    match file.metadata().map_err(|error| error.to_string())?.mode() {
        mode if mode & 0o044 != 0 => Err(format!("others may read it (mode {:o})", mode & 0o7777)),
        _ => Ok(()),
    }
}

/// Reads a file with a secret in it; one that others may read is refused.
pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Unfit> {
    let file = open(path).map_err(|error| Unfit::new(path, &error, LOOK_FOR_IT))?;
    check_writers(&file, path).map_err(|(why, hint)| Unfit::new(path, &why, hint))?;
    check_unread(&file).map_err(|why| Unfit::new(path, &why, KEEP_IT_YOURS))?;
    whole(file).map_err(|error| Unfit::new(path, &error, "is it the right file? it has the secret and nothing else"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_others_may_write_is_refused_and_a_missing_one_explained() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        assert!(read(&path).unwrap_err().to_string().contains("no configuration file"));
        std::fs::write(&path, "").unwrap();
        for (mode, good) in [(0o600, true), (0o644, true), (0o660, false), (0o646, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_pipe_is_refused_and_waited_for_by_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let refused = [read(&path).unwrap_err().to_string(), read_secret(&path).unwrap_err().to_string()];
            tell.send((refused, open_file(&path).unwrap_err().to_string())).unwrap();
        });
        let ([config, secret], ca_file) = told.recv_timeout(std::time::Duration::from_secs(30)).expect("it waits");
        for why in [config, secret, ca_file] {
            assert!(why.contains("not a regular file"), "{why}");
        }
    }

    #[test]
    fn a_secret_that_the_group_or_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "s3cret").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let read = read_secret(&path);
            assert_eq!(read.is_ok(), good, "{mode:o}");
            let told = |unfit: Unfit| unfit.to_string().contains("may read it") && unfit.hint == KEEP_IT_YOURS;
            assert!(read.err().is_none_or(told), "{mode:o}");
            assert_eq!(check_private(&path).is_ok(), good, "{mode:o}");
        }
    }

    /// A buffer that grows leaves what was in it behind.
    #[test]
    fn the_buffer_of_a_secret_does_not_grow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for length in [0, 100, SHORT, SHORT + 1, 100_000] {
            std::fs::write(&path, "#".repeat(length)).unwrap();
            let bytes = bytes(File::open(&path).unwrap()).unwrap();
            assert_eq!((bytes.len(), bytes.capacity()), (length, length.max(SHORT) + 1));
        }
    }

    #[test]
    fn what_is_too_long_is_said_to_be_and_not_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        // The limit is in the middle of the last character.
        for (text, good) in [("#".repeat(MAX), true), ("#".repeat(MAX + 1), false), ("#".repeat(MAX - 1) + "é", false)]
        {
            std::fs::write(&path, &text).unwrap();
            assert_eq!((read(&path).is_ok(), read_secret(&path).is_ok()), (good, good), "{}", text.len());
            assert!(read(&path).err().is_none_or(|error| error.message.contains("too long")));
            assert!(read_secret(&path).err().is_none_or(|unfit| unfit.to_string().contains("too long")));
        }
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read(&path).unwrap_err().message.contains("UTF-8"));
    }
}
