//! The directory that a file is in: whoever may write there can put another file in its place.

use std::path::Path;

/// Refuses a file in a directory of somebody else, or one that everybody may write to.
///
/// What its group may write is left alone: as a rule that is the user's own group. In a directory like `/tmp`, with the sticky
/// bit, a file is safe from others.
#[cfg(unix)]
pub(super) fn check(path: &Path) -> Result<(), String> {
    let named = std::path::absolute(path).map_err(|error| error.to_string())?;
    check_parent(&named)?;
    // Who writes where a link is leads it elsewhere, and who writes where it leads to exchanges that.
    let real = std::fs::canonicalize(path).map_err(|error| error.to_string())?;
    check_parent(&real)
}

#[cfg(unix)]
fn check_parent(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;

    let Some(directory) = path.parent() else { return Ok(()) };
    let its = || format!("its directory {}", directory.display());
    let metadata = std::fs::metadata(directory).map_err(|error| format!("{} cannot be looked at: {error}", its()))?;
    let (mode, owner) = (metadata.mode(), metadata.uid());
    if lets_others_write(mode) && !is_read_only(directory) {
        return Err(format!("others may write to {} (mode {:o})", its(), mode & 0o7777));
    }
    if owner != 0 && !broker_ipc::user::is_own(owner) {
        return Err(format!("{} belongs to another user (uid {owner})", its()));
    }
    Ok(())
}

/// Whether everybody may put files in the place of others' in a directory of this mode.
#[cfg(unix)]
fn lets_others_write(mode: u32) -> bool {
    const STICKY: u32 = 0o1000;
    const OTHERS_WRITE: u32 = 0o002;
    mode & OTHERS_WRITE != 0 && mode & STICKY == 0
}

/// Whether nobody may write there, as in a `ConfigMap` of Kubernetes, whose mount has mode 0777.
#[cfg(unix)]
fn is_read_only(directory: &Path) -> bool {
    rustix::fs::statvfs(directory).is_ok_and(|about| about.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// Refuses nothing: on Windows a file's own access list says who may remove it, and few directories let others do that.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may refuse")]
pub(super) fn check(_path: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::{open_file, read, read_secret};

    #[test]
    fn a_file_that_others_may_exchange_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("d");
        std::fs::create_dir(&directory).unwrap();
        let file = directory.join("file");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let link = place.path().join("link");
        symlink(&file, &link).unwrap();
        for (mode, good) in
            [(0o700, true), (0o755, true), (0o775, true), (0o1777, true), (0o777, false), (0o702, false)]
        {
            std::fs::set_permissions(&directory, PermissionsExt::from_mode(mode)).unwrap();
            for path in [&file, &link] {
                let refusals = [
                    read(path).err().map(|error| (error.message, error.hint)),
                    open_file(path).err().map(|unfit| (unfit.to_string(), unfit.hint.to_owned())),
                    read_secret(path).err().map(|unfit| (unfit.to_string(), unfit.hint.to_owned())),
                ];
                for refusal in refusals {
                    assert_eq!(refusal.is_none(), good, "{mode:o}: {refusal:?}");
                    let told =
                        |(why, hint): (String, String)| why.contains("others may write to") && hint.contains("o-w");
                    assert!(refusal.is_none_or(told), "{mode:o}");
                }
            }
        }
    }

    /// The link's own place counts as well.
    #[test]
    fn a_link_that_others_may_lead_elsewhere_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let (file, open) = (place.path().join("file"), place.path().join("open"));
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::create_dir(&open).unwrap();
        symlink(&file, open.join("link")).unwrap();
        for (mode, good) in [(0o755, true), (0o777, false)] {
            std::fs::set_permissions(&open, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(open_file(&open.join("link")).is_ok(), good, "{mode:o}");
        }
    }
}
