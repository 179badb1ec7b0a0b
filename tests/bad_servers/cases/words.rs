//! Words that are meant for a terminal, a log, a header, or another program.

use serde_json::{Value, json};

use crate::case::Outcome::{Ends, NoAnswer, Used};
use crate::case::Stage::{Device, Poll, Refresh, Revocation, Userinfo};
use crate::case::{Case, body, case, status};

/// What no provider should say.
const HOSTILE: [(&str, &str); 8] = [
    ("a terminal's escapes", "\u{1b}]0;owned\u{7}\u{1b}[2J"),
    ("a line of its own", "x\r\n2026-11-28T00:00:00Z ERROR forged: line"),
    ("text from right to left", "\u{202e}moc.elpmaxe//:sptth"),
    ("invisible letters", "al\u{200b}ice\u{feff}\u{e0041}"),
    ("C1 controls", "\u{9b}2J\u{85}\u{90}"),
    ("NUL", "a\0b"),
    ("a format", "%s%n{}${HOME}$(reboot)`reboot`"),
    ("8 KiB of it", "\u{1b}"),
];

pub(super) fn rows() -> Vec<Case> {
    let mut rows = Vec::new();
    for (name, text) in HOSTILE {
        let text = if name.starts_with("8 ") { text.repeat(8 * 1024) } else { text.to_owned() };
        let refusal = |error: &str| {
            json!({
                "error": error, "error_description": text, "error_uri": text, "suberror": text, "trace_id": text,
                "correlation_id": text, "timestamp": text, "message": text,
                "claims": json!({"x": text, text.as_str(): {"values": [text]}}).to_string(),
            })
            .to_string()
        };
        let refused = status(400, &refusal("invalid_target"), &[]);
        rows.push(case(&[Device, Refresh, Poll], format!("a refusal with {name}"), refused, Ends("configuration")));
        let refused = status(400, &refusal("unsupported_token_type"), &[]);
        let refused_so = format!("a revocation refused with {name}");
        rows.push(case(&[Revocation], refused_so, refused, NoAnswer("provider_error")));
        let unknown = status(400, &refusal(&text), &[]);
        rows.push(case(&[Refresh], format!("a refusal called {name}"), unknown, NoAnswer("provider_error")));
        let shown = device(&[
            ("message", json!(text)),
            ("verification_uri_complete", json!(format!("https://a.example/{text}"))),
        ]);
        rows.push(case(&[Device], format!("a message with {name}"), body(shown), Used));
        let who = json!({"sub": "1", "preferred_username": text, "email": text, "name": text}).to_string();
        rows.push(case(&[Userinfo], format!("a user called {name}"), body(who), Used));
        let token = json!({"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 3600, "scope": text});
        rows.push(case(&[Poll, Refresh], format!("a scope called {name}"), body(token.to_string()), Used));
    }
    rows.extend(codes());
    rows.extend(pages());
    rows.extend(tokens());
    rows
}

/// What no person could type, or should.
fn codes() -> Vec<Case> {
    let mut rows = Vec::new();
    for (name, code) in [
        ("a code with escapes", json!("\u{1b}[31mAB-CD")),
        ("a code of 64 KiB", json!("A".repeat(64 * 1024))),
        ("an empty code", json!("")),
        ("a code of spaces", json!("   ")),
        ("a code with a line break", json!("AB\nCD")),
        ("a code from right to left", json!("\u{202e}AB-CD")),
        ("a code of another script", json!("АВ-СD")),
        ("a code that is a list", json!(["AB-CD"])),
    ] {
        rows.push(case(&[Device], name, body(device(&[("user_code", code)])), NoAnswer("provider_error")));
    }
    // Read as the text it is written as.
    rows.push(case(&[Device], "a code that is a number", body(device(&[("user_code", json!(1234))])), Used));
    rows
}

/// Where nobody should be sent.
fn pages() -> Vec<Case> {
    let mut rows = Vec::new();
    for uri in [
        "http://evil.example/device",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "ftp://a.example/",
        "https://",
        "//a.example/device",
        "/device",
        "",
        "device",
        "https://a.example/\u{1b}[2J",
        "https://a.example/\r\nx: y",
        "https://a.example\u{202e}/",
        "https://user:password@a.example/",
        "vscode://x",
        "ms-settings:",
        "-https://a.example",
        "http://127.0.0.1.evil.example/",
        "http://[::ffff:1.2.3.4]/",
        "http://localhost.evil.example/",
    ] {
        let answer = body(device(&[("verification_uri", json!(uri))]));
        rows.push(case(&[Device], format!("a page at {uri:?}"), answer, NoAnswer("provider_error")));
    }
    rows
}

/// What no header carries.
fn tokens() -> Vec<Case> {
    let mut rows = Vec::new();
    for (name, token) in [
        ("empty", json!("")),
        ("with a line break", json!("made-up-\r\nSet-Cookie: b")),
        ("with a space", json!("made-up- b")),
        ("with NUL", json!("made-up-\0b")),
        ("not of ASCII", json!("made-up-tökén")),
        ("an object", json!({"made-up-": 1})),
        ("a list", json!(["made-up-"])),
        ("false", json!(false)),
    ] {
        let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).to_string();
        rows.push(case(
            &[Poll, Refresh],
            format!("an access token that is {name}"),
            body(answer),
            NoAnswer("provider_error"),
        ));
    }
    // Read as the text it is written as.
    let token = json!({"access_token": 7, "token_type": "Bearer", "expires_in": 3600}).to_string();
    rows.push(case(&[Poll, Refresh], "an access token that is a number", body(token), Used));
    rows
}

fn device(members: &[(&str, Value)]) -> String {
    let mut answer = json!({
        "device_code": "made-up-code", "user_code": "AB-CD", "verification_uri": "https://as.example/device",
        "expires_in": 900, "interval": 5,
    });
    for (name, value) in members {
        answer[*name] = value.clone();
    }
    answer.to_string()
}
