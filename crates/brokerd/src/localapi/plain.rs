//! A request for a token as clients send it, as a rule, and its answer: whole, in one piece, and nothing unusual about it.
//!
//! hyper is for everything else, and for the same request wherever this is not sure of it; who asks cannot tell one from
//! the other.

use std::sync::Arc;

use broker_ipc::api::{JSON, VERSION_HEADER};
use broker_ipc::wipe::wipe;
use httparse::{EMPTY_HEADER, Request, Status};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::{guard, token};
use crate::audit::Client;
use crate::broker::Broker;

/// What it begins with.
const FIRST_LINE: &[u8] = b"POST /v1/token HTTP/1.1\r\n";
/// Fields of a head.
const MAX_FIELDS: usize = 16;
/// Room for an answer's head.
const HEAD_ROOM: usize = 256;

/// An answer as it goes over the wire.
pub(crate) struct Answer {
    /// Its last bytes.
    buffer: Vec<u8>,
    begin: usize,
    /// The connection ends with it.
    pub(crate) close: bool,
}

impl Answer {
    /// What has not been sent yet.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.buffer[self.begin..]
    }

    /// So many bytes of it have been.
    pub(crate) fn sent(&mut self, count: usize) {
        self.begin += count;
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        wipe(&mut self.buffer);
    }
}

/// Answers a request that is plain and for a token at hand. `None`: it is not, and nothing has been done.
pub(crate) fn answer(broker: &Arc<Broker>, client: &Arc<Client>, bytes: &[u8]) -> Option<Answer> {
    let Plain { body, close } = Plain::read(bytes)?;
    let mut answer = token::at_once(broker, client, body, |token| {
        let mut buffer = Vec::with_capacity(HEAD_ROOM + token.encoded_len());
        buffer.resize(HEAD_ROOM, 0);
        token.write_json(&mut buffer);
        buffer.push(b'\n');
        Answer { buffer, begin: HEAD_ROOM, close }
    })?;
    let head = head(answer.unsent().len(), close, broker.clock.now());
    // In the room before the body, whose length it had to know. The longest head fits, as a test shows: a line says already
    // that the token went out.
    answer.begin = HEAD_ROOM.checked_sub(head.len())?;
    answer.buffer[answer.begin..HEAD_ROOM].copy_from_slice(head.as_bytes());
    tracing::debug!(method = %http::Method::POST, path = "/v1/token", status = 200, pid = client.peer.pid, "request");
    Some(answer)
}

/// A head like those that hyper writes for us.
fn head(length: usize, close: bool, now: Timestamp) -> String {
    let mut head = String::with_capacity(HEAD_ROOM);
    for part in ["HTTP/1.1 200 OK\r\ncontent-type: ", JSON, "\r\ncache-control: no-store\r\n"] {
        head.push_str(part);
    }
    for part in [VERSION_HEADER, ": ", env!("CARGO_PKG_VERSION"), "\r\n"] {
        head.push_str(part);
    }
    head.push_str(if close { "connection: close\r\n" } else { "" });
    for part in ["content-length: ", &length.to_string(), "\r\ndate: "] {
        head.push_str(part);
    }
    // RFC 9110 §6.6.1. A year beyond 9999 has none, and no clock is there yet.
    DateTimePrinter::new().print_timestamp_rfc9110(&now, &mut head).ok();
    head.push_str("\r\n\r\n");
    head
}

/// A plain request.
#[derive(Debug, PartialEq, Eq)]
struct Plain<'b> {
    body: &'b [u8],
    close: bool,
}

impl<'b> Plain<'b> {
    /// Reads one; `None` where it is not whole, more than one, for something else, or has a field that is not known to mean
    /// nothing here.
    fn read(bytes: &'b [u8]) -> Option<Self> {
        // Before it is parsed: httparse passes over empty lines ahead of a request, which are counted elsewhere.
        if !bytes.starts_with(FIRST_LINE) {
            return None;
        }
        let mut fields = [EMPTY_HEADER; MAX_FIELDS];
        let mut request = Request::new(&mut fields);
        let Ok(Status::Complete(head)) = request.parse(bytes) else { return None };
        let (head, body) = bytes.split_at(head);
        if !head.ends_with(b"\r\n\r\n") {
            return None;
        }
        let (mut host, mut kind, mut length, mut connection) = (None, None, None, None);
        for field in &*request.headers {
            // What `HeaderValue` takes for text.
            let is_text = field.value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
            let value = std::str::from_utf8(field.value).ok().filter(|_| is_text)?;
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            let known = match () {
                () if is("host") => &mut host,
                () if is("content-type") => &mut kind,
                () if is("content-length") => &mut length,
                () if is("connection") => &mut connection,
                () if ["accept", "accept-encoding", "user-agent"].into_iter().any(is) => continue,
                () => return None,
            };
            // Twice is for hyper to judge.
            if known.replace(value).is_some() {
                return None;
            }
        }
        let close = match connection {
            None => false,
            Some(option) if option.eq_ignore_ascii_case("keep-alive") => false,
            Some(option) if option.eq_ignore_ascii_case("close") => true,
            Some(_) => return None,
        };
        let length = length?;
        let whole = length.bytes().all(|byte| byte.is_ascii_digit()) && length.parse() == Ok(body.len());
        (guard::is_ours(host?) && guard::is_json(kind?) && whole).then_some(Self { body, close })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 4] =
        ["POST /v1/token HTTP/1.1", "Host: brokerd", "Content-Type: application/json", "Content-Length: 2"];

    fn read(lines: &[&str], body: &str) -> Option<bool> {
        let text = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
        let plain = Plain::read(text.as_bytes())?;
        assert_eq!(plain.body, body.as_bytes());
        Some(plain.close)
    }

    #[test]
    fn the_longest_head_has_room() {
        let head = head(usize::MAX, true, Timestamp::UNIX_EPOCH);
        assert!(head.ends_with("GMT\r\n\r\n") && head.len() <= HEAD_ROOM, "{head}");
    }

    #[test]
    fn what_clients_send_is_plain() {
        assert_eq!(read(&LINES, "{}"), Some(false));
        for (field, close) in [
            ("user-agent: Go-http-client/1.1", false),
            ("Accept: */*", false),
            ("Accept-Encoding: gzip, deflate", false),
            ("Connection: keep-alive", false),
            ("Connection: Close", true),
        ] {
            assert_eq!(read(&[&LINES[..], &[field]].concat(), "{}"), Some(close), "{field}");
        }
        let other = |index: usize, line: &'static str| {
            let mut lines = LINES;
            lines[index] = line;
            read(&lines, "{}")
        };
        assert_eq!(other(1, "HOST:localhost"), Some(false));
        assert_eq!(other(2, "content-type: application/json; charset=utf-8"), Some(false));
    }

    #[test]
    fn what_is_not_plain_is_for_hyper() {
        let other = |index: usize, line: &'static str| {
            let mut lines = LINES;
            lines[index] = line;
            read(&lines, "{}")
        };
        for (index, line) in [
            (0, "GET /v1/token HTTP/1.1"),
            (0, "POST /v1/token?a HTTP/1.1"),
            (0, "POST /v1/token HTTP/1.0"),
            (0, "POST http://brokerd/v1/token HTTP/1.1"),
            (0, "POST /v1/login HTTP/1.1"),
            (1, "Host: evil.example"),
            (1, "Accept: */*"),
            (2, "Content-Type: text/plain"),
            (2, "Content-Type: application/json\u{a0}"),
            (2, "Content-Type: application/json; charset=é"),
            (2, "Accept: */*"),
            (3, "Content-Length: 1"),
            (3, "Content-Length: 3"),
            (3, "Content-Length: +2"),
            (3, "Content-Length: 2, 2"),
            (3, "Transfer-Encoding: chunked"),
        ] {
            assert_eq!(other(index, line), None, "{line}");
        }
        for field in [
            "Origin: https://evil.example",
            "Referer: https://evil.example/",
            "Expect: 100-continue",
            "Transfer-Encoding: chunked",
            "Connection: upgrade",
            "Content-Length: 2",
            "Host: brokerd",
            "X: y",
        ] {
            assert_eq!(read(&[&LINES[..], &[field]].concat(), "{}"), None, "{field}");
        }
        let text = format!("{}\r\n\r\n{{}}", LINES.join("\r\n"));
        for end in 0..text.len() {
            assert_eq!(Plain::read(&text.as_bytes()[..end]), None, "a part of one");
        }
        assert_eq!(Plain::read(text.repeat(2).as_bytes()), None, "two");
        assert_eq!(Plain::read(format!("\r\n\r\n{text}").as_bytes()), None, "after empty lines");
        assert_eq!(Plain::read(text.replace("\r\n", "\n").as_bytes()), None, "bare line feeds");
    }
}
