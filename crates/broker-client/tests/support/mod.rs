//! A daemon that says what it was told to say.
#![allow(dead_code, reason = "each test program uses its part")]
#![expect(clippy::unwrap_used, reason = "a helper of tests")]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use broker_client::Endpoint;

/// One connection: what to answer to each request on it; then it is closed.
pub(crate) type Script = Vec<String>;

pub(crate) struct Server {
    _root: tempfile::TempDir,
    endpoint: Endpoint,
    closed: Receiver<()>,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    /// Serves the scripts, one connection after the other, then is gone.
    pub(crate) fn start(scripts: Vec<Script>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let (closing, closed) = channel();
        let thread = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for script in scripts {
                let (mut connection, _) = listener.accept().unwrap();
                for answer in script {
                    requests.push(request(&mut connection));
                    connection.write_all(answer.as_bytes()).unwrap();
                }
                drop(connection);
                // Nobody need wait for it.
                closing.send(()).ok();
            }
            requests
        });
        Self { _root: root, endpoint: Endpoint::from_path(path), closed, thread }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// Waits until one more connection has been closed.
    pub(crate) fn closed(&self) {
        self.closed.recv().unwrap();
    }

    /// Waits until all scripts have been played, and returns the requests: first line and body.
    pub(crate) fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Reads one request: its first line and its body.
fn request(connection: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.contains("\r\nhost: brokerd\r\n"), "{head}");
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    let line = head.lines().next().unwrap().trim_end_matches(" http/1.1").to_owned();
    format!("{line} {}", String::from_utf8(body).unwrap()).trim_end().to_owned()
}

pub(crate) fn json(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A stream of events that has not ended.
pub(crate) fn open_stream(lines: &[&str]) -> String {
    let mut text = "HTTP/1.1 202 X\r\nContent-Type: application/x-ndjson\r\n\
                    Transfer-Encoding: chunked\r\n\r\n"
        .to_owned();
    for line in lines {
        write!(text, "{:x}\r\n{line}\n\r\n", line.len() + 1).unwrap();
    }
    text
}

pub(crate) fn stream(lines: &[&str]) -> String {
    open_stream(lines) + "0\r\n\r\n"
}

pub(crate) const TOKEN: &str = r#"{"event":"token","access_token":"at-1","token_type":"Bearer","expires_on":1,"scope":"a b","profile":"work","account":{"id":"x","username":"ada","new":1},"new":{"a":[1]}}"#;

pub(crate) fn prompt(id: &str) -> String {
    format!(
        r#"{{"event":"device_prompt","id":"{id}","user_code":"AB-CD","verification_uri":"https://x.test/d","expires_at":"2026-01-01T00:00:00Z","expires_in":900,"interval":5,"profile":"work","scopes":["a"],"requested_by":{{"pid":1,"command":"git"}},"new":true}}"#
    )
}

/// Of a newer daemon.
pub(crate) const GREASE: &str = r#"{"event":"x_grease","what":{"ever":[null]}}"#;

pub(crate) fn failure(code: &str) -> String {
    format!(r#"{{"error":"{code}","error_description":"no","new":1}}"#)
}
