//! Cargo's credential provider protocol, version 1: one JSON object a line, until stdin ends.

use std::io::{BufRead as _, Read as _};

use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asker, Target, input, is_none};
use crate::failure::Failure;
use crate::output;

/// Longer than any request.
const MOST: u64 = 256 * 1024;

#[derive(Deserialize)]
struct Request {
    v: u32,
    registry: Registry,
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    index_url: String,
}

pub(super) fn run(asker: &Asker<'_>) -> Result<(), Failure> {
    output::json(&json!({"v": [1]}))?;
    loop {
        let mut line = Zeroizing::new(String::new());
        if std::io::stdin().lock().take(MOST).read_line(&mut line)? == 0 {
            return Ok(());
        }
        // Garbage says nothing about where the next request begins.
        let request: Request = input::json("cargo", &line)?;
        output::json(&answer(asker, &request))?;
    }
}

fn answer(asker: &Asker<'_>, request: &Request) -> Value {
    if request.v != 1 {
        return error("other", "this helper knows version 1 of cargo's protocol only");
    }
    if request.kind != "get" {
        // A login's token would have to be kept: brokerd has its own sign-ins, and `brokerctl login` makes them.
        return json!({"Err": {"kind": "operation-not-supported"}});
    }
    let credential = Target::parse(&request.registry.index_url).and_then(|target| asker.for_target(&target));
    match credential {
        Ok(credential) => {
            let mut get = json!({"kind": "get", "token": credential.authorization(), "operation_independent": true});
            match credential.expires_on() {
                Some(expiration) => (get["cache"], get["expiration"]) = ("expires".into(), expiration.into()),
                None => get["cache"] = "session".into(),
            }
            json!({"Ok": get})
        }
        Err(failure) if is_none(&failure) => json!({"Err": {"kind": "url-not-supported"}}),
        Err(failure) => {
            failure.tell_line();
            json!({"Err": {"kind": "not-found"}})
        }
    }
}

fn error(kind: &str, message: &str) -> Value {
    json!({"Err": {"kind": kind, "message": message, "caused-by": []}})
}
