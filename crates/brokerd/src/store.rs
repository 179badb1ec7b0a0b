//! Where grants are kept between runs: one small trait, and the kinds of store behind it.

use std::path::PathBuf;

use serde::Deserialize;
use zeroize::Zeroizing;

/// The `[store]` table of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Which kind.
    pub kind: StoreKind,
    /// `file` only: where; default `$XDG_STATE_HOME/brokerd/grants.sealed`.
    pub path: Option<PathBuf>,
    /// `file` only: a file holding the key.
    pub key_file: Option<PathBuf>,
    /// `file` only: a command that prints the key, with its arguments; no shell.
    pub key_command: Option<Vec<String>>,
}

/// A kind of store, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// The OS keyring where one answers, else the kernel's, else memory.
    #[default]
    Auto,
    /// The OS keyring: Secret Service, Keychain, Credential Manager.
    Keyring,
    /// Linux keyutils.
    Kernel,
    /// One sealed file.
    File,
    /// This process's memory.
    Memory,
}

/// Keeps secrets by key. Calls may block, for ever if the keyring hangs: only the vault's thread makes them.
pub trait SecretStore: Send {
    /// Reads a secret; `None` if there is none (which does not prove that there never was one).
    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;
    /// Writes or replaces a secret; all of it or nothing.
    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError>;
    /// Deletes a secret; one that is not there is deleted already.
    fn delete(&mut self, key: &str) -> Result<(), StoreError>;
    /// Returns all keys, or `None` where the store cannot search.
    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError>;
}

/// Why a store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// Missing or broken.
    #[error("{0}")]
    Unavailable(String),
}
