//! Messages to the service manager: `sd_notify(3)`'s protocol, which is a datagram to the socket that `NOTIFY_SOCKET` names.
//!
//! Sending never waits: a manager that has stopped reading must not stop the daemon. What cannot be sent is lost; the next
//! message says as much.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// The service manager, if there is one. Clones speak to the same.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    there: Option<Arc<There>>,
}

#[derive(Debug)]
struct There {
    socket: Socket,
    watchdog: Option<Duration>,
    /// The last `STATUS=`; the same is not told twice.
    told: Mutex<String>,
    reloaded: Notify,
}

impl Manager {
    /// The one that `NOTIFY_SOCKET` names, with the watchdog of `WATCHDOG_USEC`. Where it cannot be reached, a line in the log
    /// and nobody.
    pub fn from_environment() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::default();
        };
        match Socket::connect(&address) {
            Ok(socket) => Self::over(socket, watchdog(&|name| std::env::var(name).ok(), std::process::id())),
            Err(error) => {
                tracing::warn!(%error, address = %address.display(), "the service manager cannot be told anything");
                Self::default()
            }
        }
    }

    fn over(socket: Socket, watchdog: Option<Duration>) -> Self {
        let told = Mutex::default();
        Self { there: Some(Arc::new(There { socket, watchdog, told, reloaded: Notify::new() })) }
    }

    pub(super) fn is_there(&self) -> bool {
        self.there.is_some()
    }

    /// How long it waits for a sign of life, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.there.as_ref()?.watchdog
    }

    /// Clients are served.
    pub(super) fn ready(&self, state: &str) {
        self.tell(&[("READY", "1"), ("STATUS", state)]);
    }

    /// Says how things are, if that is news.
    pub(super) fn state(&self, state: &str) {
        let Some(there) = &self.there else { return };
        if *there.told.lock().unwrap_or_else(PoisonError::into_inner) != state {
            self.tell(&[("STATUS", state)]);
        }
    }

    /// The daemon is alive.
    pub(super) fn alive(&self) {
        self.tell(&[("WATCHDOG", "1")]);
    }

    /// The daemon is leaving.
    pub fn stopping(&self) {
        self.tell(&[("STOPPING", "1"), ("STATUS", "leaving: what is in the air lands first")]);
    }

    /// The configuration is being read; it has been when what is returned is dropped.
    pub(crate) fn reloading(&self) -> Reloading {
        self.tell(&[("RELOADING", "1")]);
        Reloading(self.clone())
    }

    /// Waits until the configuration has been read again.
    pub(super) async fn reloaded(&self) {
        match &self.there {
            Some(there) => there.reloaded.notified().await,
            None => std::future::pending().await,
        }
    }

    fn tell(&self, what: &[(&str, &str)]) {
        let Some(there) = &self.there else { return };
        let mut message = String::new();
        for (name, value) in what {
            // A line's end would begin another assignment.
            let value = value.replace(char::is_control, " ");
            // Writing to a `String` cannot fail.
            let _ = writeln!(message, "{name}={value}");
            if *name == "STATUS" {
                *there.told.lock().unwrap_or_else(PoisonError::into_inner) = value;
            }
        }
        if let Err(error) = there.socket.send(message.as_bytes()) {
            tracing::debug!(%error, "a message to the service manager is lost");
        }
    }
}

/// While it lives, the configuration is being read.
pub(crate) struct Reloading(Manager);

impl Drop for Reloading {
    fn drop(&mut self) {
        self.0.tell(&[("READY", "1")]);
        if let Some(there) = &self.0.there {
            there.reloaded.notify_one();
        }
    }
}

/// `sd_watchdog_enabled(3)`: microseconds, meant for one process.
fn watchdog(variable: &dyn Fn(&str) -> Option<String>, pid: u32) -> Option<Duration> {
    if variable("WATCHDOG_PID").is_some_and(|meant| meant != pid.to_string()) {
        return None;
    }
    let limit = variable("WATCHDOG_USEC")?.parse().ok()?;
    Some(Duration::from_micros(limit)).filter(|limit| !limit.is_zero())
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Socket(std::os::unix::net::UnixDatagram);

#[cfg(target_os = "linux")]
impl Socket {
    fn connect(address: &std::ffi::OsStr) -> std::io::Result<Self> {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::net::{SocketAddr, UnixDatagram};

        let address = match address.as_bytes() {
            // In the abstract namespace, as sd_notify(3) writes it.
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(Self(socket))
    }

    fn send(&self, message: &[u8]) -> std::io::Result<()> {
        self.0.send(message).map(drop)
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Socket(std::convert::Infallible);

#[cfg(not(target_os = "linux"))]
impl Socket {
    fn connect(_address: &std::ffi::OsStr) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn send(&self, _message: &[u8]) -> std::io::Result<()> {
        match self.0 {}
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
pub(super) mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    pub(in crate::supervision) fn manager() -> (tempfile::TempDir, UnixDatagram, Manager) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = Manager::over(Socket::connect(path.as_os_str()).unwrap(), None);
        (directory, socket, manager)
    }

    pub(in crate::supervision) fn heard(socket: &UnixDatagram) -> String {
        let mut message = [0; 512];
        match socket.recv(&mut message) {
            Ok(length) => String::from_utf8(message[..length].to_vec()).unwrap(),
            Err(_) => String::new(),
        }
    }

    #[test]
    fn a_state_is_one_line_and_told_when_it_is_news() {
        let (_directory, socket, manager) = manager();
        manager.ready("1 account\nREADY=0");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=1 account READY=0\n");
        manager.state("1 account READY=0");
        assert_eq!(heard(&socket), "");
        manager.state("2 accounts");
        assert_eq!(heard(&socket), "STATUS=2 accounts\n");
    }

    #[tokio::test]
    async fn a_reload_has_a_beginning_and_an_end() {
        let (_directory, socket, manager) = manager();
        let reloading = manager.reloading();
        assert_eq!(heard(&socket), "RELOADING=1\n");
        drop(reloading);
        assert_eq!(heard(&socket), "READY=1\n");
        manager.reloaded().await;
    }

    #[test]
    fn a_manager_that_does_not_read_or_is_gone_holds_up_nobody() {
        let (_directory, socket, manager) = manager();
        // Far more than the system keeps for a reader.
        for _ in 0..10_000 {
            manager.alive();
        }
        drop(socket);
        manager.stopping();
    }

    #[test]
    fn the_abstract_namespace_is_known() {
        use std::os::linux::net::SocketAddrExt as _;

        let name = format!("brokerd-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let manager = Manager::over(Socket::connect(format!("@{name}").as_ref()).unwrap(), None);
        manager.alive();
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
    }

    #[test]
    fn the_watchdog_is_for_the_process_it_names() {
        let table: &[(Option<&str>, Option<&str>, Option<Duration>)] = &[
            (None, None, None),
            (Some("7"), None, None),
            (None, Some("3000000"), Some(Duration::from_secs(3))),
            (Some("7"), Some("3000000"), Some(Duration::from_secs(3))),
            (Some("8"), Some("3000000"), None),
            (None, Some("soon"), None),
            (None, Some("0"), None),
        ];
        for (pid, limit, expected) in table {
            let variable = |name: &str| match name {
                "WATCHDOG_PID" => pid.map(str::to_owned),
                _ => limit.map(str::to_owned),
            };
            assert_eq!(watchdog(&variable, 7), *expected, "{pid:?} {limit:?}");
        }
    }
}
