//! Bytes that are no HTTP answer.

use crate::case::Outcome::NoAnswer;
use crate::case::{ALL, Case, TOKEN, case, raw};

pub(super) fn rows() -> Vec<Case> {
    BYTES.iter().map(|(name, bytes)| case(ALL, *name, raw(bytes), NoAnswer("provider_unreachable"))).collect()
}

/// A name, and what comes before the connection ends.
const BYTES: &[(&str, &str)] = &[
    ("nothing at all", ""),
    ("cut in the status line", "HTTP/1."),
    ("cut after the status line", "HTTP/1.1 200 OK\r\n"),
    ("cut in the head", "HTTP/1.1 200 OK\r\ncontent-ty"),
    ("another protocol", "SSH-2.0-OpenSSH_9.7\r\n"),
    ("HTTP/0.9", "<html>hello</html>"),
    ("HTTP/0.9 with JSON", TOKEN),
    ("a request", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    ("a TLS alert", "\x15\x03\x01\x00\x02\x02\x28"),
    ("the frames of HTTP/2", "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x7f"),
    ("version 3", "HTTP/3.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("a version of letters", "HTTP/x.y 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("a status of four digits", "HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n"),
    ("a negative status", "HTTP/1.1 -200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("status zero", "HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"),
    ("no status", "HTTP/1.1  OK\r\ncontent-length: 0\r\n\r\n"),
    ("a header without a colon", "HTTP/1.1 200 OK\r\nhello\r\ncontent-length: 0\r\n\r\n"),
    ("a header without a name", "HTTP/1.1 200 OK\r\n: hello\r\n\r\n"),
    ("a header with NUL in it", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"),
    ("a header name with a space in it", "HTTP/1.1 200 OK\r\nx y: a\r\ncontent-length: 0\r\n\r\n"),
    ("a folded header", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n"),
    ("a bare carriage return", "HTTP/1.1 200 OK\rx: a\r\n\r\n"),
    ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x"),
    ("a negative length", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}"),
    ("a length of letters", "HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}"),
    ("a length beyond all numbers", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n{}"),
    ("the largest length", "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n{}"),
    ("less than announced", "HTTP/1.1 200 OK\r\ncontent-length: 4096\r\n\r\n{\"access_token\":"),
    ("a chunk of letters", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n"),
    ("a negative chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"),
    ("a chunk beyond all numbers", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}"),
    ("a chunk cut short", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{}"),
    ("no last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    ("a chunk longer than it says", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"),
];
