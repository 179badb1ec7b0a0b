//! The `keyring` command of Python, as pip and uv run it: `get SERVICE USERNAME`.

use super::{Asker, Target, is_none, unknown_action};
use crate::cli::KeyringMode;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(
    asker: &Asker<'_>,
    mode: KeyringMode,
    action: &str,
    service: &str,
    username: Option<&str>,
) -> Result<(), Failure> {
    if action != "get" {
        return Err(unknown_action("keyring", action));
    }
    match Target::parse(service).and_then(|target| asker.for_target(&target)) {
        Ok(credential) if mode == KeyringMode::Creds => {
            output::line(&format!("{}\n{}", credential.basic_username(username), credential.token()))
        }
        Ok(credential) => output::line(credential.token()),
        // Nothing on stdout and 1 is keyring's "there is none".
        Err(failure) => {
            if !is_none(&failure) {
                failure.tell_line();
            }
            Err(Failure::Told(1))
        }
    }
}
