//! Why the vault did not do it, for programs and for people.

use std::sync::Arc;

use broker_ipc::error::{ErrorBody, ErrorCode};

use crate::store::StoreError;

/// Why the vault did not do it. Cheap to clone: one failure is told to every caller of a flight.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The vault's thread is gone.
    #[error("the vault has ended")]
    Ended,
    /// The keyring is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// The store did not do it, for another reason.
    #[error("{}", .0.chain())]
    Store(Arc<StoreError>),
    /// The deadline passed. What was asked for may still happen.
    #[error("the keyring does not answer; it may be waiting for its password")]
    TimedOut,
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked => Self::Locked,
            error => Self::Store(Arc::new(error)),
        }
    }
}

impl VaultError {
    /// Returns the wire's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Locked | Self::TimedOut => ErrorCode::KeyringLocked,
            Self::Store(error) if matches!(**error, StoreError::NeedsPassphrase { .. } | StoreError::Passphrase(_)) => {
                ErrorCode::KeyringLocked
            }
            Self::Ended | Self::Store(_) => ErrorCode::KeyringUnavailable,
        }
    }

    /// Returns the wire's error: one line of what happened, one of what to do.
    pub fn body(&self) -> ErrorBody {
        // Some of the text is a service's or an operating system's.
        let description = self.to_string().replace(char::is_control, " ");
        ErrorBody::new(self.code(), description).with_hint(self.hint())
    }

    /// Whether it waits for a person to open it.
    pub(crate) fn is_shut(&self) -> bool {
        match self {
            Self::Locked => true,
            Self::Store(error) => matches!(**error, StoreError::Locked | StoreError::NeedsPassphrase { .. }),
            Self::Ended | Self::TimedOut => false,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Ended => "restart brokerd; its log says why the vault ended",
            Self::Locked => "unlock the keyring, for instance by logging in to the desktop, and try again",
            Self::TimedOut => "answer the keyring's password prompt if one is open, else restart the keyring service",
            Self::Store(error) => match **error {
                StoreError::Busy { .. } => "stop the other brokerd, or set store.path to another file",
                StoreError::Configuration(_) => "correct [store] in the configuration and restart brokerd",
                StoreError::NeedsPassphrase { new: true } => "choose one at a terminal: brokerctl unlock",
                StoreError::NeedsPassphrase { new: false } => "give its passphrase at a terminal: brokerctl unlock",
                StoreError::Passphrase(_) => "try again: brokerctl unlock",
                StoreError::Damaged(_) => "sign out and in again",
                StoreError::DamagedFile(_) => "move it away and sign in again",
                StoreError::File { .. } => "mend what is named there, or name another in [store] of the configuration",
                StoreError::Full { .. } => "make room there, or choose another store.kind",
                StoreError::NotSupported(_) => "update brokerd, or choose another store.kind",
                StoreError::WrongKey { .. } => {
                    "give the key it was sealed with, or move the file away and sign in again"
                }
                _ => "start the keyring service, or choose another store.kind; `brokerctl doctor` looks closer",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_a_line_and_a_hint() {
        let store = |error: StoreError| VaultError::from(error);
        let cases = [
            (VaultError::TimedOut, ErrorCode::KeyringLocked),
            (store(StoreError::Locked), ErrorCode::KeyringLocked),
            (VaultError::Ended, ErrorCode::KeyringUnavailable),
            (store(StoreError::Full { what: "full".to_owned(), source: None }), ErrorCode::KeyringUnavailable),
            (
                store(StoreError::unavailable_because("a\nb", std::io::Error::other("c\u{1b}[31m"))),
                ErrorCode::KeyringUnavailable,
            ),
        ];
        for (error, code) in cases {
            let body = error.body();
            assert_eq!(body.error, code);
            assert!(!body.error_description.contains(char::is_control), "{}", body.error_description);
            assert!(body.hint.is_some());
        }
    }
}
