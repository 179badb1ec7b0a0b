//! Listening on a named pipe.

mod lock;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use broker_windows::pipe::{self, Maker};
use broker_windows::user;
use tokio::net::windows::named_pipe::NamedPipeServer;
use tokio::sync::Mutex;

use self::lock::Lock;
use super::{Access, ListenError, Stream};
use crate::connect::{self, ConnectError};
use crate::deadline::Deadline;
use crate::endpoint::{Endpoint, EndpointError};
use crate::peer::Peer;

/// The daemon's end of the endpoint.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    maker: Maker,
    /// The instance that the next client meets. There is always one, so that no client finds the name missing.
    next: Mutex<NamedPipeServer>,
    _lock: Lock,
}

impl Listener {
    /// Listens at `endpoint`, alone. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError::AlreadyRunning`] when another daemon listens there; [`ListenError::Insecure`] when the name is no
    /// pipe's, or taken by another user.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, ListenError> {
        let name = endpoint.pipe_name().ok_or_else(|| not_a_pipe(endpoint))?;
        let Some(lock) = Lock::take(name)? else {
            return Err(taken(endpoint));
        };
        let user = user::current().map_err(ListenError::io("find out who the user is"))?;
        let maker = Maker::new(&access_list(&user)).map_err(ListenError::io("make the pipe's access list"))?;
        let next = maker.make(os_name(endpoint), true).map_err(|error| match error.kind() {
            // It exists: by a daemon that holds another lock, or by anybody who was faster.
            io::ErrorKind::PermissionDenied => taken(endpoint),
            _ => ListenError::io(format!("make the pipe {endpoint}"))(error),
        })?;
        Ok(Self { endpoint: endpoint.clone(), maker, next: Mutex::new(next), _lock: lock })
    }

    /// The same: a pipe is its user's alone, whatever `access` says.
    ///
    /// # Errors
    /// Those of [`Listener::bind`].
    pub fn bind_for(endpoint: &Endpoint, _access: Access) -> Result<Self, ListenError> {
        Self::bind(endpoint)
    }

    /// Waits for the next connection and says who made it.
    ///
    /// A connection whose maker is gone before it could be asked about is passed over. Cancel safe: no connection is lost.
    ///
    /// # Errors
    /// When the system has no room for another instance of the pipe the caller should pause before it asks again; who has
    /// connected meanwhile is served then.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        loop {
            let mut next = self.next.lock().await;
            next.connect().await?;
            // Before the connected one is taken away: else there would be a moment without the name.
            let another = self.maker.make(os_name(&self.endpoint), false)?;
            let connected = std::mem::replace(&mut *next, another);
            if let Ok(peer) = Peer::of_client(&connected) {
                return Ok((Stream(connected.into()), peer));
            }
        }
    }

    /// Returns whether a service manager made it; on Windows none does.
    pub fn is_inherited(&self) -> bool {
        false
    }
}

/// The user's pipe, and nobody else's: not even the system's, which has no business with it. An elevated process would own
/// it as "Administrators", so the owner is named, for clients to find.
fn access_list(user: &str) -> String {
    format!("O:{user}D:P(A;;GA;;;{user})")
}

fn os_name(endpoint: &Endpoint) -> &OsStr {
    endpoint.path().as_os_str()
}

fn not_a_pipe(endpoint: &Endpoint) -> ListenError {
    let error = EndpointError::NotAPipe { path: endpoint.path().to_path_buf() };
    ListenError::io("name the pipe")(io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// Says who has the pipe, by connecting to it.
fn taken(endpoint: &Endpoint) -> ListenError {
    const PATIENCE: Duration = Duration::from_secs(1);
    match connect::blocking::connect(endpoint, Deadline::after(PATIENCE)) {
        Ok(answered) => {
            ListenError::AlreadyRunning { at: endpoint.to_string(), pid: pipe::server_process(answered.0.pipe()).ok() }
        }
        Err(ConnectError::Forbidden { why, .. }) => ListenError::insecure(endpoint.path(), format!("is taken: {why}")),
        // It is starting, leaving, or has no time for us.
        Err(_) => ListenError::AlreadyRunning { at: endpoint.to_string(), pid: None },
    }
}
