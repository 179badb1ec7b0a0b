//! Why a store did not do it: one variant for each thing that a caller does about it.

use std::error::Error;
use std::path::PathBuf;

/// An error below ours, kept for the log.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a store did not do it. None of them carries a secret, in `Display`, `Debug` or source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the store open for writing.
    #[error("another broker has {} open", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// What the configuration asks for cannot be done: no key, a key file that others can read, a wrong path.
    #[error("{0}")]
    Configuration(String),
    /// What came back is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The same, of a whole file: no record in it can be read, and it is not written over.
    #[error("{0}")]
    DamagedFile(String),
    /// A file that the store needs, or the command of its key, cannot be used; another attempt may find it usable.
    #[error("{what}")]
    File {
        /// Which, and what cannot be done with it.
        what: String,
        /// What the system said.
        #[source]
        source: Option<BoxError>,
    },
    /// No room; nothing was written, and the previous value is still there.
    #[error("{what}")]
    Full {
        /// What is full, and its limit.
        what: String,
        /// What the store said.
        #[source]
        source: Option<BoxError>,
    },
    /// The keyring is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// The sealed file's passphrase has not been given since the daemon started.
    #[error("{}", if *new { "no passphrase has been chosen for the sealed file" } else { "the sealed file is locked" })]
    NeedsPassphrase {
        /// None has been chosen yet.
        new: bool,
    },
    /// This store, or this version, cannot do that.
    #[error("{0}")]
    NotSupported(String),
    /// The passphrase is not the one, or there is one already.
    #[error("{0}")]
    Passphrase(String),
    /// Missing or broken; another attempt may find it working.
    #[error("{what}")]
    Unavailable {
        /// What is missing or broken.
        what: String,
        /// What the store said.
        #[source]
        source: Option<BoxError>,
    },
    /// The sealed file was sealed by another key.
    #[error("{} was sealed with another key", path.display())]
    WrongKey {
        /// The sealed file.
        path: PathBuf,
    },
}

impl StoreError {
    /// Missing or broken, with nothing below it.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self::Unavailable { what: what.into(), source: None }
    }

    /// Missing or broken, because of `source`.
    pub fn unavailable_because(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Unavailable { what: what.into(), source: Some(source.into()) }
    }

    /// A file that cannot be used, because of `source`.
    pub fn file(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::File { what: what.into(), source: Some(source.into()) }
    }

    /// Returns the error and everything below it on one line.
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            let text = error.to_string();
            // Libraries like to repeat their source in their own text.
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            next = error.source();
        }
        line
    }
}
