//! The files of the service: written, told apart from those that somebody edited, and removed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use broker_client::{ErrorBody, ErrorCode};
use sha2::{Digest as _, Sha256};

use super::FileState;
use crate::failure::Failure;

/// A file that is to be there.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not there.
    Absent,
    /// As it would be written now.
    AsWanted,
    /// As it was written once, by another version or for a program elsewhere.
    AsWritten,
    /// Somebody has edited it since, or it was never ours.
    Edited,
}

/// What was written, by path: the SHA-256 of the text. It is how an edit is recognised after an upgrade.
#[derive(Debug)]
pub(super) struct Files {
    record: PathBuf,
    written: BTreeMap<String, String>,
}

impl Files {
    /// `record` is where it is remembered.
    pub(super) fn open(record: PathBuf) -> Self {
        let written = fs::read(&record).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { record, written }
    }

    pub(super) fn kind(&self, wanted: &Wanted) -> Kind {
        match fs::read_to_string(&wanted.path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !wanted.path.is_symlink() => Kind::Absent,
            Ok(text) if text == wanted.text => Kind::AsWanted,
            Ok(text) if self.written.get(&name(&wanted.path)) == Some(&digest(&text)) => Kind::AsWritten,
            _ => Kind::Edited,
        }
    }

    /// Refuses before anything is done if a file was edited and that is not to be overlooked.
    pub(super) fn check(&self, wanted: &[Wanted], force: bool) -> Result<(), Failure> {
        let edited = wanted.iter().find(|wanted| self.kind(wanted) == Kind::Edited && !force);
        edited.map_or(Ok(()), |wanted| {
            let what = format!("{} has been edited, or somebody else wrote it", wanted.path.display());
            Err(ErrorBody::new(ErrorCode::Configuration, what)
                .with_hint(
                    "nothing was done; --force replaces or removes it, and keeps a copy beside it (.old, .old.1, …)",
                )
                .into())
        })
    }

    /// Makes a file as it is wanted; returns what was done, or nothing if it was so.
    pub(super) fn put(&mut self, wanted: &Wanted) -> Result<Option<String>, Failure> {
        let kind = self.kind(wanted);
        let shown = wanted.path.display();
        if kind == Kind::AsWanted {
            self.remember(&wanted.path, Some(digest(&wanted.text)));
            return Ok(None);
        }
        let failed = |error: io::Error| unwritten(&wanted.path, &error);
        let kept = if kind == Kind::Edited { Some(set_aside(&wanted.path).map_err(failed)?) } else { None };
        let directory = wanted.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(failed)?;
        // Beside it first: the manager may read it at any time.
        let beside = directory.join(format!(".{}.new", wanted.path.file_name().unwrap_or_default().display()));
        fs::write(&beside, &wanted.text).and_then(|()| fs::rename(&beside, &wanted.path)).map_err(failed)?;
        self.remember(&wanted.path, Some(digest(&wanted.text)));
        Ok(Some(match kept {
            Some(kept) => format!("replaced {shown}, which had been edited and is now {}", kept.display()),
            None if kind == Kind::Absent => format!("wrote {shown}"),
            None => format!("replaced {shown}"),
        }))
    }

    /// Removes a file; returns what was done, or nothing if there was none.
    pub(super) fn remove(&mut self, wanted: &Wanted) -> Result<Option<String>, Failure> {
        let kind = self.kind(wanted);
        let failed = |error: io::Error| unwritten(&wanted.path, &error);
        let done = match kind {
            Kind::Absent => None,
            Kind::Edited => {
                let kept = set_aside(&wanted.path).map_err(failed)?;
                Some(format!("removed {}, which had been edited and is now {}", wanted.path.display(), kept.display()))
            }
            Kind::AsWanted | Kind::AsWritten => {
                fs::remove_file(&wanted.path).map_err(failed)?;
                Some(format!("removed {}", wanted.path.display()))
            }
        };
        self.remember(&wanted.path, None);
        // Those that were made for it; one that has something in it stays.
        let made = wanted.path.ancestors().skip(1).take(2);
        made.take_while(|directory| fs::remove_dir(directory).is_ok()).for_each(drop);
        Ok(done)
    }

    /// Whether there is nothing to write.
    #[cfg(target_os = "macos")]
    pub(super) fn is_as_wanted(&self, wanted: &Wanted) -> bool {
        matches!(self.kind(wanted), Kind::AsWanted)
    }

    /// What is told of a file.
    pub(super) fn state(&self, wanted: &Wanted) -> Option<FileState> {
        let state = match self.kind(wanted) {
            Kind::Absent => return None,
            Kind::AsWanted | Kind::AsWritten => "as_written",
            Kind::Edited if self.written.contains_key(&name(&wanted.path)) => "edited",
            Kind::Edited => "other",
        };
        Some(FileState { path: name(&wanted.path), state })
    }

    /// A record that cannot be written costs a question at the next upgrade, no more.
    fn remember(&mut self, path: &Path, digest: Option<String>) {
        match digest {
            Some(digest) => self.written.insert(name(path), digest),
            None => self.written.remove(&name(path)),
        };
        if self.written.is_empty() {
            drop(fs::remove_file(&self.record));
            return;
        }
        let directory = self.record.parent().unwrap_or(Path::new("."));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.recursive(true).create(directory);
        drop(made.and_then(|()| fs::write(&self.record, serde_json::to_vec(&self.written)?)));
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn digest(text: &str) -> String {
    use std::fmt::Write as _;

    let mut hex = String::new();
    for byte in Sha256::digest(text) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Keeps a file under the first name that is free: an earlier copy is somebody's work too.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let mut old = beside(".old");
    for number in 1_u32.. {
        // A link to nowhere is there as well.
        match fs::symlink_metadata(&old) {
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            _ => old = beside(&format!(".old.{number}")),
        }
    }
    fs::rename(path, &old)?;
    Ok(old)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    ErrorBody::new(ErrorCode::Configuration, format!("{}: {error}", path.display()))
        .with_hint("make it writable for you, and ask again")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(root: &Path, text: &str) -> Wanted {
        Wanted { path: root.join("systemd/user/unit"), text: text.into() }
    }

    #[test]
    fn a_file_is_written_once_and_removed_with_what_was_made_for_it() {
        let root = tempfile::tempdir().unwrap();
        let record = root.path().join("state/record");
        let mut files = Files::open(record.clone());
        let unit = wanted(root.path(), "one");
        assert!(files.put(&unit).unwrap().is_some_and(|done| done.starts_with("wrote ")));
        assert_eq!(files.put(&unit).unwrap(), None, "a second time");
        // Another version of this command, which did not see the first.
        let mut files = Files::open(record.clone());
        let newer = wanted(root.path(), "two");
        assert_eq!(files.kind(&newer), Kind::AsWritten);
        assert!(files.put(&newer).unwrap().is_some_and(|done| done.starts_with("replaced ")));
        assert!(files.remove(&newer).unwrap().is_some());
        assert!(!root.path().join("systemd").exists() && root.path().exists() && !record.exists());
        assert_eq!(files.remove(&newer).unwrap(), None);
    }

    #[test]
    fn an_edit_is_not_lost() {
        let root = tempfile::tempdir().unwrap();
        let mut files = Files::open(root.path().join("record"));
        let unit = wanted(root.path(), "one");
        files.put(&unit).unwrap();
        fs::write(&unit.path, "mine").unwrap();
        assert_eq!(files.state(&unit).map(|state| state.state), Some("edited"));
        assert!(files.check(std::slice::from_ref(&unit), false).is_err());
        assert!(files.check(std::slice::from_ref(&unit), true).is_ok());
        let done = files.put(&unit).unwrap().unwrap();
        assert!(done.contains("had been edited"), "{done}");
        assert_eq!(fs::read_to_string(unit.path.with_file_name("unit.old")).unwrap(), "mine");
        assert_eq!(files.kind(&unit), Kind::AsWanted);
    }

    #[test]
    fn an_earlier_copy_is_kept_as_well() {
        let root = tempfile::tempdir().unwrap();
        let mut files = Files::open(root.path().join("record"));
        let unit = wanted(root.path(), "one");
        let edit = |text: &str| {
            fs::create_dir_all(unit.path.parent().unwrap()).unwrap();
            fs::write(&unit.path, text).unwrap();
        };
        edit("first");
        files.put(&unit).unwrap();
        edit("second");
        let done = files.put(&unit).unwrap().unwrap();
        assert!(done.ends_with("unit.old.1"), "{done}");
        edit("third");
        let done = files.remove(&unit).unwrap().unwrap();
        assert!(done.ends_with("unit.old.2"), "{done}");
        for (name, text) in [("unit.old", "first"), ("unit.old.1", "second"), ("unit.old.2", "third")] {
            assert_eq!(fs::read_to_string(unit.path.with_file_name(name)).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_masked_unit_is_somebodys_own() {
        let root = tempfile::tempdir().unwrap();
        let unit = wanted(root.path(), "one");
        fs::create_dir_all(unit.path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/null", &unit.path).unwrap();
        assert_eq!(Files::open(root.path().join("record")).kind(&unit), Kind::Edited);
    }
}
