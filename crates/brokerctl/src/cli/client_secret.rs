//! Whose client secret is kept or removed.

use clap::{Args, Subcommand};

use super::Plain;

#[derive(Args, Debug)]
pub(crate) struct ClientSecret {
    #[command(subcommand)]
    pub(crate) command: ClientSecretCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientSecretCommand {
    /// Read the secret from stdin and keep it, in the place of the one there may be
    #[command(after_help = "\
Examples:
  brokerctl client-secret set google           asks for it, and does not show it
  pass show google/client | brokerctl client-secret set google")]
    Set(ClientSecretOf),
    /// Remove the secret
    #[command(after_help = "\
Examples:
  brokerctl client-secret remove google")]
    Remove(ClientSecretOf),
}

impl ClientSecretCommand {
    pub(crate) fn target(&self) -> &ClientSecretOf {
        match self {
            Self::Set(target) | Self::Remove(target) => target,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ClientSecretOf {
    /// The profile
    pub(crate) profile: String,
    #[command(flatten)]
    pub(crate) plain: Plain,
}
