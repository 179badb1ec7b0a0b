//! Files that tools read a token from.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use broker_client::{ErrorBody, ErrorCode};

use super::{Asker, Credential};
use crate::failure::Failure;
use crate::output;

/// `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`
pub(super) fn gcloud(asker: &Asker<'_>, file: &Path) -> Result<(), Failure> {
    write(file, &asker.for_profile()?)
}

/// WLCG Bearer Token Discovery, step 3 and 4: where tools look that have neither `BEARER_TOKEN` nor `BEARER_TOKEN_FILE`.
pub(super) fn wlcg(asker: &Asker<'_>, file: Option<&Path>) -> Result<(), Failure> {
    let credential = asker.for_profile()?;
    match file {
        Some(file) => write(file, &credential),
        None => write(&discovered()?, &credential),
    }
}

#[cfg(unix)]
fn discovered() -> Result<PathBuf, Failure> {
    let name = format!("bt_u{}", rustix::process::geteuid().as_raw());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    match runtime.map(PathBuf::from).filter(|directory| directory.is_absolute()) {
        Some(directory) => Ok(directory.join(name)),
        // `/tmp` is the specification's next place; a name there can be taken by anybody.
        None => Err(unwritable("XDG_RUNTIME_DIR is not set", "say where with --file")),
    }
}

#[cfg(not(unix))]
fn discovered() -> Result<PathBuf, Failure> {
    Err(unwritable("this system has no place for it by convention", "say where with --file"))
}

fn write(file: &Path, credential: &Credential) -> Result<(), Failure> {
    replace(file, credential.token().as_bytes())
        .map_err(|error| unwritable(&format!("cannot write {}: {error}", file.display()), "choose another place"))?;
    output::line(&file.display().to_string())
}

fn unwritable(what: &str, hint: &str) -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, what).with_hint(hint).into()
}

/// Puts a file with a secret in the place of the one there may be: in one step, readable by its owner from the first byte.
pub(crate) fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let new = file.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = create(&new).and_then(|mut file| file.write_all(content)).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        drop(fs::remove_file(&new));
    }
    written
}

/// Makes a file for its owner alone. A new one only: what somebody else may have put there is not written through.
#[cfg(unix)]
fn create(file: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create_new(true).mode(0o600).open(file)
}

/// Makes a file for its owner alone, whatever its directory would grant.
#[cfg(windows)]
fn create(file: &Path) -> io::Result<File> {
    broker_windows::security::create_private(file)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_never_open_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        fs::write(&file, "old, and longer").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        assert!(replace(&directory.path().join("none/token"), b"x").is_err());
    }
}

#[cfg(all(test, windows))]
mod windows_tests {
    use broker_windows::security;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (file, private) = (directory.path().join("token"), directory.path().join("private"));
        let list = |path: &Path| security::of_file(&File::open(path).unwrap()).unwrap();
        fs::write(&file, "old, and longer").unwrap();
        drop(security::create_private(&private).unwrap());
        replace(&file, b"new").unwrap();
        assert_eq!((fs::read(&file).unwrap().as_slice(), list(&file)), (b"new".as_slice(), list(&private)));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }
}
