//! One sealed file, for servers without a keyring. Plaintext never reaches the disk.
//!
//! The choice of cipher and format: `docs/decisions/0004-sealed-file.md`.

mod key;
mod passphrase;
mod sealed;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use self::sealed::{Items, Key, Unsealed};
use super::{SecretStore, StoreConfig, StoreError, StoreKind};
use crate::replace;

/// The sealed file, held open for this process alone.
pub struct FileStore {
    path: PathBuf,
    directory: PathBuf,
    key: Key,
    /// Held for its lock. Beside the sealed file, which is replaced at every write.
    _lock: File,
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Whether a source of a key is configured.
pub(super) fn has_key(config: &StoreConfig) -> bool {
    key::is_configured(config)
}

/// Whether the configured file has a key.
pub(super) fn check(config: &StoreConfig) -> Result<(), StoreError> {
    key::check(config)
}

impl FileStore {
    /// Fetches the key, takes the lock and looks whether the key fits.
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] without a fit key or place, [`StoreError::Busy`] if another broker has the file,
    /// [`StoreError::WrongKey`], [`StoreError::DamagedFile`], [`StoreError::File`].
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        Self::open_with(config, |_| key::load(config))
    }

    /// Does what [`open`](Self::open) does with the key that is under a passphrase; with `new`, makes both.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and [`StoreError::Passphrase`].
    pub fn unlock(config: &StoreConfig, passphrase: &SecretString, new: bool) -> Result<Self, StoreError> {
        Self::open_with(config, |directory| {
            let path = key::passphrase_file(&place(config)?);
            if new { passphrase::choose(directory, &path, passphrase) } else { passphrase::open(&path, passphrase) }
        })
    }

    fn open_with(config: &StoreConfig, key: impl FnOnce(&Path) -> Result<Key, StoreError>) -> Result<Self, StoreError> {
        let path = place(config)?;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(StoreError::Configuration(format!("store.path {} names no file", path.display())));
        };
        let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory.to_owned() };
        prepare_directory(&directory)?;

        let mut lock_name = name.to_owned();
        lock_name.push(".lock");
        let lock = take_lock(&directory.join(lock_name))?;

        let key = key(&directory)?;
        let store = Self { directory, key, _lock: lock, path };
        // What a crash left is ciphertext, but it would pile up.
        replace::remove_leftovers(&store.directory, &store.path);
        store.read()?;
        Ok(store)
    }

    fn read(&self) -> Result<Items, StoreError> {
        let file = match fs::read(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Items::new()),
            Err(error) => return Err(self.unusable("cannot be read", error)),
        };
        sealed::unseal(&self.key, &file).map_err(|error| match error {
            Unsealed::Damaged => StoreError::DamagedFile(format!("{} is damaged", self.path.display())),
            Unsealed::Newer => {
                StoreError::NotSupported(format!("{} was written by a newer brokerd", self.path.display()))
            }
            Unsealed::WrongKey => StoreError::WrongKey { path: self.path.clone() },
        })
    }

    /// A crash at any step leaves the old file or the new one.
    fn write(&self, items: &Items) -> Result<(), StoreError> {
        let sealed = sealed::seal(&self.key, items)
            .ok_or_else(|| StoreError::unavailable("the file cannot be sealed: no random bytes"))?;
        replace::durably(&self.directory, &self.path, &sealed).map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreError::Full {
                what: format!("no space to write {}; the previous contents are still there", self.path.display()),
                source: Some(error.into()),
            },
            _ => self.unusable("cannot be written", error),
        })
    }

    fn unusable(&self, what: &str, error: io::Error) -> StoreError {
        StoreError::file(format!("{} {what}", self.path.display()), error)
    }
}

/// Where the configured file is.
fn place(config: &StoreConfig) -> Result<PathBuf, StoreError> {
    config.path.clone().map_or_else(default_path, Ok)
}

impl SecretStore for FileStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn durability(&self) -> &'static str {
        "sign-ins are kept in a sealed file and last until they are signed out"
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.read()?.remove(key))
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        let mut items = self.read()?;
        items.insert(key.to_owned(), Zeroizing::new(secret.to_vec()));
        self.write(&items)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        let mut items = self.read()?;
        match items.remove(key) {
            Some(_) => self.write(&items),
            None => Ok(()),
        }
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        Ok(Some(self.read()?.into_keys().collect()))
    }
}

fn default_path() -> Result<PathBuf, StoreError> {
    let base = if cfg!(windows) {
        std::env::var_os("LOCALAPPDATA").map(PathBuf::from)
    } else {
        // The XDG specification: a relative path is to be ignored.
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        state.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
    };
    let base = base.filter(|path| path.is_absolute());
    let base =
        base.ok_or_else(|| StoreError::Configuration("there is no home directory; set store.path".to_owned()))?;
    Ok(base.join("brokerd").join("grants.sealed"))
}

fn prepare_directory(directory: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let unusable = |error| StoreError::file(format!("{} cannot be used", directory.display()), error);
    builder.create(directory).map_err(unusable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        let mode = fs::metadata(directory).map_err(unusable)?.permissions().mode();
        // Whoever can write there can put another file, or an older one, in the place of ours.
        if mode & 0o022 != 0 {
            return Err(StoreError::Configuration(format!(
                "{} can be written by others; chmod 700",
                directory.display()
            )));
        }
    }
    Ok(())
}

fn take_lock(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let unusable = |error: io::Error| StoreError::file(format!("{} cannot be locked", path.display()), error);
    let file = options.open(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        directory: tempfile::TempDir,
        config: StoreConfig,
    }

    fn place() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let key_file = directory.path().join("key");
        write_private(&key_file, &[7; 32]);
        let path = directory.path().join("state/brokerd/grants.sealed");
        let config =
            StoreConfig { kind: StoreKind::File, path: Some(path), key_file: Some(key_file), ..StoreConfig::default() };
        Place { directory, config }
    }

    fn write_private(path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    impl Place {
        fn open(&self) -> Result<FileStore, StoreError> {
            FileStore::open(&self.config)
        }

        fn sealed(&self) -> PathBuf {
            self.config.path.clone().unwrap()
        }
    }

    #[test]
    fn items_survive_a_restart() {
        let place = place();
        let mut store = place.open().unwrap();
        assert!(store.get("a").unwrap().is_none());
        store.put("a", b"one").unwrap();
        store.put("b", b"two").unwrap();
        store.put("a", b"three").unwrap();
        store.delete("b").unwrap();
        store.delete("b").unwrap();
        drop(store);
        let mut store = place.open().unwrap();
        assert_eq!(store.list().unwrap().unwrap(), ["a"]);
        assert_eq!(**store.get("a").unwrap().unwrap(), *b"three");
    }

    #[test]
    fn a_second_writer_is_refused_until_the_first_is_gone() {
        let place = place();
        let first = place.open().unwrap();
        assert!(matches!(place.open(), Err(StoreError::Busy { .. })));
        drop(first);
        place.open().unwrap();
    }

    #[test]
    fn another_key_and_a_cut_file_are_different_errors_and_change_nothing() {
        let place = place();
        let mut store = place.open().unwrap();
        store.put("a", b"one").unwrap();

        let whole = fs::read(place.sealed()).unwrap();
        fs::write(place.sealed(), &whole[..whole.len() - 1]).unwrap();
        assert!(matches!(store.get("a"), Err(StoreError::DamagedFile(_))));
        assert!(
            matches!(store.put("a", b"two"), Err(StoreError::DamagedFile(_))),
            "a damaged file is not written over"
        );
        drop(store);
        assert!(matches!(place.open(), Err(StoreError::DamagedFile(_))));
        fs::write(place.sealed(), &whole).unwrap();

        write_private(&place.directory.path().join("key"), &[8; 32]);
        assert!(matches!(place.open(), Err(StoreError::WrongKey { .. })));
        assert_eq!(fs::read(place.sealed()).unwrap(), whole);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let place = place();
        let mut store = place.open().unwrap();
        store.put("a", b"one").unwrap();
        // A temporary file cannot be made in a directory that is not there.
        store.directory = place.directory.path().join("gone");
        assert!(matches!(store.put("a", b"two"), Err(StoreError::File { .. })));
        assert_eq!(**store.get("a").unwrap().unwrap(), *b"one");
    }

    #[test]
    fn leftovers_of_a_crash_are_removed() {
        let place = place();
        drop(place.open().unwrap());
        let leftover = place.sealed().with_file_name(".grants.sealed.abc.tmp");
        fs::write(&leftover, b"half").unwrap();
        drop(place.open().unwrap());
        assert!(!leftover.exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;

        let place = place();
        place.open().unwrap().put("a", b"one").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.sealed()), 0o600);
        assert_eq!(mode(&place.sealed().with_file_name("grants.sealed.lock")), 0o600);
        assert_eq!(mode(place.sealed().parent().unwrap()), 0o700);
        assert!(!fs::read(place.sealed()).unwrap().windows(3).any(|window| window == b"one"));

        fs::set_permissions(place.sealed().parent().unwrap(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(place.open(), Err(StoreError::Configuration(_))));
    }
}
