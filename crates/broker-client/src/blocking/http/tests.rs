//! The reader against whole, split, chunked, endless and broken answers.

use std::io::Read;

use super::*;

/// Hands out so many bytes at a time.
struct Slow<'a> {
    bytes: &'a [u8],
    at_once: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = self.at_once.min(self.bytes.len()).min(buf.len());
        buf[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

/// Reads one answer: its status, its body, and whether the connection may be kept.
fn read(bytes: &[u8], at_once: usize) -> Result<(u16, Vec<u8>, bool), ClientError> {
    let mut reader = Reader::new(Slow { bytes, at_once });
    let head = reader.head()?;
    let body = reader.whole(head.body, <[u8]>::to_vec)?;
    Ok((head.status, body, head.keeps_alive()))
}

#[test]
fn answers_are_read_whatever_the_pieces() {
    let table: &[(&str, (u16, &str, bool))] = &[
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", (200, "body", true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodymore", (200, "body", true)),
        ("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", (200, "", true)),
        ("HTTP/1.1 204 No Content\r\n\r\n", (204, "", true)),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", (200, "x", false)),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", (200, "until the end", false)),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", (200, "x", false)),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}", (401, "{}", true)),
        (
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
            (202, "abc0123456789", true),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", (200, "", true)),
    ];
    for (text, (status, body, keep)) in table {
        for at_once in [1, 2, 3, 7, 64, 4096] {
            let (got_status, got_body, got_keep) = read(text.as_bytes(), at_once).unwrap();
            assert_eq!(got_status, *status, "{text:?}");
            assert_eq!(String::from_utf8(got_body).unwrap(), *body, "{text:?} by {at_once}");
            assert_eq!(got_keep, *keep, "{text:?}");
        }
    }
}

#[test]
fn what_was_read_is_overwritten() {
    let secret = "secret".repeat(900);
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{secret}\r\n0\r\n\r\n", secret.len());
    for body in ["Content-Length: 6\r\n\r\nsecret", &format!("Content-Length: 5400\r\n\r\n{secret}"), &chunked] {
        let text = format!("HTTP/1.1 200 OK\r\n{body}HTTP/1.1");
        for at_once in [1, 100, 4096, usize::MAX] {
            let mut reader = Reader::new(Slow { bytes: text.as_bytes(), at_once });
            let head = reader.head().unwrap();
            assert!(reader.whole(head.body, |body| body.starts_with(b"secret")).unwrap());
            let left = String::from_utf8_lossy(&reader.buffer);
            assert!(!left.contains("ecre"), "{at_once}: {left}");
            assert!("HTTP/1.1".as_bytes().starts_with(reader.unread()), "what follows is not");
        }
    }
}

#[test]
fn a_body_larger_than_the_buffer_is_read() {
    let body = "x".repeat(100_000);
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(read(text.as_bytes(), 1000).unwrap().1, body.as_bytes());
    let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    assert_eq!(read(text.as_bytes(), usize::MAX).unwrap().1, body.as_bytes());
}

#[test]
fn what_is_no_answer_is_an_error() {
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table = [
        "garbage\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        format!("{head}Content-Length: x\r\n\r\n"),
        format!("{head}Content-Length: +1\r\n\r\nx"),
        format!("{head}Content-Length: -1\r\n\r\n"),
        format!("{head}Content-Length: 99999999999999999999\r\n\r\n"),
        format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        format!("{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        format!("{head}Transfer-Encoding: gzip\r\n\r\n"),
        format!("{head}{}\r\n", "X: y\r\n".repeat(MAX_HEADERS + 1)),
        format!("{head}X: {}\r\n\r\n", "y".repeat(2 * MAX_HEAD)),
        format!("{head}X: {}", "y".repeat(2 * MAX_HEAD)),
        format!("{head}Content-Length: {}\r\n\r\n{}", MAX_ANSWER + 1, "x".repeat(MAX_ANSWER + 1)),
        format!("{chunked}x\r\n"),
        format!("{chunked}\r\n"),
        format!("{chunked}+1\r\nx\r\n0\r\n\r\n"),
        format!("{chunked}ffffffffffffffffff\r\n"),
        format!("{chunked}1\r\nxy\r\n0\r\n\r\n"),
        format!("{chunked}{}", "1".repeat(2 * MAX_CHUNK_LINE)),
        format!("{chunked}0\r\n{}", "X: y\r\n".repeat(MAX_HEADERS + 2)),
        format!("{chunked}{}", format!("{:x}\r\n{}\r\n", 65536, "x".repeat(65536)).repeat(65)),
    ];
    for text in table {
        for at_once in [1, 4096] {
            if at_once == 1 && text.len() > 10_000 {
                continue;
            }
            let got = read(text.as_bytes(), at_once);
            let start: String = text.chars().take(80).collect();
            assert!(matches!(got, Err(ClientError::Protocol(_))), "{start:?}: {got:?}");
        }
    }
}

#[test]
fn an_answer_that_stops_is_lost_wherever_it_stops() {
    let whole = [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ];
    for text in whole {
        for end in 0..text.len() {
            let got = read(&text.as_bytes()[..end], 5);
            assert!(got.as_ref().is_err_and(ClientError::is_loss), "{end}: {got:?}");
        }
    }
}

#[test]
fn two_answers_follow_each_other() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nb";
    for at_once in [1, 10, 4096] {
        let mut reader = Reader::new(Slow { bytes: text, at_once });
        for (status, body) in [(200, b"a"), (404, b"b")] {
            let head = reader.head().unwrap();
            assert_eq!(head.status, status);
            assert_eq!(reader.whole(head.body, <[u8]>::to_vec).unwrap(), body);
        }
    }
}

#[test]
fn the_buffer_is_not_shown() {
    let reader = Reader { stream: (), buffer: b"secret".to_vec(), start: 0, end: 6 };
    let shown = format!("{reader:?}");
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
}
