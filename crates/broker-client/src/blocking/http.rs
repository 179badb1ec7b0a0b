//! Reads HTTP/1.1 answers (RFC 9112): what a thin client needs and no more, everything bounded.
//!
//! 1. The head: by httparse, at most [`MAX_HEAD`] bytes and [`MAX_HEADERS`] fields; interim answers (1xx) are passed over.
//! 2. The body's length (§6.3): none for 204 and 304; `chunked`; `Content-Length`, once and a number; else until the end.
//! 3. Chunks (§7.1): extensions and trailers are read over.

use std::io::{ErrorKind, Read};

use broker_ipc::api::{MAX_HEAD, NDJSON};
use broker_ipc::wipe::wipe;

use crate::answer::{Buffer, MAX_ANSWER};
use crate::error::ClientError;

/// Most header fields an answer may have.
const MAX_HEADERS: usize = 64;
/// Longest line of a chunked body's framing: a size with its extensions, or a trailer.
const MAX_CHUNK_LINE: usize = 4096;
/// What is read at once: a token's answer and its head, as a rule.
const FIRST_READ: usize = 4096;

/// What an answer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Whether the body is a stream of events.
    pub(super) is_stream: bool,
    pub(super) body: Body,
    close: bool,
}

impl Head {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns whether the connection can take another request once the body has been read.
    pub(super) fn keeps_alive(&self) -> bool {
        !self.close && self.body != Body::UntilClose
    }
}

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    /// Within a chunk, so many bytes of it; `first` before the first one.
    Chunk { left: u64, first: bool },
    /// All there is.
    UntilClose,
    /// Nothing.
    Done,
}

/// Reads answers from a stream through one buffer.
pub(super) struct Reader<S> {
    stream: S,
    /// Read, and not yet taken: `buffer[start..end]`. May hold a token.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<S: Read> Reader<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, end: 0 }
    }

    pub(super) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Reads the head of the next answer.
    pub(super) fn head(&mut self) -> Result<Head, ClientError> {
        loop {
            if let Some((length, head)) = parse(self.unread())? {
                self.start += length;
                // An interim answer says that the real one is to come (RFC 9110 §15.2).
                if head.status >= 200 {
                    return Ok(head);
                }
            } else if self.unread().len() >= MAX_HEAD {
                return Err(ClientError::Protocol("its head is too long".to_owned()));
            } else {
                self.fill(MAX_HEAD)?;
            }
        }
    }

    /// Reads a whole body, and returns what `read` makes of it. One that came with its head, as a token's does, is not copied.
    pub(super) fn whole<T>(&mut self, mut body: Body, read: impl FnOnce(&[u8]) -> T) -> Result<T, ClientError> {
        let expected = match body {
            Body::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => FIRST_READ,
        };
        if matches!(body, Body::Length(_)) && expected <= self.unread().len() {
            let whole = &mut self.buffer[self.start..self.start + expected];
            let value = read(whole);
            wipe(whole);
            self.start += expected;
            return Ok(value);
        }
        let mut whole = Buffer::with_capacity(expected.min(MAX_ANSWER));
        while self.piece(&mut body, &mut |bytes| whole.push(bytes))? {}
        Ok(read(whole.as_slice()))
    }

    /// Hands what has arrived of a body to `into`, waiting for some if there is none; `false` at its end.
    pub(super) fn piece(
        &mut self,
        body: &mut Body,
        into: &mut dyn FnMut(&[u8]) -> Result<(), ClientError>,
    ) -> Result<bool, ClientError> {
        match *body {
            Body::Done => return Ok(false),
            Body::Chunk { left: 0, first } => {
                *body = self.chunk_head(first)?;
                return Ok(*body != Body::Done);
            }
            Body::Length(0) => {
                *body = Body::Done;
                return Ok(false);
            }
            Body::Chunk { .. } | Body::Length(_) | Body::UntilClose => {}
        }
        if self.unread().is_empty() && !self.fill_or_end()? {
            if *body == Body::UntilClose {
                *body = Body::Done;
                return Ok(false);
            }
            return Err(ClientError::lost());
        }
        let taken = self.take(body);
        let piece = &mut self.buffer[self.start..self.start + taken];
        into(piece)?;
        wipe(piece);
        self.start += taken;
        Ok(true)
    }

    /// Counts what of the unread bytes is the body's, and notes that it is taken.
    fn take(&self, body: &mut Body) -> usize {
        let available = self.unread().len();
        let (Body::Length(left) | Body::Chunk { left, .. }) = body else {
            return available;
        };
        let taken = usize::try_from(*left).map_or(available, |left| available.min(left));
        *left -= taken as u64;
        taken
    }

    /// Reads a chunk's size, and what follows the last one.
    fn chunk_head(&mut self, first: bool) -> Result<Body, ClientError> {
        let malformed = || ClientError::Protocol("its chunks are malformed".to_owned());
        if !first && !self.line()?.is_empty() {
            return Err(malformed());
        }
        let line = self.line()?;
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let digits = std::str::from_utf8(digits).map_err(|_| malformed())?;
        // `from_str_radix` would take a sign.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        let left = u64::from_str_radix(digits, 16).map_err(|_| malformed())?;
        if left > 0 {
            return Ok(Body::Chunk { left, first: false });
        }
        for _ in 0..=MAX_HEADERS {
            if self.line()?.is_empty() {
                return Ok(Body::Done);
            }
        }
        Err(malformed())
    }

    /// Reads one line of framing, without its end.
    fn line(&mut self) -> Result<Vec<u8>, ClientError> {
        loop {
            if let Some(end) = self.unread().iter().position(|byte| *byte == b'\n') {
                let line = &self.unread()[..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                self.start += end + 1;
                return Ok(line);
            }
            if self.unread().len() >= MAX_CHUNK_LINE {
                return Err(ClientError::Protocol("its chunks are malformed".to_owned()));
            }
            self.fill(MAX_CHUNK_LINE)?;
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads more behind what is unread, which may be up to `most` long.
    fn fill(&mut self, most: usize) -> Result<(), ClientError> {
        debug_assert!(self.unread().len() < most, "the caller checks its bound first");
        if self.fill_or_end()? { Ok(()) } else { Err(ClientError::lost()) }
    }

    /// Reads more; `false` when the stream has ended.
    fn fill_or_end(&mut self) -> Result<bool, ClientError> {
        self.make_room();
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.end += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves what is unread to the front, and grows a buffer that is full of it.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let mut grown = vec![0; FIRST_READ.max(self.buffer.len() * 2)];
            grown[..self.end].copy_from_slice(&self.buffer[..self.end]);
            wipe(&mut self.buffer);
            self.buffer = grown;
        }
    }
}

impl<S> Drop for Reader<S> {
    fn drop(&mut self) {
        wipe(&mut self.buffer);
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the buffer: it may hold a token.
        f.debug_struct("Reader").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Reads a head, if it is all there; with its length.
fn parse(bytes: &[u8]) -> Result<Option<(usize, Head)>, ClientError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut fields);
    let protocol = |what: &str| ClientError::Protocol(format!("its head is malformed: {what}"));
    let length = match answer.parse(bytes).map_err(|error| protocol(&error.to_string()))? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) if length > MAX_HEAD => {
            return Err(protocol("it is too long"));
        }
        httparse::Status::Complete(length) => length,
    };
    let status = answer.code.unwrap_or_default();
    let mut head = Head { status, is_stream: false, body: Body::UntilClose, close: answer.version == Some(0) };
    let mut content_length = None;
    let mut chunked = false;
    for field in answer.headers.iter() {
        let value = field.value.trim_ascii();
        match field.name {
            name if name.eq_ignore_ascii_case("content-length") => {
                let number = decimal(value).filter(|_| content_length.is_none());
                content_length = Some(number.ok_or_else(|| protocol("content-length"))?);
            }
            name if name.eq_ignore_ascii_case("transfer-encoding") => {
                chunked = value.eq_ignore_ascii_case(b"chunked");
                if !chunked {
                    return Err(protocol("transfer-encoding"));
                }
            }
            name if name.eq_ignore_ascii_case("content-type") => {
                head.is_stream = value.to_ascii_lowercase().starts_with(NDJSON.as_bytes());
            }
            name if name.eq_ignore_ascii_case("connection") => {
                head.close |= value.eq_ignore_ascii_case(b"close");
            }
            _ => {}
        }
    }
    head.body = match (status, chunked, content_length) {
        (100..200 | 204 | 304, ..) => Body::Done,
        // Both at once is how answers are smuggled (RFC 9112 §6.3).
        (_, true, Some(_)) => return Err(protocol("two lengths")),
        (_, true, None) => Body::Chunk { left: 0, first: true },
        (_, false, Some(length)) => Body::Length(length),
        (_, false, None) => Body::UntilClose,
    };
    Ok(Some((length, head)))
}

/// Reads a number that is nothing but digits.
fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(bytes).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests;
