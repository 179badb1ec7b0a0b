//! Files that are replaced whole, for the user alone: the old one or the new one is there, whenever brokerd dies.
//!
//! Who dies in between leaves a temporary file, which the next one to write there removes.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use tempfile::NamedTempFile;

/// Replaces a file of the state directory, making the directory if need be. It is not synced: after a power cut it may be an
/// older one or none.
pub(crate) fn quickly(directory: &Path, name: &str, contents: &impl Serialize) -> io::Result<()> {
    crate::paths::make_private(directory)?;
    let path = directory.join(name);
    written(directory, &path, &serde_json::to_vec_pretty(contents)?)?.persist(path)?;
    Ok(())
}

/// Replaces a file of the directory: it is the old one or the new one when the power goes, too.
pub(crate) fn durably(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    synced(path, written(directory, path, bytes)?)?;
    sync_directory(directory)
}

/// The same for a file that others may be allowed to read: so they may the new one. It is replaced, too, where a file system
/// cannot make the name itself outlive a power cut.
pub(crate) fn for_its_readers(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = written(directory, path, bytes)?;
    if path.exists() {
        allow_the_readers_of(path, &file)?;
    }
    synced(path, file)?;
    try_to_sync(directory, path);
    Ok(())
}

/// The same for a file of the user alone that can be made anew, at a price.
pub(crate) fn as_durably_as_can_be(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    synced(path, written(directory, path, bytes)?)?;
    try_to_sync(directory, path);
    Ok(())
}

fn try_to_sync(directory: &Path, path: &Path) {
    if let Err(error) = sync_directory(directory) {
        tracing::debug!(path = %path.display(), %error, "a file's new name may not outlive a power cut");
    }
}

/// Removes what a crash has left beside a file. Only for whoever is alone with it: nobody is writing one now.
pub(crate) fn remove_leftovers(directory: &Path, path: &Path) {
    let prefix = prefix(path);
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(SUFFIX) && fs::remove_file(entry.path()).is_err() {
            tracing::debug!(path = %entry.path().display(), "a leftover stays behind");
        }
    }
}

const SUFFIX: &str = ".tmp";

#[cfg(unix)]
fn allow_the_readers_of(old: &Path, new: &NamedTempFile) -> io::Result<()> {
    new.as_file().set_permissions(fs::metadata(old)?.permissions())
}

/// A rename keeps the list of the file that is renamed, which is the directory's. `ReplaceFileW` would keep the old one's, but can
/// fail with neither file in place.
#[cfg(windows)]
fn allow_the_readers_of(old: &Path, new: &NamedTempFile) -> io::Result<()> {
    use broker_windows::security;

    let access = security::of_file(&fs::File::open(old)?)?.access;
    security::set_access(new.path(), &access)
}

fn synced(path: &Path, file: NamedTempFile) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A rename is durable only when the directory is.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// A rename is as durable as the file system makes it: directories cannot be synced.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// A temporary file of that crate is 0600 from its creation.
fn written(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(&prefix(path)).suffix(SUFFIX).tempfile_in(directory)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_leftovers_of_the_file_itself_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        quickly(directory.path(), "a.json", &1).unwrap();
        let left = written(directory.path(), &file("a.json"), b"half").unwrap().keep().unwrap().1;
        let other = written(directory.path(), &file("b.json"), b"half").unwrap().keep().unwrap().1;
        remove_leftovers(directory.path(), &file("a.json"));
        assert!(!left.exists() && other.exists());
        assert_eq!(fs::read(file("a.json")).unwrap(), b"1");
    }

    #[cfg(windows)]
    #[test]
    fn a_file_keeps_its_access_list() {
        use broker_windows::security;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        let list = || security::of_file(&fs::File::open(&path).unwrap()).unwrap();
        for list_of_others in ["", "(A;;FR;;;WD)"] {
            fs::write(&path, "a").unwrap();
            security::set_access(&path, &format!("D:P(A;;FA;;;{}){list_of_others}", list().owner)).unwrap();
            let before = list();
            for_its_readers(directory.path(), &path, b"b").unwrap();
            assert_eq!((list(), fs::read(&path).unwrap().as_slice()), (before, b"b".as_slice()));
        }
    }
}
