//! Listening on a Unix socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::Stream as SyncStream;
use interprocess::os::unix::uds_local_socket::tokio::Listener as Inner;
use rustix::net::sockopt;

use super::directory::{FileId, PrivateDir};
use super::inherited::Inherited;
use super::lock::Lock;
use super::{Access, ListenError, Stream};
use crate::connect;
use crate::deadline::Deadline;
use crate::endpoint::{Endpoint, EndpointError};
use crate::peer::Peer;

/// The daemon's end of the endpoint.
#[derive(Debug)]
pub struct Listener {
    inner: Inner,
    origin: Origin,
}

/// Who made the socket.
#[derive(Debug)]
enum Origin {
    /// This process, which removes it.
    Made { _claim: Claim },
    /// A service manager, which keeps it.
    Inherited(Inherited),
}

impl Listener {
    /// Listens at `endpoint`, alone. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError::AlreadyRunning`] when another daemon listens there; [`ListenError::Insecure`] when others could reach
    /// the socket, or the name is taken by something that is not a socket of ours.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, ListenError> {
        Self::bind_for(endpoint, Access::Own)
    }

    /// The same for a socket that other users may connect to, as far as `access` says. Who comes must be looked at then.
    ///
    /// # Errors
    /// Those of [`Listener::bind`].
    pub fn bind_for(endpoint: &Endpoint, access: Access) -> Result<Self, ListenError> {
        endpoint.check().map_err(too_long)?;
        let path = std::path::absolute(endpoint.path()).map_err(ListenError::io("find the socket's path"))?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(ListenError::insecure(path, "is no name for a socket"));
        };
        Self::bind_in(PrivateDir::open(parent, access)?, name, endpoint, access)
    }

    /// Listens at `endpoint`, whose directory has been checked. What is at its path by now may be another one.
    pub(super) fn bind_in(
        directory: PrivateDir,
        name: &str,
        endpoint: &Endpoint,
        access: Access,
    ) -> Result<Self, ListenError> {
        let lock = Lock::take(&directory, name)?;
        remove_stale(&directory, name, endpoint)?;
        // By the name as it was given: an absolute one may be too long where a relative one fits.
        let inner = bind_private(&directory, name, endpoint.path(), access)?;
        if access == Access::Shared {
            // The umask has taken from the mode what others need.
            directory.set_mode(name, access).map_err(ListenError::io("open the socket to others"))?;
        }
        let missing = || ListenError::insecure(directory.path_of(name), "was moved away while it was made");
        let socket = directory.own_socket(name)?.ok_or_else(missing)?;
        let claim = Claim { directory, name: name.to_owned(), socket, _lock: lock };
        let listener = Self { inner, origin: Origin::Made { _claim: claim } };
        listener.raise_backlog()?;
        Ok(listener)
    }

    /// Listens on a socket that a service manager made and handed over: it is neither changed nor ever removed.
    ///
    /// Must be called within a tokio runtime. Waits up to two seconds for a daemon that was started by hand and is leaving.
    ///
    /// # Errors
    /// When `fd` is not a listening Unix stream socket; [`ListenError::Insecure`] when others could reach or replace it;
    /// [`ListenError::AlreadyRunning`] when another daemon listens at its name.
    pub fn from_inherited(fd: OwnedFd) -> Result<Self, ListenError> {
        let failed = || ListenError::io("use the inherited socket");
        check_listening(&fd).map_err(failed())?;
        let inherited = Inherited::check(&fd)?;
        let inner = Inner::try_from(fd).map_err(failed())?;
        Ok(Self { inner, origin: Origin::Inherited(inherited) })
    }

    /// Waits for the next connection and says who made it.
    ///
    /// A connection whose maker is gone before it could be asked about is passed over. Whether to serve another user is the
    /// caller's decision: see [`Peer::same_user`]. Cancel safe: no connection is lost.
    ///
    /// # Errors
    /// Those of `accept(2)`. When the process is out of descriptors the caller should pause before it asks again.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        loop {
            let stream = self.inner.accept().await?;
            if let Ok(peer) = Peer::of(&stream) {
                return Ok((Stream(stream), peer));
            }
        }
    }

    /// Returns whether a service manager made the socket.
    pub fn is_inherited(&self) -> bool {
        matches!(self.origin, Origin::Inherited(_))
    }

    /// Returns the name of a socket that a service manager made.
    pub fn inherited_path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Inherited(inherited) => Some(&inherited.path),
            Origin::Made { .. } => None,
        }
    }

    /// Raises the backlog to the system's maximum, to which the kernel cuts this down.
    fn raise_backlog(&self) -> Result<(), ListenError> {
        rustix::net::listen(self.inner.as_fd(), i32::MAX)
            .map_err(|error| ListenError::io("listen on the socket")(error.into()))
    }
}

/// The socket file this process made, and its right to it. Dropped, the file goes first and the lock after it.
#[derive(Debug)]
struct Claim {
    directory: PrivateDir,
    name: String,
    socket: FileId,
    _lock: Lock,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if matches!(self.directory.own_socket(&self.name), Ok(Some(found)) if found.is(&self.socket)) {
            // Nobody is left to tell; the next daemon removes it.
            drop(self.directory.remove(&self.name));
        }
    }
}

/// Removes a socket of ours that nobody answers.
///
/// The lock says that no daemon made it that still lives; a service manager may have, and its socket is not ours to take.
fn remove_stale(directory: &PrivateDir, name: &str, endpoint: &Endpoint) -> Result<(), ListenError> {
    const PATIENCE: Duration = Duration::from_secs(1);
    if directory.own_socket(name)?.is_none() {
        return Ok(());
    }
    match connect::blocking::open(endpoint, Deadline::after(PATIENCE)) {
        Ok(answered) => {
            let pid = Peer::of(&SyncStream::from(answered)).ok().and_then(|peer| peer.pid);
            Err(ListenError::Taken { path: endpoint.path().to_owned(), pid: pid.and_then(|pid| pid.try_into().ok()) })
        }
        // Somebody listens who has no time to accept.
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(ListenError::AlreadyRunning { at: endpoint.to_string(), pid: None })
        }
        Err(_) => directory.remove(name).map_err(ListenError::io("remove the stale socket")),
    }
}

/// Binds the socket so that it has its mode from the moment it exists.
fn bind_private(directory: &PrivateDir, name: &str, path: &Path, access: Access) -> Result<Inner, ListenError> {
    let failed = || ListenError::io(format!("bind {}", path.display()));
    let options = || -> io::Result<ListenerOptions<'_>> {
        let name = path.to_fs_name::<GenericFilePath>()?;
        // Reclaiming unlinks by path whatever is there; `Claim` looks first.
        Ok(ListenerOptions::new().name(name).reclaim_name(false).try_overwrite(false))
    };
    match options().map_err(failed())?.mode(access.socket_mode()).create_tokio_as::<Inner>() {
        // macOS cannot set a socket's mode before it has a name. The directory keeps others out meanwhile.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            let inner = options().map_err(failed())?.create_tokio_as::<Inner>().map_err(failed())?;
            directory.set_mode(name, access).map_err(failed())?;
            Ok(inner)
        }
        bound => bound.map_err(failed()),
    }
}

/// Checks that a descriptor is what a service manager should have handed over.
fn check_listening(fd: &OwnedFd) -> io::Result<()> {
    let unix = rustix::net::getsockname(fd)?.address_family() == rustix::net::AddressFamily::UNIX;
    let stream = sockopt::socket_type(fd)? == rustix::net::SocketType::STREAM;
    #[cfg(not(target_vendor = "apple"))]
    let listening = sockopt::socket_acceptconn(fd)?;
    // macOS has no way to ask; its accept fails by itself.
    #[cfg(target_vendor = "apple")]
    let listening = true;
    if unix && stream && listening {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a listening Unix stream socket"))
}

fn too_long(error: EndpointError) -> ListenError {
    match error {
        EndpointError::TooLong { path, limit } => ListenError::TooLong { path, limit },
        error => ListenError::io("name the socket")(io::Error::other(error)),
    }
}
