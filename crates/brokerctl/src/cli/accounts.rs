//! Which accounts are signed out.

use clap::Args;

use super::Plain;

#[derive(Args, Debug)]
pub(crate) struct Logout {
    /// The account: its username or id
    #[arg(conflicts_with = "all")]
    pub(crate) account: Option<String>,
    /// Every account, of the profile if one is given
    #[arg(long)]
    pub(crate) all: bool,
    /// Only accounts of this profile
    #[arg(long)]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) plain: Plain,
}
