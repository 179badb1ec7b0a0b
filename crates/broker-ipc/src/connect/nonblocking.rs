//! Connecting in an async program.

use std::time::Duration;

use tokio::time::Instant;

use super::{ConnectError, pauses};
use crate::endpoint::Endpoint;
use crate::stream::Stream;

/// Connects to the daemon and checks that it is the user's own.
///
/// A full backlog is waited out until `deadline`; but elsewhere than on Linux it is refused at once, as if nobody listened. Cancel safe: dropping the future closes the socket.
///
/// # Errors
/// [`ConnectError::NotRunning`] when nothing listens there, [`ConnectError::Forbidden`] when it is somebody else's.
#[cfg(unix)]
pub async fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Stream, ConnectError> {
    use std::io::ErrorKind;

    use crate::peer::Peer;

    endpoint.check()?;
    let mut pauses = pauses();
    // Through tokio, not interprocess: that one takes the `EAGAIN` of a full backlog for a connection under way, and
    // hands out a socket that is connected to nobody.
    let stream = loop {
        match tokio::net::UnixStream::connect(endpoint.path()).await {
            Ok(stream) => break stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => pause(deadline, &mut pauses).await?,
            Err(error) => return Err(ConnectError::of(endpoint, error)),
        }
    };
    let stream = stream.into();
    let server = Peer::of(&stream).map_err(|error| ConnectError::of(endpoint, error))?;
    super::check_server(endpoint, &server)?;
    Ok(Stream(stream))
}

/// Connects to the daemon and checks that it is the user's own.
///
/// A daemon without a free instance of its pipe is waited for until `deadline`. Cancel safe: dropping the future closes the
/// pipe.
///
/// # Errors
/// [`ConnectError::NotRunning`] when nothing listens there, [`ConnectError::Forbidden`] when it is somebody else's.
#[cfg(windows)]
pub async fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Stream, ConnectError> {
    use broker_windows::pipe;

    endpoint.check()?;
    let mut pauses = pauses();
    let pipe = loop {
        match pipe::open(endpoint.path().as_os_str()) {
            Ok(pipe) => break pipe,
            Err(error) if pipe::is_busy(&error) => pause(deadline, &mut pauses).await?,
            Err(error) => return Err(ConnectError::of(endpoint, error)),
        }
    };
    super::check_server(endpoint, &pipe)?;
    Ok(Stream(pipe.into()))
}

/// Waits a little before the next try.
async fn pause(deadline: Instant, pauses: &mut impl Iterator<Item = Duration>) -> Result<(), ConnectError> {
    if Instant::now() >= deadline {
        return Err(ConnectError::Timeout);
    }
    tokio::time::sleep_until(deadline.min(Instant::now() + pauses.next().unwrap_or_default())).await;
    Ok(())
}
