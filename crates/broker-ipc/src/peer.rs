//! Who is on the other end of a connection, as the kernel says: the credentials of the moment it was made.

#[cfg(unix)]
use std::io;

#[cfg(unix)]
use interprocess::local_socket::traits::StreamCommon;

/// The process on the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user id; `None` where the platform has none.
    pub uid: Option<u32>,
    /// Its process id, where the platform tells. A name for people, not a proof: it may have been reused since.
    pub pid: Option<i64>,
    /// Whether it runs as this process's effective user.
    pub same_user: bool,
}

impl Peer {
    /// Asks the kernel who is on the other end.
    #[cfg(unix)]
    pub(crate) fn of(stream: &impl StreamCommon) -> io::Result<Self> {
        let credentials = stream.peer_creds()?;
        let (uid, pid) = (credentials.euid(), credentials.pid().map(i64::from));
        Ok(Self { uid, pid, same_user: uid == Some(rustix::process::geteuid().as_raw()) })
    }

    /// Returns the base name of its executable, on Linux; `None` where it cannot be read.
    ///
    /// For prompts and logs only: a process chooses what it executes.
    pub fn command(&self) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let executable = std::fs::read_link(format!("/proc/{}/exe", self.pid?)).ok()?;
        let name = executable.file_name()?.to_string_lossy();
        // What the kernel appends once the file is gone, as after an upgrade.
        Some(name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::net::UnixStream;

    use interprocess::os::unix::uds_local_socket::Stream;

    use super::*;

    #[test]
    fn both_ends_of_a_pair_are_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&Stream::from(one)).unwrap();
        assert!(peer.same_user);
        assert_eq!(peer.uid, Some(rustix::process::geteuid().as_raw()));
        if cfg!(target_os = "linux") {
            assert_eq!(peer.pid, Some(i64::from(std::process::id())));
            let own = std::env::current_exe().unwrap();
            assert_eq!(peer.command().as_deref(), own.file_name().unwrap().to_str());
        }
    }

    #[test]
    fn a_process_that_is_not_there_has_no_command() {
        assert_eq!(Peer::default().command(), None);
        assert_eq!(Peer { pid: Some(0), ..Peer::default() }.command(), None);
    }
}
