//! Docker's credential helper protocol (docker/docker-credential-helpers).

use serde_json::json;

use super::{Asker, Target, input, is_none, unknown_action};
use crate::failure::Failure;
use crate::output;

/// What Docker, podman and the others know as "there is none": they go on without.
const NOT_FOUND: &str = "credentials not found in native keychain";

pub(super) fn run(asker: &Asker<'_>, action: &str) -> Result<(), Failure> {
    match action {
        "get" => get(asker),
        "list" => output::json(&json!({})),
        // Docker says "login succeeded" after it; what is not kept must not seem to be.
        "store" => refuse("brokerd gives tokens and keeps no passwords: nothing was stored"),
        "erase" => input::text("Docker").map(drop),
        _ => Err(unknown_action("Docker", action)),
    }
}

fn get(asker: &Asker<'_>) -> Result<(), Failure> {
    let text = input::text("Docker")?;
    let server = text.trim();
    match Target::parse(server).and_then(|target| asker.for_target(&target)) {
        Ok(credential) => output::json(&json!({
            "ServerURL": server,
            "Username": credential.basic_username(None),
            "Secret": credential.token(),
        })),
        Err(failure) => {
            if !is_none(&failure) {
                failure.tell_line();
            }
            refuse(NOT_FOUND)
        }
    }
}

/// Docker reads a helper's error on stdout.
fn refuse(why: &str) -> Result<(), Failure> {
    output::line(why)?;
    Err(Failure::Told(1))
}
