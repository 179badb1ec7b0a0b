//! One module a family of commands.

pub(crate) mod accounts;
pub(crate) mod client_secret;
pub(crate) mod doctor;
mod first;
pub(crate) mod profile;
pub(crate) mod prompts;
pub(crate) mod reload;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod unlock;
pub(crate) mod watch;

use crate::failure::Failure;

/// `brokerctl completions`
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "brokerctl", &mut text);
    Ok(std::io::Write::write_all(&mut std::io::stdout().lock(), &text)?)
}
