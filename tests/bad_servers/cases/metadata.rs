//! Metadata that speaks for somebody else, or leads where nothing may be sent (RFC 8414 §3.3).

use serde_json::{Value, json};

use crate::case::Outcome::{NoAnswer, Used};
use crate::case::Stage::Discovery;
use crate::case::{Case, body, case};

const ISSUER: &str = "http://127.0.0.1:7001";

pub(super) fn rows() -> Vec<Case> {
    let mut rows = Vec::new();
    for issuer in [
        json!("http://127.0.0.1:7002"),
        json!("http://127.0.0.1:7001/"),
        json!("HTTP://127.0.0.1:7001"),
        json!("https://127.0.0.1:7001"),
        json!("http://127.0.0.1:7001/realms/x"),
        json!("http://127.0.0.1:7001?x"),
        json!("http://127.0.0.1:7001\u{0}"),
        json!(""),
        json!([ISSUER]),
        json!({"issuer": ISSUER}),
    ] {
        let answer = body(metadata(&[("issuer", issuer.clone())]));
        rows.push(case(&[Discovery], format!("an issuer that is {issuer}"), answer, NoAnswer("configuration")));
    }
    for (what, issuer) in [("null", Value::Null), ("a number", json!(7))] {
        let answer = body(metadata(&[("issuer", issuer)]));
        rows.push(case(&[Discovery], format!("an issuer that is {what}"), answer, NoAnswer("configuration")));
    }
    for url in [
        json!("http://evil.example/token"),
        json!("ftp://127.0.0.1:7001/token"),
        json!("file:///token"),
        json!("/token"),
        json!("token"),
        json!(""),
        json!("https://"),
        json!("data:,x"),
        json!("http://127.0.0.1.evil.example/token"),
        json!("http://localhost.evil.example/token"),
        json!("http://169.254.169.254/token"),
        json!("http://[::2]/token"),
        json!(null),
        json!(7),
        json!(["http://127.0.0.1:7001/token"]),
    ] {
        let answer = body(metadata(&[("token_endpoint", url.clone())]));
        rows.push(case(&[Discovery], format!("a token endpoint at {url}"), answer, NoAnswer("configuration")));
    }
    for url in [json!("http://evil.example/u"), json!("javascript:x"), json!(7), json!(null)] {
        let answer = body(metadata(&[("userinfo_endpoint", url.clone())]));
        rows.push(case(&[Discovery], format!("a userinfo endpoint at {url}"), answer, Used));
    }
    rows
}

/// The server's own document, with these members in it.
fn metadata(members: &[(&str, Value)]) -> String {
    let mut document = json!({
        "issuer": ISSUER,
        "token_endpoint": format!("{ISSUER}/token"),
        "device_authorization_endpoint": format!("{ISSUER}/device_authorization"),
        "revocation_endpoint": format!("{ISSUER}/revoke"),
    });
    for (name, value) in members {
        document[*name] = value.clone();
    }
    document.to_string()
}
