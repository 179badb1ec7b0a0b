//! The Secret Service (gnome-keyring, KWallet, KeePassXC) over D-Bus.
//!
//! A store of `zbus-secret-service-keyring-store` that lost its peer stays dead for ever. So every call goes through one function, which
//! opens a new store after any platform failure and makes the call once more.

use std::collections::HashMap;
use std::sync::Arc;

use keyring::Error;
use keyring_core::Entry;
use keyring_core::api::CredentialStoreApi;
use secret_service::EncryptionType;
use secret_service::blocking::SecretService as Service;
use zbus_secret_service_keyring_store::Store;
use zbus_secret_service_keyring_store::cred::Wrapper;
use zbus_secret_service_keyring_store::errors::decode_error;
use zeroize::Zeroizing;

use super::classify;
use super::errors::no_default_collection;
use crate::store::{SERVICE, SecretStore, StoreError, StoreKind};

/// One connection to the Secret Service, kept, and made again when it died.
pub struct SecretService {
    /// `None` after a failure, until it opens again.
    connection: Option<Connection>,
}

struct Connection {
    store: Arc<Store>,
    /// For what `keyring-core` cannot ask: opened at the first such question and kept, because short-lived connections by the thousand
    /// make gnome-keyring abort. No secret goes over it.
    service: Option<Service<'static>>,
}

/// What a failed call was about: `keyring`'s errors say whether to reopen, ours do not.
enum Failure {
    Keyring(Error),
    Ours(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Keyring(error)
    }
}

impl std::fmt::Debug for SecretService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretService").field("open", &self.connection.is_some()).finish()
    }
}

impl SecretService {
    /// Connects to the session bus and the service on it. May block for as long as the service does.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] without a bus, without a service, or inside a tokio runtime (where zbus would panic).
    pub fn open() -> Result<Self, StoreError> {
        Ok(Self { connection: Some(Connection::open()?) })
    }

    /// Tells whether the service could take an item: whether it has a default collection, locked or not. Never prompts.
    pub fn has_default_collection(&mut self) -> Result<bool, StoreError> {
        self.call(|connection| match connection.service()?.get_default_collection() {
            Ok(_) => Ok(true),
            Err(secret_service::Error::NoResult) => Ok(false),
            Err(error) => Err(decode_error(error).into()),
        })
    }

    /// Makes one call, with a new connection and a second attempt if the connection is the trouble.
    ///
    /// Every call is idempotent, so one that failed half-way may be made again.
    fn call<T>(&mut self, work: impl Fn(&mut Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        if let Some(connection) = &mut self.connection {
            refuse_inside_a_runtime()?;
            match work(connection) {
                Ok(value) => return Ok(value),
                Err(Failure::Ours(error)) => return Err(error),
                Err(Failure::Keyring(Error::PlatformFailure(source))) => {
                    tracing::debug!(error = %source, "the Secret Service failed; reopening it");
                    self.connection = None;
                }
                Err(Failure::Keyring(error)) => return Err(classify(error)),
            }
        }
        let connection = self.connection.insert(Connection::open()?);
        match work(connection) {
            Ok(value) => Ok(value),
            Err(Failure::Ours(error)) => Err(error),
            Err(Failure::Keyring(error)) => {
                if matches!(error, Error::PlatformFailure(_)) {
                    self.connection = None;
                }
                Err(classify(error))
            }
        }
    }
}

impl Connection {
    fn open() -> Result<Self, StoreError> {
        refuse_inside_a_runtime()?;
        // Twice: KWallet refuses the public key of one session in 256, the one with a leading zero.
        let store = Store::new().or_else(|_| Store::new()).map_err(|error| match classify(error) {
            StoreError::Unavailable { source, .. } => {
                StoreError::Unavailable { what: "no Secret Service answers".to_owned(), source }
            }
            error => error,
        })?;
        Ok(Self { store, service: None })
    }

    fn entry(&self, key: &str) -> Result<Entry, Error> {
        let label = format!("brokerd sign-in {key}");
        self.store.build(SERVICE, key, Some(&HashMap::from([("label", label.as_str())])))
    }

    fn service(&mut self) -> Result<&Service<'static>, Failure> {
        let service = match self.service.take() {
            Some(service) => service,
            None => Service::connect(EncryptionType::Plain).map_err(decode_error)?,
        };
        Ok(self.service.insert(service))
    }

    /// Runs `find`; if it finds nothing, makes sure that nothing is the answer.
    ///
    /// The service also answers "nothing" without a default collection, and some do while it is locked.
    fn certain<T>(&mut self, find: impl Fn(&mut Self) -> Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
        if let Some(found) = find(self)? {
            return Ok(Some(found));
        }
        if self.was_unlocked()? { Ok(None) } else { find(self) }
    }

    /// Makes sure that the default collection is there and unlocked; returns whether it was unlocked already.
    fn was_unlocked(&mut self) -> Result<bool, Failure> {
        let collection = match self.service()?.get_default_collection() {
            Ok(collection) => collection,
            Err(secret_service::Error::NoResult) => {
                return Err(Failure::Ours(no_default_collection()));
            }
            Err(error) => return Err(decode_error(error).into()),
        };
        if !collection.is_locked().map_err(decode_error)? {
            return Ok(true);
        }
        // Prompts where the desktop has a prompter, as reading a locked item would have.
        collection.unlock().map_err(decode_error)?;
        if collection.is_locked().map_err(decode_error)? {
            return Err(Failure::Ours(StoreError::Locked));
        }
        Ok(false)
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match self.entry(key)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(Error::Ambiguous(entries)) => match self.newest_first(entries)?.first() {
                Some(entry) => Ok(Some(Zeroizing::new(entry.get_secret()?))),
                None => Ok(None),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), Failure> {
        match self.entry(key)?.set_secret(secret) {
            Err(Error::Ambiguous(entries)) => {
                // The new value first: a crash leaves it the most recently modified one, which is the one that counts.
                let entries = self.newest_first(entries)?;
                let Some((newest, others)) = entries.split_first() else {
                    return Ok(());
                };
                newest.set_secret(secret)?;
                for entry in others {
                    delete(entry)?;
                }
                Ok(())
            }
            result => Ok(result?),
        }
    }

    fn delete(&mut self, key: &str) -> Result<(), Failure> {
        match self.entry(key)?.delete_credential() {
            Err(Error::Ambiguous(entries)) => {
                for entry in &entries {
                    delete(entry)?;
                }
                Ok(())
            }
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn keys(&mut self) -> Result<Option<Vec<String>>, Failure> {
        let mut keys = Vec::new();
        for entry in self.store.search(&HashMap::from([("service", SERVICE)]))? {
            // Not `get_specifiers`: it answers `None` for a failure, and the list would be short without an error.
            match entry.get_attributes() {
                Ok(mut attributes) => keys.extend(attributes.remove("username")),
                Err(Error::NoEntry) => {}
                Err(error) => return Err(error.into()),
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok((!keys.is_empty()).then_some(keys))
    }

    /// Sorts items that have one name by when they were modified, to the second, which `keyring-core` cannot ask.
    fn newest_first(&mut self, entries: Vec<Entry>) -> Result<Vec<Entry>, Failure> {
        tracing::warn!(count = entries.len(), "several items of the keyring have one name; the newest counts");
        // Its path type comes from zbus; an item's search result has it without naming it.
        let service = self.service()?;
        let found = service.search_items(HashMap::from([("service", SERVICE)])).map_err(decode_error)?;
        let modified: HashMap<String, u64> = found
            .unlocked
            .iter()
            .chain(&found.locked)
            .filter_map(|item| Some((item.item_path.to_string(), item.get_modified().ok()?)))
            .collect();
        let time = |entry: &Entry| {
            let path = entry.as_any().downcast_ref::<Wrapper>().map(Wrapper::get_path);
            path.and_then(|path| modified.get(&path).copied()).unwrap_or(0)
        };
        let mut entries = entries;
        entries.sort_by_key(|entry| std::cmp::Reverse(time(entry)));
        Ok(entries)
    }
}

fn delete(entry: &Entry) -> Result<(), Failure> {
    match entry.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// zbus enters a runtime of its own for every call, and panics inside another one.
fn refuse_inside_a_runtime() -> Result<(), StoreError> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => {
            Err(StoreError::unavailable("the Secret Service was called inside a runtime, not on the vault's thread"))
        }
        Err(_) => Ok(()),
    }
}

impl SecretStore for SecretService {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyring
    }

    fn durability(&self) -> &'static str {
        "sign-ins are kept in the desktop's keyring and last until they are signed out"
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.call(|connection| connection.certain(|connection| connection.get(key)))
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        self.call(|connection| connection.put(key, secret))
    }

    /// An item that is not found is deleted already; whether it only hides behind a lock is made certain first.
    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.call(|connection| match connection.certain(|connection| connection.get(key))? {
            Some(_) => connection.delete(key),
            None => Ok(()),
        })
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        self.call(|connection| Ok(Some(connection.certain(Connection::keys)?.unwrap_or_default())))
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        self.connection = Some(Connection::open()?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_inside_a_runtime_is_an_error_and_no_panic() {
        assert!(matches!(SecretService::open(), Err(StoreError::Unavailable { .. })));
    }
}
