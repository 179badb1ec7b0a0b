//! Bazel's credential helper protocol (EngFlow/credential-helper-spec).

use serde::Deserialize;
use serde_json::json;

use super::{Asker, Target, input, is_none, unknown_action};
use crate::failure::Failure;
use crate::output;

#[derive(Deserialize)]
struct Request {
    uri: String,
}

pub(super) fn run(asker: &Asker<'_>, action: &str) -> Result<(), Failure> {
    if action != "get" {
        return Err(unknown_action("Bazel", action));
    }
    let Request { uri } = input::json("Bazel", &input::text("Bazel")?)?;
    match asker.for_target(&Target::parse(&uri)?) {
        Ok(credential) => {
            let mut answer = json!({"headers": {"Authorization": [credential.authorization()]}});
            if let Some(expires) = credential.expires_at() {
                answer["expires"] = expires.into();
            }
            output::json(&answer)
        }
        // No headers is Bazel's "fetch it without": a helper for `*` is asked about every host there is.
        Err(failure) if is_none(&failure) => output::json(&json!({"headers": {}})),
        Err(failure) => Err(failure),
    }
}
