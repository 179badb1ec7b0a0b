//! Bodies that are no JSON object, or one that is a burden.

use crate::case::Outcome::{NoAnswer, Used};
use crate::case::Stage::Refresh;
use crate::case::{Case, OBJECTS, TOKEN, body, case, status};

pub(super) fn rows() -> Vec<Case> {
    let open = &TOKEN[..TOKEN.len() - 1];
    let more = |member: String| format!("{open},{member}}}");
    let utf16: Vec<u8> = TOKEN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = [open.as_bytes(), b",\"x\":\"", &[0xe9, 0xff], b"\"}"].concat();
    let nots: Vec<(&str, Vec<u8>)> = vec![
        ("no body", Vec::new()),
        ("a space", b" ".to_vec()),
        ("null", b"null".to_vec()),
        ("true", b"true".to_vec()),
        ("a number", b"200".to_vec()),
        ("a string", b"\"access_token=made-up-token\"".to_vec()),
        ("an array", format!("[{TOKEN}]").into()),
        ("an empty object", b"{}".to_vec()),
        ("a cut object", open.into()),
        ("two objects", format!("{TOKEN}{TOKEN}").into()),
        ("a line of JSON and another", format!("{TOKEN}\n{TOKEN}\n").into()),
        ("a byte order mark", format!("\u{feff}{TOKEN}").into()),
        ("UTF-16", utf16),
        ("Latin-1", latin1),
        ("single quotes", TOKEN.replace('"', "'").into()),
        ("a comma at the end", format!("{open},}}").into()),
        ("a comment", format!("/* hello */{TOKEN}").into()),
        ("a script around it", format!("callback({TOKEN})").into()),
        ("a guard before it", format!(")]}}'\n{TOKEN}").into()),
        ("not a number", more("\"x\":NaN".into()).into()),
        ("endless", more("\"x\":Infinity".into()).into()),
        ("a hexadecimal number", more("\"x\":0x10".into()).into()),
        ("a leading zero", more("\"x\":007".into()).into()),
        ("a lone surrogate", more(r#""x":"\ud800""#.into()).into()),
        ("a raw control character", more("\"x\":\"\u{1b}[2J\"".into()).into()),
        ("a raw NUL", more("\"x\":\"\0\"".into()).into()),
        ("XML", b"<?xml version=\"1.0\"?><a>made-up-token</a>".to_vec()),
        ("an entity bomb", b"<!DOCTYPE a [<!ENTITY a \"&b;&b;\"><!ENTITY b \"x\">]><a>&a;</a>".to_vec()),
        ("a page", b"<!doctype html><title>Sign in to the Wi-Fi</title>".to_vec()),
        ("deep arrays", more(format!("\"x\":{}{}", "[".repeat(100_000), "]".repeat(100_000))).into()),
        ("deep objects, cut", "{\"a\":".repeat(100_000).into()),
        ("gzip", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3]),
        ("random bytes", (0..4096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect()),
    ];
    let not = NoAnswer("provider_error");
    let mut rows: Vec<Case> = nots.into_iter().map(|(name, bytes)| case(OBJECTS, name, body(bytes), not)).collect();
    rows.extend([
        case(OBJECTS, "said to be gzip", status(200, "\u{1f}\u{8b}\u{8}\0", &[("content-encoding", "gzip")]), not),
        case(OBJECTS, "said to be brotli", status(200, "\u{1}\u{2}", &[("content-encoding", "br")]), not),
    ]);
    rows.extend(
        [
            ("a number of ten thousand digits", more(format!("\"x\":{}", "9".repeat(10_000)))),
            ("a number beyond all numbers", more("\"x\":1e999999999".into())),
        ]
        .map(|(name, text)| case(OBJECTS, name, body(text), not)),
    );
    // A burden, and an answer all the same.
    let numbers = format!("\"x\":[{}0]", "0,".repeat(500_000));
    let members = (0..60_000).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(",");
    rows.extend(
        [
            ("half a million numbers", more(numbers)),
            ("sixty thousand members", more(members)),
            ("a name of half a mebibyte", more(format!("\"{}\":1", "n".repeat(512 * 1024)))),
            ("a value of half a mebibyte", more(format!("\"x\":\"{}\"", "v".repeat(512 * 1024)))),
            ("escapes only", more(format!("\"x\":\"{}\"", r"\u0041".repeat(100_000)))),
            ("one member ten thousand times", more(vec!["\"expires_in\":3600"; 10_000].join(","))),
            ("spaces around it", format!("{}{TOKEN}{}", " ".repeat(200_000), "\r\n\t".repeat(100_000))),
        ]
        .map(|(name, text)| case(&[Refresh], name, body(text), Used)),
    );
    rows
}
