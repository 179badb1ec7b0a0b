//! The `keyring` command of Python, as pip and uv run it: `get SERVICE USERNAME`, or as newer ones do `--mode=creds --output=json
//! get SERVICE`, where a user name may follow.

use serde_json::json;

use super::{Asker, Credential, Target, is_none, unknown_action};
use crate::cli::{KeyringMode, KeyringOutput};
use crate::failure::Failure;
use crate::output;

/// What is asked of it.
pub(super) struct Question<'a> {
    pub(super) mode: KeyringMode,
    pub(super) output: KeyringOutput,
    pub(super) action: &'a str,
    pub(super) service: &'a str,
    pub(super) username: Option<&'a str>,
}

pub(super) fn run(asker: &Asker<'_>, question: &Question<'_>) -> Result<(), Failure> {
    if question.action != "get" {
        return Err(unknown_action("keyring", question.action));
    }
    // pip and uv ask by the URL, and then by the host alone, which may be that of an index by plain http. A profile is the user's word.
    let target = if asker.has_profile() { Target::parse(question.service) } else { Target::url(question.service) };
    match target.and_then(|target| asker.for_target(&target)) {
        Ok(credential) => answer(&credential, question),
        // Nothing on stdout and 1 is keyring's "there is none".
        Err(failure) => {
            if !is_none(&failure) {
                failure.tell_line();
            }
            Err(Failure::Told(1))
        }
    }
}

fn answer(credential: &Credential, question: &Question<'_>) -> Result<(), Failure> {
    let (username, password) = (credential.basic_username(question.username), credential.token());
    match (question.mode, question.output) {
        (KeyringMode::Creds, KeyringOutput::Plain) => output::line(&format!("{username}\n{password}")),
        (KeyringMode::Creds, KeyringOutput::Json) => output::json(&json!({"username": username, "password": password})),
        (KeyringMode::Password, KeyringOutput::Plain) => output::line(password),
        (KeyringMode::Password, KeyringOutput::Json) => output::json(&json!({"password": password})),
    }
}
