//! Opens the store that the configuration asks for, and says which was taken and why.

use secrecy::SecretString;

use super::file::FileStore;
use super::memory::MemoryStore;
use super::split::Split;
use super::{SecretStore, StoreConfig, StoreError, StoreKind, keyring};

/// An open store, and how it was chosen.
pub struct Opened {
    /// The store.
    pub store: Box<dyn SecretStore>,
    /// Which was taken and why, on one line, for the log and `status`.
    pub why: String,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("kind", &self.store.kind()).field("why", &self.why).finish()
    }
}

/// Opens a store. May block for as long as the keyring does; not to be called inside a runtime.
///
/// After an error it may be called again: the keyring may appear later. [`StoreKind::Auto`] always succeeds, so who keeps the store
/// has chosen once for the life of the process; a keyring that fails later is not exchanged for another store.
pub fn open(config: &StoreConfig) -> Result<Box<dyn SecretStore>, StoreError> {
    Ok(open_explained(config)?.store)
}

/// Does what [`open`] does for a store that needs a person's passphrase; with `new`, this is the one from now on.
///
/// # Errors
/// Those of [`open`]; [`StoreError::Passphrase`] when it is not the one, or when one is to be chosen and has been.
pub fn unlock_explained(config: &StoreConfig, passphrase: &SecretString, new: bool) -> Result<Opened, StoreError> {
    if config.kind != StoreKind::File || !config.passphrase {
        let what = format!("store.kind = \"{}\" has no passphrase of brokerd's", config.kind.as_str());
        return Err(StoreError::Configuration(what));
    }
    Ok(configured(Box::new(FileStore::unlock(config, passphrase, new)?)))
}

/// Does what [`open`] does, and tells which store it is and why.
pub fn open_explained(config: &StoreConfig) -> Result<Opened, StoreError> {
    let Opened { store, why } = match config.kind {
        StoreKind::Auto => auto(),
        StoreKind::Keyring => configured(keyring::open()?),
        StoreKind::Kernel => configured(kernel()?),
        StoreKind::File => configured(Box::new(FileStore::open(config)?)),
        StoreKind::Memory => configured(Box::new(MemoryStore::new())),
    };
    let store = match store.max_item_bytes() {
        Some(max) => Box::new(Split::new(store, max)),
        None => store,
    };
    Ok(Opened { store, why })
}

/// Finds what is wrong with the configuration of a store, without opening it.
pub(crate) fn check(config: &StoreConfig) -> Result<(), StoreError> {
    match config.kind {
        StoreKind::File => super::file::check(config),
        kind if super::file::has_key(config) => Err(StoreError::Configuration(format!(
            "store.kind = \"{}\" has no key: that is for \"file\"",
            kind.as_str()
        ))),
        _ => Ok(()),
    }
}

fn configured(store: Box<dyn SecretStore>) -> Opened {
    let why = format!("store \"{}\", as configured: {}", store.kind().as_str(), store.durability());
    Opened { store, why }
}

/// What opens one kind.
struct Candidate(fn() -> Result<Box<dyn SecretStore>, StoreError>);

fn auto() -> Opened {
    let mut missing = Vec::new();
    for Candidate(open) in [Candidate(usable_keyring), Candidate(kernel)] {
        match open() {
            Ok(store) => return chosen(store, &missing),
            Err(error) => {
                // The words of D-Bus are for whoever reads the log.
                tracing::info!(error = error.chain(), "a store that cannot be used");
                missing.push(error.to_string());
            }
        }
    }
    chosen(Box::new(MemoryStore::new()), &missing)
}

/// What to do about a store that forgets.
const DO_BETTER: &str = "start a keyring, or set [store] kind = \"file\": docs/OPERATING.md#stores";

fn chosen(store: Box<dyn SecretStore>, missing: &[String]) -> Opened {
    let kind = store.kind().as_str();
    let durability = store.durability();
    let why = match missing {
        [] => format!("store \"{kind}\", because it answers: {durability}"),
        _ => format!("store \"{kind}\" for lack of a better one ({}): {durability}; {DO_BETTER}", missing.join("; ")),
    };
    Opened { store, why }
}

/// A Secret Service without a default collection answers, but nothing can be kept there: a headless login's gnome-keyring.
#[cfg(target_os = "linux")]
fn usable_keyring() -> Result<Box<dyn SecretStore>, StoreError> {
    let mut store = keyring::SecretService::open()?;
    if store.has_default_collection()? {
        Ok(Box::new(store))
    } else {
        Err(StoreError::unavailable("the Secret Service has no default collection"))
    }
}

#[cfg(not(target_os = "linux"))]
fn usable_keyring() -> Result<Box<dyn SecretStore>, StoreError> {
    keyring::open()
}

#[cfg(target_os = "linux")]
fn kernel() -> Result<Box<dyn SecretStore>, StoreError> {
    Ok(Box::new(super::kernel::KernelStore::open()?))
}

#[cfg(not(target_os = "linux"))]
fn kernel() -> Result<Box<dyn SecretStore>, StoreError> {
    Err(StoreError::NotSupported("the kernel keyring is Linux's".to_owned()))
}

/// So that a boxed store can be wrapped.
impl SecretStore for Box<dyn SecretStore> {
    fn kind(&self) -> StoreKind {
        (**self).kind()
    }

    fn durability(&self) -> &'static str {
        (**self).durability()
    }

    fn get(&mut self, key: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError> {
        (**self).get(key)
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        (**self).put(key, secret)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        (**self).delete(key)
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        (**self).list()
    }

    fn max_item_bytes(&self) -> Option<usize> {
        (**self).max_item_bytes()
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        (**self).reopen()
    }

    fn touch_every(&self) -> Option<std::time::Duration> {
        (**self).touch_every()
    }

    fn touch(&mut self) -> Result<(), StoreError> {
        (**self).touch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_opened() {
        let config = StoreConfig { kind: StoreKind::Memory, ..StoreConfig::default() };
        let opened = open_explained(&config).unwrap();
        assert_eq!(opened.store.kind(), StoreKind::Memory);
        assert!(opened.why.contains("as configured"), "{}", opened.why);
        let config = StoreConfig { kind: StoreKind::File, ..StoreConfig::default() };
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { path: Some(directory.path().join("grants")), ..config };
        assert!(matches!(open(&config), Err(StoreError::Configuration(_))), "no key");
    }

    #[test]
    fn a_fallback_says_what_was_missing() {
        let opened = chosen(Box::new(MemoryStore::new()), &["no service".to_owned(), "no kernel".to_owned()]);
        assert!(opened.why.contains("no service; no kernel"), "{}", opened.why);
        assert!(opened.why.contains("start a keyring, or set [store] kind"), "{}", opened.why);
    }
}
