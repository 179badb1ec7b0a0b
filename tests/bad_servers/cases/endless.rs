//! Answers that never end, drip, or go on after their end.

use std::time::Duration;

use support::fake_as::{Fault, Piece, Raw};

use crate::case::Outcome::{self, NoAnswer, Used};
use crate::case::Stage::Refresh;
use crate::case::{ALL, Case, JSON, OBJECTS, TOKEN, case, raw, raw_then};

const SECOND: Duration = Duration::from_secs(1);
const UNREACHABLE: Outcome = NoAnswer("provider_unreachable");
const NOT_OAUTH: Outcome = NoAnswer("provider_error");
/// A status line.
const OK: &str = "HTTP/1.1 200 OK\r\n";

pub(super) fn rows() -> Vec<Case> {
    [heads(), bodies()].into_iter().flatten().collect()
}

fn chunked() -> String {
    format!("{OK}{JSON}transfer-encoding: chunked\r\n\r\n")
}

/// The answer itself never comes.
fn heads() -> Vec<Case> {
    let chunked = chunked();
    vec![
        case(ALL, "silence", Fault::Raw(Raw(vec![Piece::Silence])), UNREACHABLE),
        case(
            ALL,
            "silence after the head",
            raw_then(format!("{OK}content-length: 9\r\n\r\n"), Piece::Silence),
            UNREACHABLE,
        ),
        case(ALL, "silence in a chunk", raw_then(format!("{chunked}ff\r\n{{"), Piece::Silence), UNREACHABLE),
        case(ALL, "a head in drips", raw_then(OK, Piece::Drip(b"x: y\r\n".to_vec(), 60, SECOND)), UNREACHABLE),
        case(ALL, "a body in drips", raw_then(&chunked, Piece::Drip(b"1\r\n \r\n".to_vec(), 60, SECOND)), UNREACHABLE),
        case(ALL, "ten thousand headers", raw_then(OK, Piece::Flood(b"x: y\r\n".to_vec(), 10_000)), UNREACHABLE),
        case(
            ALL,
            "a header of a mebibyte",
            raw_then(format!("{OK}x: "), Piece::Flood(vec![b'y'; 1024], 1024)),
            UNREACHABLE,
        ),
        case(
            ALL,
            "a status line of a mebibyte",
            raw_then("HTTP/1.1 200 ", Piece::Flood(vec![b'y'; 1024], 1024)),
            UNREACHABLE,
        ),
        case(
            ALL,
            "a flood of interim answers",
            Fault::Raw(Raw(vec![Piece::Flood(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), 2000), Piece::Silence])),
            UNREACHABLE,
        ),
        case(
            ALL,
            "early hints without end",
            Fault::Raw(Raw(vec![Piece::Drip(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_vec(), 60, SECOND)])),
            UNREACHABLE,
        ),
        case(
            ALL,
            "a chunk extension without end",
            raw_then(format!("{chunked}2;"), Piece::Flood(vec![b'x'; 1024], 1024)),
            UNREACHABLE,
        ),
        case(
            ALL,
            "trailers without end",
            raw_then(format!("{chunked}2\r\n{{}}\r\n0\r\n"), Piece::Flood(b"x: y\r\n".to_vec(), 20_000)),
            UNREACHABLE,
        ),
    ]
}

/// It comes, and is too much.
fn bodies() -> Vec<Case> {
    let chunked = chunked();
    let chunk = [b"8000\r\n", vec![b' '; 0x8000].as_slice(), b"\r\n"].concat();
    vec![
        case(
            ALL,
            "a body of a gibibyte, announced",
            raw_then(format!("{OK}content-length: 1073741824\r\n\r\n"), Piece::Flood(vec![b' '; 64 * 1024], 256)),
            NOT_OAUTH,
        ),
        case(ALL, "a body without end, in chunks", raw_then(&chunked, Piece::Flood(chunk, 256)), NOT_OAUTH),
        case(
            ALL,
            "a body without end and length",
            raw_then(format!("{OK}\r\n"), Piece::Flood(vec![b'['; 64 * 1024], 256)),
            NOT_OAUTH,
        ),
        case(
            OBJECTS,
            "an unknown coding",
            raw("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked, x\r\n\r\n{}"),
            NOT_OAUTH,
        ),
        // RFC 7009 §2.2: a revocation's success has no body to speak of.
        case(OBJECTS, "more than announced", raw(format!("{OK}{JSON}content-length: 9\r\n\r\n{TOKEN}")), NOT_OAUTH),
        case(
            ALL,
            "another protocol from here on",
            raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"),
            NOT_OAUTH,
        ),
        case(
            &[Refresh],
            "two answers to one request",
            raw(format!("{OK}{JSON}content-length: {0}\r\n\r\n{TOKEN}{OK}content-length: 2\r\n\r\n{{}}", TOKEN.len())),
            Used,
        ),
        case(
            &[Refresh],
            "an interim answer first",
            raw(format!("HTTP/1.1 100 Continue\r\n\r\n{OK}{JSON}content-length: {}\r\n\r\n{TOKEN}", TOKEN.len())),
            Used,
        ),
    ]
}
