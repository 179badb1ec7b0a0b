//! The arguments of `brokerd`: for the program, and for its man page and completions (`packaging/`).

use std::path::PathBuf;

use clap::Parser;

use crate::store::StoreKind;

/// Own a person's OAuth sign-ins and give access tokens to local tools.
///
/// Runs in the foreground, as one user, until SIGTERM or SIGINT. Logs go to stderr; BROKERD_LOG=debug says more.
#[derive(Debug, Parser)]
#[expect(clippy::doc_markdown, reason = "clap prints these comments as they are")]
#[command(version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration [default: $BROKERD_CONFIG, else $XDG_CONFIG_HOME/brokerd/config.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: $BROKERD_SOCKET, else $XDG_RUNTIME_DIR/brokerd/brokerd.sock]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Where to keep grants, instead of what the configuration says
    #[arg(long, value_enum, value_name = "KIND")]
    pub store: Option<Store>,
    /// Check the configuration, say what it would do, and exit: 0 if it is right, else 6
    #[arg(long)]
    pub check_config: bool,
    /// Change the configuration as the JSON object on stdin asks, and exit; `brokerctl profile` runs this
    #[arg(long, conflicts_with = "check_config")]
    pub edit_config: bool,
}

const EXAMPLES: &str = "\
Examples:
  brokerd                                   run with the default configuration and endpoint
  brokerd --check-config                    is the configuration right?
  brokerd --store memory --socket ~/.try/b  try something out; nothing is kept";

/// A kind of store, as an argument.
#[expect(missing_docs, reason = "what each is, StoreKind says")]
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Store {
    Auto,
    Keyring,
    Kernel,
    File,
    Memory,
}

impl From<Store> for StoreKind {
    fn from(store: Store) -> Self {
        match store {
            Store::Auto => Self::Auto,
            Store::Keyring => Self::Keyring,
            Store::Kernel => Self::Kernel,
            Store::File => Self::File,
            Store::Memory => Self::Memory,
        }
    }
}
