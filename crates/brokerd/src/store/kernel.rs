//! The kernel's keyring (Linux keyutils): memory of the kernel, without any service, for machines without a desktop.
//!
//! Items live in the user's persistent keyring, linked into this thread's session keyring. The kernel forgets a persistent keyring that
//! nobody used for three days (`/proc/sys/kernel/keys/persistent_keyring_expiry`), and everything at a reboot.

use std::sync::Arc;
use std::time::Duration;

use keyring::Error;
use keyring_core::Entry;
use keyring_core::api::CredentialStoreApi;
use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};
use linux_keyutils_keyring_store::Store;
use zeroize::Zeroizing;

use super::keyring::classify;
use super::{SERVICE, SecretStore, StoreError, StoreKind};

/// The user's persistent keyring. Belongs to the thread that opened it: a session keyring is a thread's, not a process's.
#[derive(Debug)]
pub struct KernelStore {
    store: Arc<Store>,
    persistent: bool,
}

/// Four times a day. A suspended machine's timers stand still while the kernel's three days go on.
const TOUCH_EVERY: Duration = Duration::from_secs(6 * 3600);

/// Deleted keys count against the quota until the kernel has collected them, which takes it some milliseconds.
const QUOTA_ATTEMPTS: usize = 4;
const QUOTA_PAUSE: Duration = Duration::from_millis(50);

impl KernelStore {
    /// Joins or obtains a session keyring for this thread and links the user's persistent keyring into it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the kernel, or a container's system call filter, has no keyrings for us.
    pub fn open() -> Result<Self, StoreError> {
        // `true` gives the thread a session keyring of its own if nobody (PAM, systemd) did. Without one, the user's default session
        // keyring would be looked up, which this thread does not possess: `AccessDenied`.
        KeyRing::from_special_id(KeyRingIdentifier::Session, true).map_err(unavailable)?;
        let persistent = link_persistent().is_ok();
        let store = Store::new().map_err(classify)?;
        // A system call filter may let some calls through and not others: find out now, not when a grant is at stake.
        match store.build(SERVICE, "probe", None).map_err(classify)?.get_secret() {
            Ok(_) | Err(Error::NoEntry) => Ok(Self { store, persistent }),
            Err(error) => Err(classify(error)),
        }
    }

    /// Building an entry also links the persistent keyring and so resets its three days.
    fn entry(&self, key: &str) -> Result<Entry, StoreError> {
        self.store.build(SERVICE, key, None).map_err(classify)
    }
}

impl SecretStore for KernelStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Kernel
    }

    fn durability(&self) -> &'static str {
        if self.persistent {
            "sign-ins are kept in the kernel's memory only: gone at reboot, or when brokerd was not running for three days"
        } else {
            "sign-ins are kept in the kernel's memory only, in this session's keyring: gone when brokerd or its session ends"
        }
    }

    fn get(&mut self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self.entry(key)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(classify(error)),
        }
    }

    fn put(&mut self, key: &str, secret: &[u8]) -> Result<(), StoreError> {
        let entry = self.entry(key)?;
        // Reading links an existing key into the session keyring, so that it is changed in place, all or nothing. Without that, after a
        // restart, a second key would be made and the old one displaced in a step that can fail for lack of quota.
        let existed = match entry.get_secret() {
            Ok(old) => {
                drop(Zeroizing::new(old));
                true
            }
            Err(Error::NoEntry) => false,
            Err(error) => return Err(classify(error)),
        };
        let mut attempts = QUOTA_ATTEMPTS;
        let error = loop {
            attempts -= 1;
            match entry.set_secret(secret) {
                Ok(()) => return Ok(()),
                Err(error) if attempts > 0 && is_quota(&error) => std::thread::sleep(QUOTA_PAUSE),
                Err(error) => break error,
            }
        };
        if !existed {
            // It may have been made and not linked: half a write. There was no value before, and there is none now.
            match entry.delete_credential() {
                Ok(()) | Err(Error::NoEntry) => {}
                Err(error) => {
                    tracing::debug!(error = classify(error).chain(), "a key that was not written stays behind");
                }
            }
        }
        Err(match error {
            Error::Invalid(..) => StoreError::Full {
                what: "the kernel keyring takes at most 32,767 bytes in one key".to_owned(),
                source: None,
            },
            error => classify(error),
        })
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        match self.entry(key)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(classify(error)),
        }
    }

    /// The store crate cannot search, and the one below not safely: its buffer must be larger than the keyring, whose size one cannot ask.
    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        Ok(None)
    }

    fn touch_every(&self) -> Option<Duration> {
        self.persistent.then_some(TOUCH_EVERY)
    }

    fn touch(&mut self) -> Result<(), StoreError> {
        link_persistent()
    }
}

/// Each such call sets the keyring's expiry to three days from now.
fn link_persistent() -> Result<(), StoreError> {
    KeyRing::get_persistent(KeyRingIdentifier::Session).map(drop).map_err(unavailable)
}

fn unavailable(error: KeyError) -> StoreError {
    StoreError::unavailable_because("the kernel keyring cannot be used", error)
}

fn is_quota(error: &Error) -> bool {
    matches!(error, Error::PlatformFailure(source) if source.downcast_ref() == Some(&KeyError::QuotaExceeded))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a container's system call filter forbids keyrings, the refusal itself is what is tested.
    #[test]
    fn a_key_survives_a_change_and_a_new_store_of_the_same_user() {
        let mut store = match KernelStore::open() {
            Ok(store) => store,
            Err(error) => {
                return assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
            }
        };
        let key = format!("unit-test-{}", std::process::id());
        assert!(store.get(&key).unwrap().is_none());
        store.put(&key, b"one").unwrap();
        store.put(&key, b"two").unwrap();
        store.touch().unwrap();
        // A session keyring is a thread's: this one shares nothing but the persistent keyring.
        let persistent = store.persistent;
        let name = key.clone();
        let other = std::thread::spawn(move || {
            let mut store = KernelStore::open().unwrap();
            let value = store.get(&name).unwrap();
            store.put(&name, b"three").unwrap();
            value
        });
        let value = other.join().unwrap();
        assert!(!persistent || **value.unwrap() == *b"two");
        assert!(!persistent || **store.get(&key).unwrap().unwrap() == *b"three");
        assert!(matches!(store.put(&key, &vec![b'x'; 40_000]), Err(StoreError::Full { .. })));
        assert!(store.get(&key).unwrap().is_some(), "the value before the one that did not fit");
        store.delete(&key).unwrap();
        store.delete(&key).unwrap();
        assert!(store.get(&key).unwrap().is_none());
    }
}
