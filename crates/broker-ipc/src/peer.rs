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
    /// Whether it surely runs as this process's effective user.
    pub same_user: bool,
}

impl Peer {
    /// Asks the kernel who is on the other end.
    #[cfg(unix)]
    pub(crate) fn of(stream: &impl StreamCommon) -> io::Result<Self> {
        let credentials = stream.peer_creds()?;
        let (uid, pid) = (credentials.euid(), credentials.pid().map(i64::from));
        Ok(Self { uid, pid, same_user: uid.is_some_and(crate::user::is_own) })
    }

    /// Asks the kernel who is at the client's end of a server's pipe.
    ///
    /// It is the user: nobody else is in the pipe's access list, which the kernel has held against the client's token.
    #[cfg(all(windows, feature = "tokio"))]
    pub(crate) fn of_client(pipe: &impl std::os::windows::io::AsHandle) -> std::io::Result<Self> {
        let pid = broker_windows::pipe::client_process(pipe)?;
        Ok(Self { uid: None, pid: Some(pid.into()), same_user: true })
    }

    /// Returns the base name of its executable, on Linux and Windows; `None` where it cannot be read.
    ///
    /// For prompts and logs only: a process chooses what it executes.
    #[cfg(windows)]
    pub fn command(&self) -> Option<String> {
        let path = broker_windows::process::executable(self.pid?.try_into().ok()?).ok()?;
        Some(path.file_name()?.to_string_lossy().into_owned())
    }

    /// Returns the base name of its executable, on Linux and Windows; `None` where it cannot be read.
    ///
    /// For prompts and logs only: a process chooses what it executes.
    #[cfg(not(windows))]
    pub fn command(&self) -> Option<String> {
        let executable = self.executable()?;
        Some(executable.rsplit('/').next().unwrap_or(&executable).to_owned())
    }

    /// Returns the path of its executable as it is now, on Linux; `None` where it cannot be read.
    ///
    /// For prompts and logs only: a process chooses what it executes.
    pub fn executable(&self) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let path = std::fs::read_link(format!("/proc/{}/exe", self.pid?)).ok()?;
        let path = path.to_string_lossy();
        // What the kernel appends once the file is gone, as after an upgrade.
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    }

    /// Returns the systemd unit it runs in, as its control group tells on Linux, or the whole group where that is no unit's;
    /// `None` where it cannot be read.
    ///
    /// For logs only, like [`executable`](Self::executable).
    #[cfg(target_os = "linux")]
    pub fn unit(&self) -> Option<String> {
        // One read: the kernel gives all of it to whoever has the room, and it is somebody's token that waits. What fills the room
        // may have been cut, and names no unit.
        let mut room = [const { std::mem::MaybeUninit::uninit() }; 16 * 1024];
        let file = std::fs::File::open(format!("/proc/{}/cgroup", self.pid?)).ok()?;
        let (groups, rest) = rustix::io::read(&file, &mut room[..]).ok()?;
        if rest.is_empty() {
            return None;
        }
        unit_of(std::str::from_utf8(groups).ok()?)
    }

    /// Returns the systemd unit it runs in: not here.
    ///
    /// For logs only, like [`executable`](Self::executable).
    #[cfg(not(target_os = "linux"))]
    pub fn unit(&self) -> Option<String> {
        None
    }
}

/// The innermost unit in the text of `/proc/PID/cgroup`. The unified hierarchy is number 0; systemd names its units in the
/// older one of its own as well.
#[cfg(any(target_os = "linux", all(test, unix)))]
fn unit_of(groups: &str) -> Option<String> {
    let path = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::").or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path)));
    let path = path?.trim_end_matches('/');
    let is_unit = |part: &&str| [".service", ".scope"].iter().any(|kind| part.ends_with(kind));
    let unit = path.rsplit('/').find(is_unit).unwrap_or(path);
    Some(unit.to_owned()).filter(|unit| !unit.is_empty())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::net::UnixStream;

    use interprocess::os::unix::uds_local_socket::Stream;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri's sockets do not say whose they are")]
    fn both_ends_of_a_pair_are_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&Stream::from(one)).unwrap();
        assert!(peer.same_user);
        assert_eq!(peer.uid, Some(rustix::process::geteuid().as_raw()));
        if cfg!(target_os = "linux") {
            assert_eq!(peer.pid, Some(i64::from(std::process::id())));
            let own = std::env::current_exe().unwrap();
            assert_eq!(peer.command().as_deref(), own.file_name().unwrap().to_str());
            assert_eq!(peer.executable().as_deref(), own.to_str());
        }
    }

    #[test]
    fn the_innermost_unit_is_the_units_name() {
        let user = "/user.slice/user-1000.slice/user@1000.service";
        for (groups, unit) in [
            (format!("0::{user}/app.slice/backup.service\n"), Some("backup.service")),
            (format!("0::{user}/app.slice/app-org.kitty.scope/tab\n"), Some("app-org.kitty.scope")),
            (format!("12:cpu:/x\n1:name=systemd:{user}/app.slice/run-1.scope\n"), Some("run-1.scope")),
            ("0::/docker/0123abcd\n".into(), Some("/docker/0123abcd")),
            ("0::/\n".into(), None),
            ("12:cpu:/x\n".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(unit_of(&groups).as_deref(), unit, "{groups}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_has_no_command() {
        assert_eq!(Peer::default().command(), None);
        assert_eq!(Peer::default().unit(), None);
        assert_eq!(Peer { pid: Some(0), ..Peer::default() }.command(), None);
    }
}
