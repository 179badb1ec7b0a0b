//! Connecting without a runtime.

use super::ConnectError;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::stream::BlockingStream;

/// Connects to the daemon and checks that it is the user's own.
///
/// A full backlog is waited out until `deadline`; but elsewhere than on Linux it is refused at once, as if nobody listened.
///
/// # Errors
/// [`ConnectError::NotRunning`] when nothing listens there, [`ConnectError::Forbidden`] when it is somebody else's.
#[cfg(unix)]
pub fn connect(endpoint: &Endpoint, deadline: Deadline) -> Result<BlockingStream, ConnectError> {
    endpoint.check()?;
    let failed = |error| ConnectError::of(endpoint, error);
    let stream = open(endpoint, deadline).map_err(failed)?.into();
    let server = crate::peer::Peer::of(&stream).map_err(failed)?;
    super::check_server(endpoint, &server)?;
    Ok(BlockingStream(stream))
}

/// Waits for room in the backlog in the kernel: a Unix socket's send timeout is its connect timeout too (unix(7)).
///
/// Not interprocess's connect with a timeout: that one takes the `EAGAIN` of a full backlog for a connection under way,
/// and hands out a socket that is connected to nobody.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn open(endpoint: &Endpoint, deadline: Deadline) -> std::io::Result<std::os::fd::OwnedFd> {
    use rustix::io::Errno;
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    let address = SocketAddrUnix::new(endpoint.path())?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    loop {
        set_socket_timeout(&socket, Timeout::Send, deadline.socket_timeout()?)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Elsewhere a full backlog is refused in the words of a socket that nobody listens on, which is to be told at once.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn open(endpoint: &Endpoint, _deadline: Deadline) -> std::io::Result<std::os::fd::OwnedFd> {
    std::os::unix::net::UnixStream::connect(endpoint.path()).map(Into::into)
}

/// Connects to the daemon and checks that it is the user's own.
///
/// A daemon without a free instance of its pipe is waited for until `deadline`.
///
/// # Errors
/// [`ConnectError::NotRunning`] when nothing listens there, [`ConnectError::Forbidden`] when it is somebody else's.
#[cfg(windows)]
pub fn connect(endpoint: &Endpoint, deadline: Deadline) -> Result<BlockingStream, ConnectError> {
    use broker_windows::pipe::{self, Blocking};

    use super::pauses;

    endpoint.check()?;
    let mut pauses = pauses();
    let pipe = loop {
        match Blocking::open(endpoint.path().as_os_str()) {
            Ok(pipe) => break pipe,
            Err(error) if pipe::is_busy(&error) => {
                let left = deadline.remaining().ok_or(ConnectError::Timeout)?;
                std::thread::sleep(left.min(pauses.next().unwrap_or_default()));
            }
            Err(error) => return Err(ConnectError::of(endpoint, error)),
        }
    };
    super::check_server(endpoint, &pipe)?;
    Ok(BlockingStream(pipe.into()))
}
