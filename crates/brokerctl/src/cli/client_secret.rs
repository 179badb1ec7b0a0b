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
    Set(ClientSecretOf),
    /// Remove the secret
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
