//! How a client reaches the daemon, and makes sure that it is the user's own.
//!
//! A client hands over nothing before it knows who listens: whoever serves a user's tools with tokens of another account
//! makes them write that user's data into it.

pub mod blocking;
#[cfg(feature = "tokio")]
mod nonblocking;

use std::io;

#[cfg(feature = "tokio")]
pub use nonblocking::connect;

use crate::endpoint::{Endpoint, EndpointError};
#[cfg(unix)]
use crate::peer::Peer;
#[cfg(unix)]
use crate::user;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing listens there.
    #[error("no brokerd at {endpoint}")]
    NotRunning {
        /// Where it was looked for.
        endpoint: Endpoint,
    },
    /// Somebody listens who is not to be trusted, or who does not let this user in.
    #[error("{endpoint} is not this user's brokerd: {why}")]
    Forbidden {
        /// Where.
        endpoint: Endpoint,
        /// What is wrong with it.
        why: String,
    },
    /// The daemon had no room for another connection until the deadline.
    #[error("brokerd did not accept the connection in time")]
    Timeout,
    /// The endpoint's name is impossible.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Anything else.
    #[error("cannot connect to brokerd")]
    Io(#[source] io::Error),
}

impl ConnectError {
    /// Says what a failed connect means.
    pub fn of(endpoint: &Endpoint, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Self::NotRunning { endpoint: endpoint.clone() }
            }
            io::ErrorKind::PermissionDenied => {
                Self::Forbidden { endpoint: endpoint.clone(), why: "permission denied".to_owned() }
            }
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Io(error),
        }
    }
}

/// Returns how long to wait before each further try to connect to a daemon that has no room at the moment.
#[cfg(any(windows, feature = "tokio"))]
fn pauses() -> impl Iterator<Item = std::time::Duration> {
    use std::time::Duration;

    const FIRST: Duration = Duration::from_millis(2);
    const LONGEST: Duration = Duration::from_millis(100);
    std::iter::successors(Some(FIRST), |pause| Some(LONGEST.min(*pause * 2)))
}

/// Refuses a server that is neither the user's own nor, at an endpoint the user named, root's.
#[cfg(unix)]
fn check_server(endpoint: &Endpoint, server: &Peer) -> Result<(), ConnectError> {
    use std::os::unix::fs::MetadataExt;
    let file_owner = || std::fs::symlink_metadata(endpoint.path()).ok().map(|file| file.uid());
    if trusted(server.uid, &user::is_own, endpoint.is_named(), &file_owner) {
        return Ok(());
    }
    let who = match server.uid {
        Some(uid) if user::may_be_anybody(uid) => format!("user {uid}, who may be anybody in this user namespace,"),
        Some(uid) => format!("user {uid}"),
        None => "an unknown user".to_owned(),
    };
    Err(ConnectError::Forbidden { endpoint: endpoint.clone(), why: format!("{who} listens there") })
}

/// The rule itself. Root is a socket unit of the system's service manager, which listens before it hands over; the file
/// shows that it was made for this user.
#[cfg(unix)]
fn trusted(
    server: Option<u32>,
    is_own: &dyn Fn(u32) -> bool,
    named: bool,
    file_owner: &dyn Fn() -> Option<u32>,
) -> bool {
    const ROOT: u32 = 0;
    match server {
        Some(server) if is_own(server) => true,
        Some(ROOT) if named => file_owner().is_some_and(|owner| is_own(owner) || owner == ROOT),
        _ => false,
    }
}

/// Refuses a pipe that is not the user's own, named or not: who made it owns it, and only an administrator could give it to
/// another. Not by the server's process, whose number may mean another one by now.
#[cfg(windows)]
fn check_server(endpoint: &Endpoint, pipe: &impl std::os::windows::io::AsHandle) -> Result<(), ConnectError> {
    use broker_windows::{security, user};

    let forbidden = |why: String| ConnectError::Forbidden { endpoint: endpoint.clone(), why };
    let unknown = |error: io::Error| forbidden(format!("whose it is cannot be told: {error}"));
    let user = user::current().map_err(unknown)?;
    let owner = security::of_pipe(pipe).map_err(unknown)?.owner;
    if owner == user { Ok(()) } else { Err(forbidden(format!("user {owner} listens there"))) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_or_a_named_root_is_trusted() {
        let table = [
            // server, named by the user, file's owner, trusted
            (Some(1000), false, Some(1000), true),
            (Some(1000), true, None, true),
            (Some(1001), false, Some(1000), false),
            (Some(1001), true, Some(1000), false),
            (Some(0), false, Some(1000), false),
            (Some(0), true, Some(1000), true),
            (Some(0), true, Some(0), true),
            (Some(0), true, Some(1001), false),
            (Some(0), true, None, false),
            (None, true, Some(1000), false),
        ];
        for (server, named, owner, expected) in table {
            let got = trusted(server, &|uid| uid == 1000, named, &|| owner);
            assert_eq!(got, expected, "{server:?} {named} {owner:?}");
        }
    }
}
