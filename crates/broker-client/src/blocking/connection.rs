//! One connection to the daemon, each of whose reads and writes ends by a deadline.

use std::io::{self, Read, Write};
use std::time::Duration;

use broker_ipc::api::{HOST, JSON};
use broker_ipc::connect;
use broker_ipc::deadline::Deadline;
use broker_ipc::endpoint::Endpoint;
use broker_ipc::stream::BlockingStream;

use super::http::{Body, Head, Reader};
use crate::call::Call;
use crate::error::ClientError;

/// A connection with at most one answer on it.
#[derive(Debug)]
pub(super) struct Connection {
    reader: Reader<Timed>,
}

impl Connection {
    pub(super) fn open(endpoint: &Endpoint, deadline: Deadline) -> Result<Self, ClientError> {
        let stream = connect::blocking::connect(endpoint, deadline)?;
        let (read, write) = (Timeout::default(), Timeout::default());
        Ok(Self { reader: Reader::new(Timed { stream, deadline, read, write }) })
    }

    /// Sets when the next reads and writes end.
    pub(super) fn set_deadline(&mut self, deadline: Deadline) {
        self.reader.stream_mut().deadline = deadline;
    }

    /// Sends a call and reads the head of its answer.
    pub(super) fn exchange(&mut self, call: &Call) -> Result<Head, ClientError> {
        let request = render(call);
        self.reader.stream_mut().write_all(&request)?;
        self.reader.head()
    }

    /// Reads a whole body, and returns what `read` makes of it.
    pub(super) fn whole<T>(&mut self, body: Body, read: impl FnOnce(&[u8]) -> T) -> Result<T, ClientError> {
        self.reader.whole(body, read)
    }

    /// Reads the next piece of a body into `into`; `false` at its end.
    pub(super) fn piece(
        &mut self,
        body: &mut Body,
        into: &mut dyn FnMut(&[u8]) -> Result<(), ClientError>,
    ) -> Result<bool, ClientError> {
        self.reader.piece(body, into)
    }
}

/// Writes a request as it goes over the wire, in one piece: one system call.
fn render(call: &Call) -> Vec<u8> {
    let body = call.body.as_deref().unwrap_or_default();
    let mut text = Vec::with_capacity(128 + call.path.len() + body.len());
    let method = call.method.as_str();
    let mut put = |part: &str| text.extend_from_slice(part.as_bytes());
    for part in [method, " ", &call.path, " HTTP/1.1\r\nhost: ", HOST, "\r\n"] {
        put(part);
    }
    if call.body.is_some() {
        for part in ["content-type: ", JSON, "\r\n"] {
            put(part);
        }
    }
    if call.body.is_some() || call.method == crate::call::Method::Post {
        for part in ["content-length: ", &body.len().to_string(), "\r\n"] {
            put(part);
        }
    }
    put("\r\n");
    text.extend_from_slice(body);
    text
}

/// A stream whose every operation ends by the deadline.
#[derive(Debug)]
struct Timed {
    stream: BlockingStream,
    deadline: Deadline,
    read: Timeout,
    write: Timeout,
}

/// What was left when one of a socket's timeouts was last set.
#[derive(Debug, Default)]
struct Timeout(Option<Duration>);

impl Timeout {
    /// Sets it to what is left, unless it is that within a millisecond: over a kept connection the next call has as long as
    /// the one before it, and saves the system call.
    fn update(&mut self, deadline: Deadline, set: impl FnOnce(Option<Duration>) -> io::Result<()>) -> io::Result<()> {
        const TOLERANCE: Duration = Duration::from_millis(1);
        let timeout = deadline.socket_timeout()?;
        let left = timeout.unwrap_or(Duration::MAX);
        if self.0.is_none_or(|current| current.abs_diff(left) >= TOLERANCE) {
            match set(timeout) {
                Ok(()) => self.0 = Some(left),
                // macOS refuses any on a socket that is shut in both directions, as one is for good whose other end has closed.
                // Nothing waits there: a read gives what had arrived and then the end, a write fails. They say so; this does
                // not. No system refuses in that way a socket that lives.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read.update(self.deadline, |timeout| self.stream.set_read_timeout(timeout))?;
        self.stream.read(buf)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write.update(self.deadline, |timeout| self.stream.set_write_timeout(timeout))?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use broker_ipc::api::TokenRequest;

    use super::*;

    #[test]
    fn requests_are_what_the_protocol_says() {
        let text = |call: &Call| String::from_utf8(render(call)).unwrap();
        assert_eq!(text(&Call::status()), "GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n");
        assert_eq!(text(&Call::reload()), "POST /v1/reload HTTP/1.1\r\nhost: brokerd\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(
            text(&Call::token("/v1/token", &TokenRequest::default()).unwrap()),
            "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn a_timeout_is_set_when_it_is_another() {
        let mut timeout = Timeout::default();
        let mut sets = |deadline| {
            let mut set = None;
            let remember = |timeout| {
                set = Some(timeout);
                Ok(())
            };
            timeout.update(deadline, remember).unwrap();
            set.is_some()
        };
        assert!(sets(Deadline::after(Duration::from_secs(65))), "the first one");
        assert!(sets(Deadline::after(Duration::from_secs(64))), "a shorter one");
        assert!(sets(Deadline::after(Duration::from_secs(65))), "a longer one");
        assert!(sets(Deadline::never()), "none");
        assert!(!sets(Deadline::never()), "none again");
        assert!(sets(Deadline::after(Duration::from_secs(3600))));
        assert!(timeout.update(Deadline::after(Duration::ZERO), |_| Ok(())).is_err(), "it has passed");
    }

    #[test]
    fn a_timeout_that_a_closed_socket_refuses_is_no_failure_and_not_taken_for_set() {
        let mut timeout = Timeout::default();
        let deadline = Deadline::after(Duration::from_secs(65));
        timeout.update(deadline, |_| Err(io::ErrorKind::InvalidInput.into())).unwrap();
        let mut set = false;
        let mut remember = || {
            set = true;
            Ok(())
        };
        timeout.update(deadline, |_| remember()).unwrap();
        assert!(set, "nothing was set the first time");
        Timeout::default().update(deadline, |_| Err(io::ErrorKind::NotConnected.into())).unwrap_err();
    }

    #[cfg(unix)]
    #[test]
    fn a_daemon_that_says_nothing_is_waited_for_until_the_deadline() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let deadline = Deadline::after(std::time::Duration::from_millis(20));
        let mut connection = Connection::open(&Endpoint::from_path(path), deadline).unwrap();
        let error = connection.exchange(&Call::status()).unwrap_err();
        assert!(matches!(error, ClientError::Timeout), "{error}");
    }
}
