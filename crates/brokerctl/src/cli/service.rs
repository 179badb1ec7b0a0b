//! What is done with brokerd as a service of the user.

use clap::{Args, Subcommand};

use super::Plain;

#[derive(Args, Debug)]
pub(crate) struct Service {
    #[command(subcommand)]
    pub(crate) command: ServiceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Install, enable and start it; a second time changes nothing
    #[command(after_help = "\
Examples:
  brokerctl service install
  brokerctl service install --force            over a unit that somebody edited")]
    Install(Change),
    /// Stop it and take everything back, but for configuration, state and keyring
    #[command(after_help = "\
Examples:
  brokerctl service uninstall")]
    Uninstall(Change),
    /// Show whether it is installed, enabled and running; exit code 1 if it is not enabled
    #[command(after_help = "\
Examples:
  brokerctl service status
  brokerctl service status -o json | jq -r .running")]
    Status(Look),
    /// Print its log, as the service manager keeps it
    #[command(after_help = "\
Examples:
  brokerctl service logs
  brokerctl service logs --follow --lines 200")]
    Logs(Logs),
}

impl ServiceCommand {
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Install(options) | Self::Uninstall(options) => options.plain.is_json(),
            Self::Status(options) => options.plain.is_json(),
            Self::Logs(_) => false,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Change {
    /// Also replace or remove what somebody edited; a copy is kept beside it
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Args, Debug)]
pub(crate) struct Look {
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// Go on printing what comes
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many lines of what was
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) lines: u32,
}
