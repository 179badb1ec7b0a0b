//! The service manager's own commands.

use std::process::{Command, Stdio};

use broker_client::{ErrorBody, ErrorCode};

use crate::failure::Failure;

/// Runs one and returns what it printed; its first line of complaint is the error.
pub(super) fn run(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| ErrorBody::new(ErrorCode::NoServiceManager, format!("{shown}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
    let why = complaint.unwrap_or_else(|| output.status.to_string());
    Err(ErrorBody::new(ErrorCode::Internal, format!("{shown}: {why}"))
        .with_hint("run that command to see more; brokerctl service status says how far it went")
        .into())
}

/// A command as it would be typed.
pub(super) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
