//! Reading the file, and refusing one that others may write: who writes it decides where tokens come from.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::ConfigError;

/// Larger files are not configurations.
const MAX: u64 = 1024 * 1024;

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let wrong = |message: String, hint: &str| ConfigError { path: path.into(), line: None, message, hint: hint.into() };
    let unreadable = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => wrong(
            "there is no configuration file".into(),
            "write one with a profile in it; docs/CONFIG.md has examples",
        ),
        _ => wrong(format!("cannot be read: {error}"), "make it readable for you"),
    };
    // The checks are made on the open file, so that it cannot be exchanged between check and use.
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    check_owner(&file).map_err(|why| wrong(why, "run: chmod go-w on it, and make sure that it is yours"))?;
    let mut text = String::new();
    file.take(MAX).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    Ok(text)
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
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(format!("it belongs to another user (uid {owner})"));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check_owner(_file: &File) -> Result<(), String> {
    Ok(())
}

/// Looks whether a file is there and nobody else could have written it.
pub(crate) fn check_file(path: &Path) -> Result<Metadata, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    check_owner(&file).map_err(|why| format!("{}: {why}", path.display()))?;
    file.metadata().map_err(|error| format!("{}: {error}", path.display()))
}

/// Refuses a file that others may read: there is a secret in it.
pub(super) fn check_private(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
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

#[cfg(not(unix))]
fn check_unread(_file: &File) -> Result<(), String> {
    Ok(())
}

/// Reads a file with a secret in it; one that others may read is refused.
pub(super) fn read_secret(path: &Path) -> Result<zeroize::Zeroizing<String>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    check_owner(&file).map_err(|why| format!("{}: {why}", path.display()))?;
    check_unread(&file).map_err(|why| format!("{}: {why}", path.display()))?;
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(MAX).read_to_string(&mut text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text)
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
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(read_secret(&path).unwrap_err().contains("may read it"));
    }
}
