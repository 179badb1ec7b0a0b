//! What a tool sends on stdin: read whole and bounded, and never repeated, for it may hold a secret.

use std::io::Read;

use broker_client::{ErrorBody, ErrorCode};
use secrecy::zeroize::Zeroizing;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Longer than any request, with a token in it.
const MOST: u64 = 256 * 1024;

/// Reads all of stdin.
pub(super) fn text(tool: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024));
    let read = std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| malformed(tool, &format!("cannot be read: {}", error.kind())))?;
    if bytes.len() as u64 > MOST {
        return Err(malformed(tool, "is too long"));
    }
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| malformed(tool, "is not UTF-8"))
}

/// Reads JSON.
pub(super) fn json<T: DeserializeOwned>(tool: &str, text: &str) -> Result<T, Failure> {
    // serde's own text may quote a value.
    serde_json::from_str(text).map_err(|error| {
        let what = if error.is_data() { "has not the members expected" } else { "is not JSON" };
        malformed(tool, &format!("{what} (line {}, column {})", error.line(), error.column()))
    })
}

/// Says that a request makes no sense, and in which way.
pub(super) fn malformed(tool: &str, why: &str) -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, format!("what {tool} sent {why}")).into()
}
