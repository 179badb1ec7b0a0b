//! `[prompt]`: how a prompt is raised that its caller cannot show.

use serde::Deserialize;

/// As the file has it; `keys::PROMPT` names the same fields.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPrompt {
    command: Option<Vec<String>>,
}

impl RawPrompt {
    /// The command, with its arguments; empty where there is none.
    pub(super) fn command(self) -> Result<Vec<String>, &'static str> {
        match self.command {
            Some(command) if command.first().is_none_or(String::is_empty) => Err("command is empty"),
            command => Ok(command.unwrap_or_default()),
        }
    }
}
