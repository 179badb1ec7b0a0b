//! Numbers that mean nothing, in answers that are good otherwise.

use serde_json::{Value, json};

use crate::case::Outcome::{Ends, NoAnswer, Used};
use crate::case::Stage::{Device, Poll, Refresh};
use crate::case::{Case, Outcome, body, case};

/// A number, and what becomes of a sign-in whose code is said to live so long.
const LIVES: [(&str, Outcome); 14] = [
    ("0", Ends("expired_token")),
    ("-1", Used),
    ("1", Used),
    ("0.5", Ends("expired_token")),
    ("1e308", Used),
    ("-1e308", Used),
    ("18446744073709551616", Used),
    ("9223372036854775807", Used),
    ("\"900\"", Used),
    ("\"-900\"", Used),
    ("\"soon\"", Used),
    ("[900]", Used),
    ("{\"seconds\":900}", Used),
    ("true", Used),
];

pub(super) fn rows() -> Vec<Case> {
    let mut rows = Vec::new();
    for (number, outcome) in LIVES {
        let answer = device(&[("expires_in", number)]);
        rows.push(case(&[Device], format!("a code that lives {number}"), body(answer), outcome));
        let answer = token(&[("expires_in", number)]);
        rows.push(case(&[Poll, Refresh], format!("a token that lives {number}"), body(answer), Used));
        let answer = token(&[("refresh_in", number), ("ext_expires_in", number), ("not_before", number)]);
        rows.push(case(&[Refresh], format!("a token to refresh in {number}"), body(answer), Used));
    }
    for (number, _) in LIVES {
        let answer = device(&[("interval", number)]);
        rows.push(case(&[Device], format!("an interval of {number}"), body(answer), Used));
    }
    for (name, text) in [
        ("endless slow_down", r#"{"error":"slow_down"}"#),
        ("slow_down with an interval beyond all numbers", r#"{"error":"slow_down","interval":18446744073709551615}"#),
        ("slow_down with a negative interval", r#"{"error":"slow_down","interval":-5}"#),
        ("endless authorization_pending", r#"{"error":"authorization_pending"}"#),
        ("pending with status 200 and an interval of 0", r#"{"error":"authorization_pending","interval":0}"#),
    ] {
        rows.push(case(&[Poll], name, body(text), NoAnswer("expired_token")));
    }
    for code in ["0", "-1", "1e300", "\"x\"", "[]", "[[]]", "[1,\"2\",null]", "{}", "[99999999999999999999]"] {
        let refusal = format!(r#"{{"error":"temporarily_unavailable","error_codes":{code},"timestamp":{code}}}"#);
        rows.push(case(&[Refresh, Device], format!("error_codes {code}"), body(refusal), NoAnswer("provider_error")));
    }
    rows
}

/// A device authorization response with these members, given as JSON.
fn device(members: &[(&str, &str)]) -> String {
    with(
        &json!({"device_code": "made-up-code", "user_code": "AB-CD", "verification_uri": "https://as.example/device"}),
        members,
    )
}

fn token(members: &[(&str, &str)]) -> String {
    with(&json!({"access_token": "made-up-token", "token_type": "Bearer"}), members)
}

/// As text: some of these numbers are in no `Value`.
fn with(object: &Value, members: &[(&str, &str)]) -> String {
    let object = object.to_string();
    let more: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{},{}}}", object.trim_end_matches('}'), more.join(","))
}
