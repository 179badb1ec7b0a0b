//! Which prompts are listed or cancelled.

use clap::{Args, Subcommand};

use super::Plain;

#[derive(Args, Debug)]
pub(crate) struct Prompts {
    #[command(subcommand)]
    pub(crate) command: Option<PromptsCommand>,
    /// Cancel this prompt
    #[arg(long, value_name = "ID")]
    pub(crate) cancel: Option<String>,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PromptsCommand {
    /// Cancel a prompt: everybody who waits for it is told
    Cancel(Cancel),
}

#[derive(Args, Debug)]
pub(crate) struct Cancel {
    /// The prompt's id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) plain: Plain,
}
