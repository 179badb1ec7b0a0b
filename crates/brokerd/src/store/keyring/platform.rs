//! Keychain and Credential Manager, as `keyring` gives them: library calls, without a connection that could die.

use keyring::Error;
use keyring_core::Entry;
use zeroize::Zeroizing;

use super::classify;
use crate::store::{SERVICE, SecretStore, StoreError, StoreKind};

/// The platform's own keyring through `keyring`'s default store. Not used on Linux, where that store is never reopened.
#[derive(Debug)]
pub struct Platform(());

/// `CRED_MAX_CREDENTIAL_BLOB_SIZE`.
#[cfg(windows)]
const MAX_ITEM_BYTES: Option<usize> = Some(2560);
#[cfg(not(windows))]
const MAX_ITEM_BYTES: Option<usize> = None;

impl Platform {
    /// Asks `keyring` whether this platform has one.
    pub fn open() -> Result<Self, StoreError> {
        match keyring::Entry::store_status() {
            Ok(()) => Ok(Self(())),
            // Behind a static reference: the error cannot be taken apart.
            Err(error) => Err(StoreError::unavailable(format!("this platform's keyring could not be opened: {error}"))),
        }
    }

    #[cfg(not(windows))]
    fn entry(key: &str) -> Result<Entry, StoreError> {
        Entry::new(SERVICE, key).map_err(classify)
    }

    /// For this machine alone. The default follows a domain's user from one to the next, where two daemons would spend each
    /// other's refresh tokens.
    #[cfg(windows)]
    fn entry(key: &str) -> Result<Entry, StoreError> {
        let here = std::collections::HashMap::from([("persistence", "local")]);
        Entry::new_with_modifiers(SERVICE, key, &here).map_err(classify)
    }
}

impl SecretStore for Platform {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyring
    }

    fn durability(&self) -> &'static str {
        "sign-ins are kept in the system's keyring and last until they are signed out"
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match Self::entry(key)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(classify(error)),
        }
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        Self::entry(key)?.set_secret(secret).map_err(classify)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        match Self::entry(key)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(classify(error)),
        }
    }

    /// `keyring`'s default store cannot search.
    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        Ok(None)
    }

    fn max_item_bytes(&self) -> Option<usize> {
        MAX_ITEM_BYTES
    }
}

#[cfg(test)]
#[cfg(windows)]
mod windows_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_keyring() {
        let store = Platform(());
        assert_eq!(store.kind(), StoreKind::Keyring);
        assert_eq!(store.max_item_bytes().is_some(), cfg!(windows));
    }
}
