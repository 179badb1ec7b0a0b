//! Listening on a named pipe: not yet. Its access list must name the user's SID, which no safe crate gives.

use std::convert::Infallible;
use std::io;

use super::{ListenError, Stream};
use crate::endpoint::Endpoint;
use crate::peer::Peer;

/// The daemon's end of the endpoint. There is none yet on Windows.
#[derive(Debug)]
pub struct Listener(Infallible);

impl Listener {
    /// Refuses: a pipe that is not restricted to its user would be worse than none.
    ///
    /// # Errors
    /// Always, as of now.
    pub fn bind(_endpoint: &Endpoint) -> Result<Self, ListenError> {
        Err(ListenError::Io {
            what: "listen on a pipe that only its user may open".to_owned(),
            source: io::ErrorKind::Unsupported.into(),
        })
    }

    /// Waits for the next connection and says who made it.
    #[expect(clippy::unused_async, reason = "the same signature on every platform")]
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self.0 {}
    }

    /// Returns whether a service manager made it.
    pub fn is_inherited(&self) -> bool {
        match self.0 {}
    }
}
