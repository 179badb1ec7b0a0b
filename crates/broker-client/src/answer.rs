//! What an answer means: bytes of a body or of a stream's line, for both faces.

use broker_ipc::error::ErrorBody;
use broker_ipc::wipe::wipe;
use serde::de::DeserializeOwned;

use crate::error::ClientError;

/// Longest body or line accepted, in bytes: far more than any answer, and an end to one that never stops.
pub(crate) const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Bytes that may hold a token: overwritten when they move and when they go.
#[derive(Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Appends, up to [`MAX_ANSWER`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let length = self.0.len() + bytes.len();
        if length > MAX_ANSWER {
            return Err(ClientError::Protocol("it does not end".to_owned()));
        }
        if length > self.0.capacity() {
            // By hand, because a vector that grows leaves a copy behind.
            let mut grown = Vec::with_capacity(length.max(self.0.capacity() * 2));
            grown.extend_from_slice(&self.0);
            wipe(&mut self.0);
            self.0 = grown;
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn remove_front(&mut self, count: usize) {
        self.0.copy_within(count.., 0);
        let left = self.0.len() - count;
        wipe(&mut self.0[left..]);
        self.0.truncate(left);
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes, redacted]", self.0.len())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The lines of a stream of events, put together from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Buffer,
    /// How far it has been searched for a line's end.
    searched: usize,
}

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.buffer.push(bytes)
    }

    /// Returns the next whole line's value, if one has arrived. Empty lines are passed over.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Option<Result<T, ClientError>> {
        loop {
            let bytes = self.buffer.as_slice();
            let Some(found) = bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = bytes.len();
                return None;
            };
            let end = self.searched + found;
            let line = bytes[..end].trim_ascii();
            let value = (!line.is_empty()).then(|| json(line));
            self.buffer.remove_front(end + 1);
            self.searched = 0;
            if value.is_some() {
                return value;
            }
        }
    }
}

/// Reads a value; what failed to parse is not repeated, it may hold a token.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = if error.is_data() { "not the JSON expected" } else { "not JSON" };
        ClientError::Protocol(format!("{what} (line {line}, column {column})"))
    })
}

/// Returns the failure a status and its body stand for.
pub(crate) fn failure(status: u16, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => body.with_status(status).into(),
        Err(_) => ClientError::Protocol(format!("status {status} without an error body")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let text = b"{\"a\":1}\n\n {\"b\":2}\r\nnot json\n{\"c\":3}";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut got: Vec<Option<Value>> = Vec::new();
            for piece in text.chunks(size) {
                lines.push(piece).unwrap();
                while let Some(line) = lines.next() {
                    got.push(line.ok());
                }
            }
            assert_eq!(got, [Some(json!({"a": 1})), Some(json!({"b": 2})), None], "{size}");
        }
    }

    #[test]
    fn what_failed_to_parse_is_not_repeated() {
        let error = super::json::<u8>(b"{\"access_token\":\"secret\"}").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn a_line_that_never_ends_is_an_error() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1024 * 1024];
        let pushed = (0..5).try_for_each(|_| lines.push(&piece));
        assert!(matches!(pushed, Err(ClientError::Protocol(_))));
    }

    #[test]
    fn a_failure_without_a_body_tells_the_status() {
        assert_eq!(failure(404, br#"{"error":"not_found","error_description":"x"}"#).exit_code(), 1);
        assert_eq!(failure(401, br#"{"error":"x_grease","error_description":"x"}"#).exit_code(), 3);
        assert!(failure(500, b"<html>").to_string().contains("500"));
    }
}
