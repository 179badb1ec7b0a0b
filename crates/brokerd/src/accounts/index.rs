//! `accounts.json`: replaced whole, mode 0600, no secret in it. It is a hint, so it is not synced to disk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Card;
use crate::replace;

const FILE: &str = "accounts.json";

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
    /// Reads it. One that cannot be read counts as lost.
    pub(super) fn open(directory: Option<PathBuf>) -> (Self, Vec<Card>, Option<String>) {
        if let Some(directory) = &directory {
            replace::remove_leftovers(directory, &directory.join(FILE));
        }
        let (cards, complaint) = match directory.as_deref().map(read) {
            None => (Vec::new(), None),
            Some(Ok(cards)) => (cards, None),
            Some(Err(why)) => (Vec::new(), Some(why)),
        };
        (Self { directory, complaint: None }, cards, complaint)
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
        self.complaint = replace::quickly(directory, FILE, &contents).err().map(|error| {
            let path = directory.join(FILE);
            tracing::warn!(path = %path.display(), %error, "the index of accounts cannot be written");
            format!("the index of accounts cannot be written to {}: {error}", path.display())
        });
    }
}

fn read(directory: &Path) -> Result<Vec<Card>, String> {
    let path = directory.join(FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("the index of accounts cannot be read from {}: {error}", path.display())),
    };
    serde_json::from_slice::<Contents<Card>>(&text).map(|contents| contents.accounts).map_err(|error| {
        format!("the index of accounts in {} was unreadable and is made anew: {error}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_or_broken_index_is_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Index::open(Some(directory.path().join("state")));
        assert!(open().1.is_empty());
        open().0.write(&[]);
        assert_eq!(open().2, None);
        std::fs::write(directory.path().join("state").join(FILE), "{").unwrap();
        assert!(open().2.unwrap().contains("unreadable"));
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
