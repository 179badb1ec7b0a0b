//! As much HTTP/1.1 as one small request and its answer take: the head is bounded in size and time, a body is not read, and
//! the connection ends with the answer.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;

/// Largest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Most header fields.
const MAX_HEADERS: usize = 64;

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value; none where it stands twice, which nobody honest does.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let first = found.next()?;
        Some(if found.next().is_some() { "" } else { first })
    }

    /// A parameter of the query; an empty one is none.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// Reads a request. The patience is for each read, of which there are few: a head that drips is cut off by its size.
pub(super) fn read(stream: &mut TcpStream, patience: Duration) -> io::Result<Result<Request, Response>> {
    const MOST_READS: u32 = 16;
    stream.set_read_timeout(Some(patience / MOST_READS * 4))?;
    let mut head = Zeroizing::new(Vec::with_capacity(MAX_HEAD));
    for _ in 0..MOST_READS {
        let mut piece = Zeroizing::new([0; 4096]);
        let count = stream.read(&mut *piece)?;
        head.extend_from_slice(&piece[..count]);
        if count == 0 || head.len() > MAX_HEAD {
            break;
        }
        if let Some(request) = parse(&head) {
            return Ok(request);
        }
    }
    Ok(Err(Response::error(400, "the request is not one of HTTP/1.1, or too large")))
}

/// `None`: there is more to come.
fn parse(head: &[u8]) -> Option<Result<Request, Response>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    let bad = || Some(Err(Response::error(400, "the request is malformed")));
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return bad(),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return bad() };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query: Option<Vec<_>> = pairs.map(|(name, value)| Some((decoded(name)?, decoded(value)?))).collect();
    let header = |field: &httparse::Header<'_>| {
        Some((field.name.to_ascii_lowercase(), std::str::from_utf8(field.value).ok()?.to_owned()))
    };
    let headers: Option<Vec<_>> = parsed.headers.iter().map(header).collect();
    let (Some(query), Some(headers)) = (query, headers) else { return bad() };
    Some(Ok(Request { method: method.to_owned(), path: path.to_owned(), query, headers }))
}

/// Undoes `application/x-www-form-urlencoded`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                // `from_str_radix` would take a sign.
                u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// An answer.
pub(super) struct Response {
    status: u16,
    kind: &'static str,
    /// One more header, whole.
    more: &'static str,
    body: Zeroizing<String>,
}

impl Response {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, kind: "application/json", more: "", body: Zeroizing::new(value.to_string()) }
    }

    pub(super) fn text(text: &str) -> Self {
        Self { status: 200, kind: "text/plain", more: "", body: Zeroizing::new(text.to_owned()) }
    }

    /// A failure, in the shape that App Service gives it.
    pub(super) fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({"statusCode": status, "message": message});
        Self { status, ..Self::json(&body) }
    }

    /// The method is not one that is answered (RFC 9110 §15.5.6).
    pub(super) fn only_get() -> Self {
        Self::error(405, "only GET is answered").with("allow: GET\r\n")
    }

    /// Adds a header.
    pub(super) fn with(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    pub(super) fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let (status, kind, more, length) = (self.status, self.kind, self.more, self.body.len());
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
             {more}connection: close\r\n\r\n"
        );
        let mut whole = Zeroizing::new(Vec::with_capacity(head.len() + length));
        whole.extend_from_slice(head.as_bytes());
        whole.extend_from_slice(self.body.as_bytes());
        stream.write_all(&whole)?;
        stream.shutdown(std::net::Shutdown::Write)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
    }

    proptest! {
        /// What any program on this machine may send.
        #[test]
        fn bytes_are_refused_or_are_a_request(start in "(GET |POST /\\?|)", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let head = [start.as_bytes(), &bytes, b" HTTP/1.1\r\n\r\n"].concat();
            if let Some(Ok(request)) = parse(&head) {
                prop_assert!(!request.path.contains(['?', ' ', '\r', '\n', '\0']), "{:?}", request.path);
                prop_assert!(!request.method.is_empty());
            }
        }

        /// It is read once it is whole, and means then what it says.
        #[test]
        fn a_request_is_one_when_it_is_whole(
            path in "/[a-z/]{0,20}",
            query in prop::collection::btree_map("[a-z]{1,8}", any::<String>(), 1..4),
            value in "[!-~]{1,20}",
            (at, byte) in (any::<prop::sample::Index>(), any::<u8>()),
        ) {
            let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            let mut head = format!("GET {path}?{} HTTP/1.1\r\nX-A: {value}\r\n\r\n", pairs.join("&")).into_bytes();
            let Some(Ok(request)) = parse(&head) else { panic!("{head:?}") };
            prop_assert_eq!((&request.path, request.header("x-a")), (&path, Some(value.as_str())));
            for (name, value) in &query {
                prop_assert_eq!(request.parameter(name), Some(value.as_str()).filter(|value| !value.is_empty()));
            }
            for end in 0..head.len() {
                prop_assert!(parse(&head[..end]).is_none(), "whole after {end} of {} bytes", head.len());
            }
            let at = at.index(head.len());
            head[at] = byte;
            drop(parse(&head));
        }
    }

    #[test]
    fn requests_are_read_and_garbage_is_not() {
        let text = b"GET /msi/token?resource=https%3A%2F%2Fx.test%2F&a+b=%C3%A9&empty= HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
        let request = parse(text).unwrap().ok().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/msi/token"));
        assert_eq!(request.parameter("resource"), Some("https://x.test/"));
        assert_eq!((request.parameter("a b"), request.parameter("empty")), (Some("é"), None));
        assert_eq!((request.header("host"), request.header("x-a"), request.header("x-b")), (Some("h"), Some(""), None));
        assert!(parse(b"GET / HTTP/1.1\r\nHost: h\r\n").is_none());
        for bad in [
            "GET /?a=%zz HTTP/1.1\r\n\r\n",
            "GET /?a=%+1 HTTP/1.1\r\n\r\n",
            "GET /?%ff HTTP/1.1\r\n\r\n",
            "\u{1} / HTTP/1.1\r\n\r\n",
            "G\r\n\r\n",
        ] {
            assert!(parse(bad.as_bytes()).unwrap().is_err(), "{bad:?}");
        }
    }
}
