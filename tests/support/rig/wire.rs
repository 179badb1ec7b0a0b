//! A client that writes its bytes itself, for what no good client would send.

use std::time::Duration;

use broker_client::ErrorBody;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{self, Instant};

use super::{ROOM, Rig, connect};

/// A connection to the daemon.
pub struct Wire(DuplexStream);

/// An answer, read from the wire.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error code in it.
    pub fn error(&self) -> String {
        let body: ErrorBody = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        body.error.to_string()
    }

    /// Whether the head has this line.
    pub fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line == header)
    }
}

impl Rig {
    /// Connects.
    pub async fn wire(&self) -> Wire {
        self.narrow_wire(ROOM).await
    }

    /// Connects by a pipe that holds no more than `room` bytes each way.
    pub async fn narrow_wire(&self, room: usize) -> Wire {
        let door = self.door.lock().expect("nobody panicked").clone();
        Wire(connect(door, room).await.expect("the daemon listens"))
    }

    /// A good request with a JSON body.
    pub fn post(&self, path: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }

    /// Sends a request on a connection of its own and reads the answer.
    pub async fn raw(&self, request: &str) -> Answer {
        let mut wire = self.wire().await;
        // A daemon that has had enough answers and closes.
        wire.try_send(request).await;
        wire.answer().await
    }
}

impl Wire {
    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the daemon reads");
    }

    /// Sends bytes to a daemon that may have had enough.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends the end, and goes on reading.
    pub async fn half_close(&mut self) {
        self.0.shutdown().await.expect("the daemon reads");
    }

    /// Reads one answer; of a stream, its head and its first line.
    pub async fn answer(&mut self) -> Answer {
        let mut text = String::new();
        let head = self.read_until(&mut text, "\r\n\r\n").await;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {head:?}"));
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let body = match length {
            Some(length) => {
                while text.len() < length {
                    assert!(self.read(&mut text).await, "cut after {text:?}");
                }
                text.drain(..length).collect()
            }
            None if head.contains("transfer-encoding: chunked") => {
                self.read_until(&mut text, "\r\n").await;
                self.read_until(&mut text, "\n").await
            }
            None => String::new(),
        };
        Answer { status, head, body }
    }

    /// Reads until the daemon closes the connection; returns what came and how long it took.
    pub async fn end(&mut self) -> (String, Duration) {
        let start = Instant::now();
        let mut text = String::new();
        let patience = Duration::from_secs(24 * 3600);
        let closed = time::timeout(patience, async { while self.read(&mut text).await {} }).await;
        assert!(closed.is_ok(), "the daemon kept the connection for a day");
        (text, start.elapsed())
    }

    async fn read_until(&mut self, text: &mut String, end: &str) -> String {
        loop {
            if let Some(found) = text.find(end) {
                let rest = text.split_off(found + end.len());
                return std::mem::replace(text, rest);
            }
            assert!(self.read(text).await, "cut after {text:?}");
        }
    }

    async fn read(&mut self, text: &mut String) -> bool {
        let mut bytes = [0; 4096];
        let count = self.0.read(&mut bytes).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}
