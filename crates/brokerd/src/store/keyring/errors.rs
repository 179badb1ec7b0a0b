//! Reads `keyring::Error`, the one error type of all the keyring crates, into what a caller does about it.

use keyring::Error;

use crate::store::StoreError;
use crate::store::error::BoxError;

/// Turns an error of the `keyring` family into ours.
///
/// `keyring::Error` itself is never kept: `Debug` of its `BadEncoding` and `BadDataFormat` prints the secret. Its source is.
pub(in crate::store) fn classify(error: Error) -> StoreError {
    match error {
        Error::NoStorageAccess(source) => no_access(source),
        Error::PlatformFailure(source) => platform_failure(source),
        Error::TooLong(what, limit) => full(format!("the keyring takes at most {limit} characters of {what}"), None),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            StoreError::Damaged("the keyring's item is damaged".to_owned())
        }
        Error::BadStoreFormat(_) => StoreError::Damaged("the keyring's store is damaged".to_owned()),
        Error::Ambiguous(entries) => StoreError::unavailable(format!(
            "{} items of the keyring have the same name; delete all but one",
            entries.len()
        )),
        Error::Invalid(what, why) => StoreError::NotSupported(format!("the keyring does not take this {what}: {why}")),
        Error::NotSupportedByStore(_) => StoreError::NotSupported("this keyring cannot do that".to_owned()),
        Error::NoDefaultStore => StoreError::unavailable("this platform's keyring could not be opened"),
        Error::NoEntry => StoreError::unavailable("the keyring's item went away while it was used"),
        _ => StoreError::unavailable("the keyring failed in a way that this version does not know"),
    }
}

fn full(what: String, source: Option<BoxError>) -> StoreError {
    StoreError::Full { what, source }
}

#[cfg(target_os = "linux")]
fn no_access(source: BoxError) -> StoreError {
    use secret_service::Error as Service;

    if let Some(linux_keyutils::KeyError::AccessDenied) = source.downcast_ref() {
        return StoreError::unavailable_because("the kernel denies access to its keyring", source);
    }
    match source.downcast_ref() {
        Some(Service::NoResult) => no_default_collection(),
        // Locked, Prompt (dismissed, or there is nobody to ask), and whatever else stands between us and the items.
        _ => StoreError::Locked,
    }
}

/// macOS and Windows give this for a locked keychain and for a session without one.
#[cfg(not(target_os = "linux"))]
fn no_access(_source: BoxError) -> StoreError {
    StoreError::Locked
}

/// What both `keyring` (on put) and our own question (on get) come to.
#[cfg(target_os = "linux")]
pub(super) fn no_default_collection() -> StoreError {
    StoreError::unavailable(
        "the Secret Service has no default collection; create a keyring named \"login\" and make it the default",
    )
}

#[cfg(target_os = "linux")]
fn platform_failure(source: BoxError) -> StoreError {
    use linux_keyutils::KeyError;
    use secret_service::Error as Service;

    if let Some(KeyError::QuotaExceeded) = source.downcast_ref() {
        let limits = "by default 20,000 bytes and 200 keys for everything a user keeps there";
        return full(format!("the kernel keyring is full: {limits}"), Some(source));
    }
    match source.downcast_ref() {
        Some(Service::Locked | Service::Prompt) => StoreError::Locked,
        // By name: the error is an answer of the service, and only its text has the name without naming zbus here.
        Some(Service::Zbus(answer)) => match answer.to_string() {
            text if text.starts_with("org.freedesktop.Secret.Error.IsLocked") => StoreError::Locked,
            text if text.starts_with("org.freedesktop.DBus.Error.LimitsExceeded") => {
                full("the Secret Service is full".to_owned(), Some(source))
            }
            _ => StoreError::unavailable_because("the Secret Service failed", source),
        },
        Some(_) => StoreError::unavailable_because("the Secret Service failed", source),
        None => StoreError::unavailable_because("the keyring failed", source),
    }
}

#[cfg(not(target_os = "linux"))]
fn platform_failure(source: BoxError) -> StoreError {
    StoreError::unavailable_because("the keyring failed", source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let secret = || b"secret-bytes".to_vec();
        for error in [Error::BadEncoding(secret()), Error::BadDataFormat(secret(), "x".into())] {
            let ours = classify(error);
            assert!(matches!(ours, StoreError::Damaged(_)));
            assert!(!format!("{ours:?} {}", ours.chain()).contains("115, 101"), "{ours:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_source_decides() {
        use linux_keyutils::KeyError;
        use secret_service::Error as Service;

        let access = |source: BoxError| classify(Error::NoStorageAccess(source));
        let failure = |source: BoxError| classify(Error::PlatformFailure(source));
        assert!(matches!(access(Box::new(Service::Prompt)), StoreError::Locked));
        assert!(matches!(access(Box::new(Service::NoResult)), StoreError::Unavailable { .. }));
        assert!(matches!(access(Box::new(KeyError::AccessDenied)), StoreError::Unavailable { .. }));
        assert!(matches!(failure(Box::new(Service::Locked)), StoreError::Locked));
        assert!(matches!(failure(Box::new(Service::Unavailable)), StoreError::Unavailable { .. }));
        assert!(matches!(failure(Box::new(KeyError::QuotaExceeded)), StoreError::Full { .. }));
        assert!(matches!(classify(Error::TooLong("secret".to_owned(), 2560)), StoreError::Full { .. }));
    }
}
