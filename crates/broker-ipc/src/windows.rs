//! The parts of Windows that need a safe way to read SIDs and are not there yet: each fails, none guesses.
//!
//! What is missing: the user's SID (for the pipe's name and its access list) and the owner of an opened pipe. Until then
//! nothing connects, so that nothing talks to a squatter; the openings below already limit what a server may do with the
//! client's identity.

use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::time::Duration;

use crate::connect::ConnectError;
use crate::endpoint::Endpoint;

#[cfg(feature = "tokio")]
pub(crate) type AsyncInner = tokio::net::windows::named_pipe::NamedPipeClient;

/// `SECURITY_IDENTIFICATION`: the server may learn who the client is, not act as the client.
///
/// interprocess opens pipes without any such limit, that is with `SecurityImpersonation`: a squatter could act as the
/// user. Hence `std` here, which adds `SECURITY_SQOS_PRESENT`, and tokio's `ClientOptions`, which does both by default.
const SECURITY_IDENTIFICATION: u32 = 0x0001_0000;

/// Returns the user's SID as a string, once there is a safe way to it.
pub(crate) fn user_sid() -> Option<String> {
    None
}

/// Opens the pipe for a program without a runtime.
pub(crate) fn connect_blocking(endpoint: &Endpoint) -> Result<std::fs::File, ConnectError> {
    check_owner(endpoint)?;
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .security_qos_flags(SECURITY_IDENTIFICATION)
        .open(endpoint.path())
        .map_err(ConnectError::Io)
}

/// Opens the pipe for an async program.
#[cfg(feature = "tokio")]
pub(crate) fn connect_async(endpoint: &Endpoint) -> Result<AsyncInner, ConnectError> {
    check_owner(endpoint)?;
    tokio::net::windows::named_pipe::ClientOptions::new()
        .security_qos_flags(SECURITY_IDENTIFICATION)
        .open(endpoint.path())
        .map_err(ConnectError::Io)
}

/// Refuses: whose the pipe is cannot be told yet.
fn check_owner(endpoint: &Endpoint) -> Result<(), ConnectError> {
    Err(ConnectError::Forbidden {
        endpoint: endpoint.clone(),
        why: "the pipe's owner cannot be checked on Windows yet".to_owned(),
    })
}

/// A synchronous pipe handle has no timeouts.
pub(crate) fn no_timeout(timeout: Option<Duration>) -> io::Result<()> {
    match timeout {
        None => Ok(()),
        Some(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}
