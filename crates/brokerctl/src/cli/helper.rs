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
    /// Another tenant of the same account (Entra)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Kind {
    /// Bazel's `--credential_helper`
    #[command(after_help = "\
Examples:
  bazel build --credential_helper='*.pkg.example.com=/path/to/bazel-credential-brokerd' //...
  echo '{\"uri\":\"https://a.pkg.example.com\"}' | brokerctl helper bazel get")]
    Bazel {
        #[command(flatten)]
        whose: Whose,
        /// What Bazel asks: get
        action: String,
    },
    /// A cargo credential provider
    #[command(after_help = "\
Examples:
  credential-provider = [\"cargo-credential-brokerd\", \"--profile\", \"work\"]    in ~/.cargo/config.toml
  brokerctl helper cargo --profile work --cargo-plugin")]
    Cargo {
        #[command(flatten)]
        whose: Whose,
        /// As cargo passes it
        #[arg(long)]
        cargo_plugin: bool,
    },
    /// A configuration for curl -K -, with the token in it
    #[command(after_help = "\
Examples:
  brokerctl helper curl --profile work | curl --config - https://graph.microsoft.com/v1.0/me")]
    Curl {
        #[command(flatten)]
        whose: Whose,
        /// Whom curl speaks to, for [[hosts]]
        #[arg(long)]
        url: Option<String>,
    },
    /// A Docker credential helper: also podman, skopeo, helm
    #[command(after_help = "\
Examples:
  {\"credHelpers\": {\"registry.example.com\": \"brokerd\"}}    in ~/.docker/config.json
  echo registry.example.com | brokerctl helper docker get")]
    Docker {
        #[command(flatten)]
        whose: Whose,
        /// What Docker asks: get, list, store or erase
        action: String,
    },
    /// An access token file for gcloud (`CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`)
    #[command(after_help = "\
Examples:
  brokerctl helper gcloud --profile google --file ~/.config/gcloud/brokerd-token")]
    Gcloud {
        #[command(flatten)]
        whose: Whose,
        /// Where to write the token
        #[arg(long)]
        file: PathBuf,
    },
    /// A git credential helper
    #[command(after_help = "\
Examples:
  git config --global credential.https://dev.azure.com.helper '!brokerctl helper git'
  printf 'protocol=https\\nhost=dev.azure.com\\n\\n' | brokerctl helper git get")]
    Git {
        #[command(flatten)]
        whose: Whose,
        /// What git asks: get, store, erase or capability
        action: String,
    },
    /// The keyring command, as pip and uv run it
    #[command(after_help = "\
Examples:
  PIP_KEYRING_PROVIDER=subprocess pip install --index-url https://oauth2@pypi.example.com/simple/ package
  brokerctl helper keyring get https://pypi.example.com/simple/ oauth2")]
    Keyring {
        #[command(flatten)]
        whose: Whose,
        /// What to print: a password, or a user name and a password
        #[arg(long, value_enum, default_value_t = KeyringMode::Password)]
        mode: KeyringMode,
        /// As what to print it
        #[arg(long, value_enum, default_value_t = KeyringOutput::Plain)]
        output: KeyringOutput,
        /// What is asked: get
        action: String,
        /// A URL; with --profile a host too
        service: String,
        /// A user name
        username: Option<String>,
    },
    /// A Kubernetes exec plugin (`ExecCredential`): kubectl, helm, client libraries
    #[command(after_help = "\
Examples:
  kubectl config set-credentials me --exec-api-version client.authentication.k8s.io/v1 \\
    --exec-interactive-mode IfAvailable --exec-command brokerctl --exec-arg helper --exec-arg kubernetes
  brokerctl helper kubernetes --profile work
  brokerctl helper kubernetes --profile sso --id-token
kubectl before 1.30 has no --exec-interactive-mode; docs/HELPERS.md has the lines for its kubeconfig.")]
    Kubernetes {
        #[command(flatten)]
        whose: Whose,
        /// The ID token, for a cluster that trusts the issuer (`--oidc-issuer-url`, `--oidc-client-id`)
        #[arg(long)]
        id_token: bool,
    },
    /// A token helper for pnpm (tokenHelper)
    #[command(after_help = "\
Examples:
  //npm.example.com/:tokenHelper=/path/to/npm-credential-brokerd    in ~/.npmrc
  brokerctl helper npm --profile work")]
    Npm {
        #[command(flatten)]
        whose: Whose,
    },
    /// The base64 response that IMAP and SMTP clients send for SASL
    #[command(after_help = "\
Examples:
  brokerctl helper sasl --profile mail
  brokerctl helper sasl --profile mail --mechanism oauthbearer --host imap.example.com --port 993")]
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
    #[command(after_help = "\
Examples:
  credentials_helper \"brokerd\" {}               in ~/.terraformrc
  brokerctl helper terraform get app.terraform.io")]
    Terraform {
        #[command(flatten)]
        whose: Whose,
        /// What Terraform asks: get; store and forget are refused
        action: String,
        /// The host
        host: String,
    },
    /// A token file where WLCG tools look for it
    #[command(after_help = "\
Examples:
  brokerctl helper wlcg --profile wlcg")]
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
pub(crate) enum KeyringOutput {
    /// Lines
    Plain,
    /// An object
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mechanism {
    /// Google's and Microsoft's
    Xoauth2,
    /// RFC 7628
    Oauthbearer,
}
