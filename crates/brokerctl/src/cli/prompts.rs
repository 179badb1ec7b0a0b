//! Which prompts are listed or cancelled.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::Plain;

#[derive(Args, Debug)]
pub(crate) struct Prompts {
    #[command(subcommand)]
    pub(crate) command: Option<PromptsCommand>,
    /// Cancel this prompt
    #[arg(long, value_name = "ID", value_parser = some_id())]
    pub(crate) cancel: Option<String>,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PromptsCommand {
    /// Cancel a prompt: everybody who waits for it is told
    #[command(after_help = "\
Examples:
  brokerctl prompts cancel 3f9c")]
    Cancel(Cancel),
    /// Open the page of a prompt in the browser, of the only one without an id
    #[command(after_help = "\
Examples:
  brokerctl prompts open                       the only one's page
  brokerctl prompts open 3f9c")]
    Open(Open),
}

#[derive(Args, Debug)]
pub(crate) struct Cancel {
    /// The prompt's id, or the beginning of it
    #[arg(value_parser = some_id())]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Args, Debug)]
pub(crate) struct Open {
    /// The prompt's id, or the beginning of it
    #[arg(value_parser = some_id())]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

/// Every id begins with nothing: a script whose variable is not set would mean whichever prompt there is.
fn some_id() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}
