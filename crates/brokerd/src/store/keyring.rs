//! The operating system's keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! Which crate does what, and why: `docs/decisions/0003-keyring.md`.

mod errors;
mod platform;
#[cfg(target_os = "linux")]
mod secret_service;

pub use self::platform::Platform;
#[cfg(target_os = "linux")]
pub use self::secret_service::SecretService;

pub(in crate::store) use self::errors::classify;

use super::{SecretStore, StoreError};

/// Opens the keyring of this platform. It may answer an error now and succeed later.
pub fn open() -> Result<Box<dyn SecretStore>, StoreError> {
    #[cfg(target_os = "linux")]
    return Ok(Box::new(SecretService::open()?));
    #[cfg(not(target_os = "linux"))]
    return Ok(Box::new(Platform::open()?));
}
