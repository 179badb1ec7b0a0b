//! `accounts.json`: replaced whole, mode 0600, no secret in it. Where the store can be searched it is a hint; where it cannot,
//! what it forgets is not found again, so it is synced to disk, and one that cannot be read is kept beside the new one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Card;
use crate::replace;

const FILE: &str = "accounts.json";
/// What one that could not be read is called from then on.
const UNREAD: &str = "accounts.json.unread";

#[derive(Serialize, Deserialize)]
struct Contents<C> {
    version: u32,
    accounts: Vec<C>,
}

/// The index on disk, or nowhere.
pub(super) struct Index {
    directory: Option<PathBuf>,
    complaint: Option<String>,
}

impl Index {
    /// Reads it. One that cannot be read is put aside; where that is not possible either, nothing is written over it.
    pub(super) fn open(directory: Option<PathBuf>) -> (Self, Vec<Card>, Option<String>) {
        if let Some(directory) = &directory {
            replace::remove_leftovers(directory, &directory.join(FILE));
        }
        let (cards, complaint) = match directory.as_deref().map(read) {
            None => (Vec::new(), None),
            Some(Ok(cards)) => (cards, None),
            Some(Err(why)) => (Vec::new(), Some(why)),
        };
        let Some((directory, why)) = directory.as_deref().zip(complaint) else {
            return (Self { directory, complaint: None }, cards, None);
        };
        let path = directory.join(FILE);
        let why = format!("the index of accounts in {} cannot be read: {why}", path.display());
        match std::fs::rename(&path, directory.join(UNREAD)) {
            Ok(()) => {
                let complaint = format!("{why}; it is kept as {UNREAD}, and a new one is made");
                (Self { directory: Some(directory.into()), complaint: None }, cards, Some(complaint))
            }
            Err(_) => (Self { directory: None, complaint: Some(why.clone()) }, cards, Some(why)),
        }
    }

    /// Whether the last write went well.
    pub(super) fn is_good(&self) -> bool {
        self.complaint.is_none()
    }

    pub(super) fn complaint(&self) -> Option<String> {
        self.complaint.clone()
    }

    /// Replaces it. A failure is remembered and told in `status`; the sign-ins do not depend on it.
    pub(super) fn write(&mut self, cards: &[&Card]) {
        let Some(directory) = &self.directory else { return };
        let contents = Contents { version: 1, accounts: cards.to_vec() };
        let path = directory.join(FILE);
        let written = serde_json::to_vec_pretty(&contents).map_err(Into::into).and_then(|bytes| {
            crate::paths::make_private(directory)?;
            replace::as_durably_as_can_be(directory, &path, &bytes)
        });
        self.complaint = written.err().map(|error| {
            tracing::warn!(path = %path.display(), %error, "the index of accounts cannot be written");
            format!("the index of accounts cannot be written to {}: {error}", path.display())
        });
    }
}

fn read(directory: &Path) -> Result<Vec<Card>, String> {
    let text = match std::fs::read(directory.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    serde_json::from_slice::<Contents<Card>>(&text).map(|contents| contents.accounts).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_index_is_an_empty_one_and_a_broken_one_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let open = || Index::open(Some(state.clone()));
        assert!(open().1.is_empty());
        open().0.write(&[]);
        assert_eq!(open().2, None);
        std::fs::write(state.join(FILE), "{").unwrap();
        let (mut index, cards, complaint) = open();
        assert!(cards.is_empty() && complaint.unwrap().contains("it is kept as accounts.json.unread"));
        index.write(&[]);
        assert!(index.is_good() && state.join(FILE).exists());
        assert_eq!(std::fs::read(state.join(UNREAD)).unwrap(), b"{");
        assert_eq!(open().2, None);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_nor_put_aside_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        // A directory can be neither read nor, onto a file, renamed.
        std::fs::create_dir_all(state.join(FILE)).unwrap();
        std::fs::write(state.join(UNREAD), "older").unwrap();
        let (mut index, _, complaint) = Index::open(Some(state.clone()));
        index.write(&[]);
        assert!(state.join(FILE).is_dir() && !index.is_good());
        assert_eq!(index.complaint(), complaint);
    }

    #[cfg(unix)]
    #[test]
    fn it_is_the_users_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("a/b");
        Index::open(Some(state.clone())).0.write(&[]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(FILE))), (0o700, 0o600));
    }
}
