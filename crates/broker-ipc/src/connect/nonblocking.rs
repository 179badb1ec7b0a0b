//! Connecting in an async program.

use tokio::time::Instant;

use super::ConnectError;
use crate::endpoint::Endpoint;
use crate::stream::Stream;

/// Connects to the daemon and checks that it is the user's own.
///
/// A full backlog is waited out until `deadline`. Cancel safe: dropping the future closes the socket.
///
/// # Errors
/// [`ConnectError::NotRunning`] when nothing listens there, [`ConnectError::Forbidden`] when it is somebody else's.
#[cfg(unix)]
pub async fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Stream, ConnectError> {
    use std::io::ErrorKind;
    use std::time::Duration;

    use crate::peer::Peer;

    const FIRST_PAUSE: Duration = Duration::from_millis(2);
    const LONGEST_PAUSE: Duration = Duration::from_millis(100);

    endpoint.check_length()?;
    let mut pause = FIRST_PAUSE;
    // Through tokio, not interprocess: that one takes the `EAGAIN` of a full backlog for a connection under way, and
    // hands out a socket that is connected to nobody.
    let stream = loop {
        match tokio::net::UnixStream::connect(endpoint.path()).await {
            Ok(stream) => break stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if Instant::now() >= deadline {
                    return Err(ConnectError::Timeout);
                }
                tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            Err(error) => return Err(ConnectError::of(endpoint, error)),
        }
    };
    let stream = stream.into();
    let server = Peer::of(&stream).map_err(|error| ConnectError::of(endpoint, error))?;
    super::check_server(endpoint, &server)?;
    Ok(Stream(stream))
}

/// Connects to the daemon's pipe and checks that it is the user's own.
///
/// # Errors
/// Always, as of now: see `windows.rs`.
#[cfg(windows)]
#[expect(clippy::unused_async, reason = "the same signature on every platform")]
pub async fn connect(endpoint: &Endpoint, _deadline: Instant) -> Result<Stream, ConnectError> {
    crate::windows::connect_async(endpoint).map(Stream)
}
