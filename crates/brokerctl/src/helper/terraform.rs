//! Terraform's credentials helper protocol (`credentials_helper "brokerd"`).

use serde_json::json;

use super::{Asker, Target, is_none, unknown_action};
use crate::failure::Failure;
use crate::output;

pub(super) fn run(asker: &Asker<'_>, action: &str, host: &str) -> Result<(), Failure> {
    if action != "get" {
        return Err(unknown_action("Terraform", action));
    }
    match asker.for_target(&Target::parse(host)?) {
        Ok(credential) => output::json(&json!({"token": credential.token()})),
        // An empty object is Terraform's "there is none".
        Err(failure) if is_none(&failure) => output::json(&json!({})),
        Err(failure) => Err(failure),
    }
}
