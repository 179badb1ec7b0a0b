//! Where the daemon listens: on what a service manager handed over, else by itself.

use std::error::Error;

use broker_ipc::endpoint::{Endpoint, EndpointError};
use broker_ipc::listen::{ListenError, Listener};

use crate::harden::NotAlone;

/// The socket that a service manager hands over.
#[cfg(unix)]
pub type Inherited = std::os::fd::OwnedFd;
/// No service manager hands a pipe over.
#[cfg(not(unix))]
pub type Inherited = std::convert::Infallible;

/// No service manager hands a socket over in a way that can be asked for here: see `launchd/README.md`.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn inherited() -> std::io::Result<Option<Inherited>> {
    Ok(None)
}

/// Listens. Must be called within a runtime.
///
/// A socket that was handed over is used wherever it is; where clients look elsewhere, the log says so.
///
/// # Errors
/// Those of [`Listener`].
pub fn listen(inherited: Option<Inherited>, endpoint: &Endpoint) -> Result<Listener, ListenError> {
    match inherited {
        None => Listener::bind(endpoint),
        #[cfg(unix)]
        Some(socket) => {
            let listener = Listener::from_inherited(socket)?;
            if let Some(path) = listener.inherited_path().filter(|path| *path != endpoint.path()) {
                tracing::warn!(
                    listening = %path.display(),
                    clients_look_at = %endpoint,
                    "the service manager's socket is not where clients look: they need BROKERD_SOCKET"
                );
            }
            Ok(listener)
        }
        #[cfg(not(unix))]
        Some(never) => match never {},
    }
}

/// Whether an error stays until somebody changes something: another start would meet it again.
pub fn is_to_be_changed(error: &(dyn Error + 'static)) -> bool {
    #[cfg(target_os = "linux")]
    if error.is::<super::ActivationError>() {
        return true;
    }
    error.is::<EndpointError>()
        || error.is::<NotAlone>()
        || error.downcast_ref::<ListenError>().is_some_and(|error| !matches!(error, ListenError::Io { .. }))
}
