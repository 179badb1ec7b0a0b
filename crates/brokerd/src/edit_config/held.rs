//! The file itself: one editor at a time, and the old file or the new one, never a part of either.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use broker_ipc::error::{ErrorBody, ErrorCode};
use zeroize::Zeroizing;

use super::refused;
use crate::{config, paths, replace};

/// An edit takes milliseconds; another editor is waited for so long.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// Linux's own limit.
const MOST_LINKS: usize = 40;

/// The configuration file, while no other `brokerd --edit-config` may change it.
pub(super) struct Held {
    /// Where it is named.
    named: PathBuf,
    /// Where it is, if the name is a symbolic link.
    file: PathBuf,
    _lock: File,
}

impl Held {
    pub(super) fn take(path: &Path) -> Result<Self, ErrorBody> {
        let file = follow(path).map_err(|error| unwritten(path, &error))?;
        let lock = lock().map_err(|error| unwritten(path, &error))?;
        replace::remove_leftovers(directory_of(&file), &file);
        Ok(Self { named: path.to_owned(), file, _lock: lock })
    }

    /// What is in it; nothing if there is no file yet.
    pub(super) fn text(&self) -> Result<Zeroizing<String>, ErrorBody> {
        match fs::symlink_metadata(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Zeroizing::default()),
            _ => config::read(&self.named).map_err(refused),
        }
    }

    /// Puts another text in its place. A new file is the user's alone; an old one keeps who may read it.
    pub(super) fn write(&self, text: &str) -> Result<(), ErrorBody> {
        write(&self.file, text).map_err(|error| unwritten(&self.named, &error))
    }
}

fn unwritten(path: &Path, error: &io::Error) -> ErrorBody {
    ErrorBody::new(ErrorCode::Configuration, format!("{} cannot be written: {error}", path.display())).with_hint(
        "nothing was changed; make the file and its directory writable for you, or name another with --config",
    )
}

/// Where a file is that may be named by symbolic links, as in a directory of dot files under version control. It need not exist.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // Neither a link, or nothing at all; what is wrong with it besides, its reader says.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn lock() -> io::Result<File> {
    let directory = paths::state_dir();
    paths::make_private(&directory)?;
    let file = File::options().create(true).truncate(false).write(true).open(directory.join("edit-config.lock"))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "another brokerctl profile holds it"))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = directory_of(path);
    if !directory.exists() {
        paths::make_private(directory)?;
    }
    replace::for_its_readers(directory, path, text.as_bytes())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_new_file_is_the_users_alone_and_an_old_one_keeps_its_readers() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new/brokerd/config.toml");
        write(&path, "a").unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        write(&path, "b").unwrap();
        assert_eq!((mode(&path), fs::read_to_string(&path).unwrap().as_str()), (0o644, "b"));
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn links_stay_links_and_lead_to_the_new_text() {
        let home = tempfile::tempdir().unwrap();
        let (link, second, file) = (home.path().join("link"), home.path().join("second"), home.path().join("dot/file"));
        fs::create_dir(home.path().join("dot")).unwrap();
        symlink("second", &link).unwrap();
        symlink("dot/file", &second).unwrap();
        assert_eq!(follow(&link).unwrap(), file, "a file that is not there yet");
        write(&follow(&link).unwrap(), "a").unwrap();
        assert!(link.is_symlink() && second.is_symlink() && !file.is_symlink());
        assert_eq!(fs::read_to_string(&link).unwrap(), "a");
        symlink("round", home.path().join("round")).unwrap();
        assert!(follow(&home.path().join("round")).is_err());
    }
}
