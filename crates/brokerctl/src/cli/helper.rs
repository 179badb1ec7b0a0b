//! Which tool's way of asking for a token is answered.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct Helper {
    #[command(subcommand)]
    pub(crate) kind: Kind,
}

/// Whose token, where the configuration's `[[hosts]]` do not say it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Whose {
    /// A profile of the configuration, instead of the one that [[hosts]] names or the default
    #[arg(short, long)]
    pub(crate) profile: Option<String>,
    /// A scope, instead of the profile's own; may be repeated
    #[arg(short, long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The account: its username or id
    #[arg(short, long, value_name = "NAME")]
    pub(crate) account: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Kind {
    /// Bazel's `--credential_helper`
    Bazel {
        #[command(flatten)]
        whose: Whose,
        /// What Bazel asks: get
        action: String,
    },
    /// A cargo credential provider
    Cargo {
        #[command(flatten)]
        whose: Whose,
        /// As cargo passes it
        #[arg(long)]
        cargo_plugin: bool,
    },
    /// A configuration for curl -K -, with the token in it
    Curl {
        #[command(flatten)]
        whose: Whose,
        /// Whom curl speaks to, for [[hosts]]
        #[arg(long)]
        url: Option<String>,
    },
    /// A Docker credential helper: also podman, skopeo, helm
    Docker {
        #[command(flatten)]
        whose: Whose,
        /// What Docker asks: get, list, store or erase
        action: String,
    },
    /// An access token file for gcloud (`CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`)
    Gcloud {
        #[command(flatten)]
        whose: Whose,
        /// Where to write the token
        #[arg(long)]
        file: PathBuf,
    },
    /// A git credential helper
    Git {
        #[command(flatten)]
        whose: Whose,
        /// What git asks: get, store, erase or capability
        action: String,
    },
    /// The keyring command, as pip and uv run it
    Keyring {
        #[command(flatten)]
        whose: Whose,
        /// What to print: a password, or a user name and a password
        #[arg(long, value_enum, default_value_t = KeyringMode::Password)]
        mode: KeyringMode,
        /// What is asked: get
        action: String,
        /// A URL or a host
        service: String,
        /// A user name
        username: Option<String>,
    },
    /// A Kubernetes exec plugin (`ExecCredential`): kubectl, helm, client libraries
    Kubernetes {
        #[command(flatten)]
        whose: Whose,
    },
    /// A token helper for pnpm (tokenHelper)
    Npm {
        #[command(flatten)]
        whose: Whose,
    },
    /// The base64 response that IMAP and SMTP clients send for SASL
    Sasl {
        #[command(flatten)]
        whose: Whose,
        /// The mechanism
        #[arg(long, value_enum, default_value_t = Mechanism::Xoauth2)]
        mechanism: Mechanism,
        /// The mailbox, instead of the account's username
        #[arg(long)]
        user: Option<String>,
        /// The server, for oauthbearer
        #[arg(long)]
        host: Option<String>,
        /// Its port, for oauthbearer
        #[arg(long)]
        port: Option<u16>,
    },
    /// A Terraform credentials helper
    Terraform {
        #[command(flatten)]
        whose: Whose,
        /// What Terraform asks: get, store or forget
        action: String,
        /// The host
        host: String,
    },
    /// A token file where WLCG tools look for it
    Wlcg {
        #[command(flatten)]
        whose: Whose,
        /// Where to write the token [default: `$XDG_RUNTIME_DIR/bt_u<uid>`]
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyringMode {
    /// The password
    Password,
    /// The user name and the password, on two lines
    Creds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mechanism {
    /// Google's and Microsoft's
    Xoauth2,
    /// RFC 7628
    Oauthbearer,
}
