//! Where grants are kept between runs: one small trait, and the kinds of store behind it.
//!
//! Nothing here is async and every call may block: only the vault's thread makes them. What the stores hold is framed
//! by the vault ([`frame`]), so that a store which gives back wrong bytes is found out.

pub mod error;
pub mod file;
pub mod frame;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod keyring;
pub mod memory;
mod open;
pub mod split;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

pub use error::StoreError;
pub(crate) use open::check;
pub use open::{Opened, open, open_explained, unlock_explained};

/// The service name of every item in a keyring; the user name is the key.
pub const SERVICE: &str = "brokerd";

/// The `[store]` table of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct StoreConfig {
    /// Which kind.
    pub kind: StoreKind,
    /// `file` only: where; default `$XDG_STATE_HOME/brokerd/grants.sealed`.
    pub path: Option<PathBuf>,
    /// `file` only: a file holding the key.
    pub key_file: Option<PathBuf>,
    /// `file` only: a command that prints the key, with its arguments; no shell.
    pub key_command: Option<Vec<String>>,
    /// `file` only: the systemd credential that holds the key, by its name in `$CREDENTIALS_DIRECTORY`.
    pub key_credential: Option<String>,
    /// `file` only: the key is under a passphrase, which a person gives after each start.
    pub passphrase: bool,
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

impl StoreKind {
    /// Returns the word that the configuration and `status` use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Keyring => "keyring",
            Self::Kernel => "kernel",
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

/// Keeps secrets by key. Calls may block, for ever if the keyring hangs: only the vault's thread makes them.
///
/// Every call is idempotent: after an error it may be made again.
pub trait SecretStore: Send {
    /// Returns which kind it is; never [`StoreKind::Auto`].
    fn kind(&self) -> StoreKind;

    /// Returns how long sign-ins last there, as a sentence for people.
    fn durability(&self) -> &'static str;

    /// Reads a secret; `None` if there is none (which does not prove that there never was one).
    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Writes or replaces a secret; all of it or nothing.
    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError>;

    /// Deletes a secret; one that is not there is deleted already.
    fn delete(&mut self, key: &str) -> Result<(), StoreError>;

    /// Returns all keys, in no particular order, or `None` where the store cannot search.
    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError>;

    /// Returns the most bytes that one item takes, where that is less than a grant may need.
    fn max_item_bytes(&self) -> Option<usize> {
        None
    }

    /// Drops the connection, where there is one, and makes a new one: for bytes that came back wrong.
    fn reopen(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns how often [`touch`](Self::touch) is wanted, or `None` where nothing expires.
    fn touch_every(&self) -> Option<Duration> {
        None
    }

    /// Tells a store that forgets what is not used that it is still used.
    fn touch(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
