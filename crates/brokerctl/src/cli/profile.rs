//! What a profile of the configuration is made of: a flag for each key.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Plain;
use super::token::param;

/// The providers that are known by name. `tests/e2e/profiles.rs` holds them against brokerd's.
const PROVIDERS: [&str; 9] = ["oidc", "entra", "github", "google", "okta", "auth0", "keycloak", "gitlab", "adfs"];

#[derive(Args, Debug)]
pub(crate) struct Profile {
    #[command(subcommand)]
    pub(crate) command: ProfileCommand,
    /// The configuration file, instead of the one that brokerd uses
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Add a profile, having checked that its provider does the device flow
    #[command(after_help = "\
Examples:
  brokerctl profile add work --provider entra --tenant contoso.onmicrosoft.com --client-id 11111111-… -s User.Read
  brokerctl profile add gov --provider entra --cloud us-government --tenant contoso.onmicrosoft.us --client-id 11111111-…
  brokerctl profile add github --provider github --client-id Iv1.0123456789abcdef -s repo
  brokerctl profile add google --provider google --client-id 1234.apps.googleusercontent.com --client-secret-in-keyring
  brokerctl profile add sso --issuer https://sso.example.com/realms/main --client-id cli -s openid -s profile -s offline_access

docs/CONFIG.md says more of each key.")]
    Add(Box<ProfileAdd>),
    /// List the profiles of the configuration
    #[command(after_help = "\
Examples:
  brokerctl profile list
  brokerctl profile list -o json | jq -r '.profiles[].name'")]
    List(ProfileList),
    /// Show a profile with every setting that is in force, also those that the file leaves out
    #[command(after_help = "\
Examples:
  brokerctl profile show                       the default profile
  brokerctl profile show work -o json | jq -r .settings.issuer")]
    Show(ProfileShow),
    /// Remove a profile; refused while somebody is signed in under it
    #[command(after_help = "\
Examples:
  brokerctl logout --all --profile sso && brokerctl profile remove sso")]
    Remove(ProfileRemove),
}

impl ProfileCommand {
    pub(crate) fn plain(&self) -> &Plain {
        match self {
            Self::Add(options) => &options.plain,
            Self::List(options) => &options.plain,
            Self::Show(options) => &options.plain,
            Self::Remove(options) => &options.plain,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ProfileList {
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Args, Debug)]
pub(crate) struct ProfileShow {
    /// The profile, instead of the default one
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Args, Debug)]
pub(crate) struct ProfileRemove {
    /// The profile
    pub(crate) name: String,
    /// Leave its accounts signed in, for a profile of that name to come
    #[arg(long)]
    pub(crate) keep_accounts: bool,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ProfileAdd {
    /// What users and scripts will call it
    pub(crate) name: String,
    /// Replace a profile of that name; what is not named here is gone
    #[arg(long)]
    pub(crate) replace: bool,
    /// Replace it by one of another client or issuer though somebody is signed in under it
    #[arg(long, requires = "replace")]
    pub(crate) keep_accounts: bool,
    /// Make it the profile of requests that name none
    #[arg(long)]
    pub(crate) default: bool,
    /// Do not ask the provider
    #[arg(long)]
    pub(crate) no_check: bool,
    #[command(flatten)]
    pub(crate) provider: ProviderKeys,
    #[command(flatten)]
    pub(crate) client: ClientKeys,
    #[command(flatten)]
    pub(crate) tokens: TokenKeys,
    #[command(flatten)]
    pub(crate) way: WayKeys,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

/// Which provider.
#[derive(Args, Debug)]
#[command(next_help_heading = "The provider")]
pub(crate) struct ProviderKeys {
    /// The provider, if it is known by name; without it, any by its issuer
    #[arg(long, value_parser = PROVIDERS)]
    pub(crate) provider: Option<String>,
    /// The issuer, as the provider writes it
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The tenant (Entra): its domain or id, or organizations, common, consumers
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// The cloud (Entra): public, us-government, china, bleu, delos or govsg
    #[arg(long, conflicts_with = "authority")]
    pub(crate) cloud: Option<String>,
    /// The server of AD FS or GitHub Enterprise, or the base URL of a cloud of Entra
    #[arg(long, value_name = "URL")]
    pub(crate) authority: Option<String>,
    /// An explicit endpoint, where there is no discovery
    #[arg(long, value_name = "URL", requires = "token_endpoint")]
    pub(crate) device_authorization_endpoint: Option<String>,
    /// An explicit endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) token_endpoint: Option<String>,
    /// An explicit endpoint (RFC 7009)
    #[arg(long, value_name = "URL", requires = "token_endpoint")]
    pub(crate) revocation_endpoint: Option<String>,
    /// An explicit endpoint that says who signed in
    #[arg(long, value_name = "URL", requires = "token_endpoint")]
    pub(crate) userinfo_endpoint: Option<String>,
}

/// As whom.
#[derive(Args, Debug)]
#[command(next_help_heading = "The client")]
pub(crate) struct ClientKeys {
    /// The client id of the application's registration
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    /// The client has a secret, which `brokerctl client-secret set` puts into the keyring
    #[arg(long, conflicts_with = "client_secret_file")]
    pub(crate) client_secret_in_keyring: bool,
    /// The client has a secret, which is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// How the secret is sent, if not as the provider usually wants it
    #[arg(long, value_name = "WAY", value_parser = ["basic", "post"])]
    pub(crate) client_authentication: Option<String>,
    /// Bind sign-ins to this client by PKCE, or not, if not as the provider usually wants it
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) pkce: Option<bool>,
    /// What the user's tools can do (Entra): CP1 says that they handle claims challenges; may be repeated
    #[arg(long = "client-capability", value_name = "NAME")]
    pub(crate) client_capabilities: Vec<String>,
}

/// For what.
#[derive(Args, Debug)]
#[command(next_help_heading = "Its tokens")]
pub(crate) struct TokenKeys {
    /// A scope of requests that name none; may be repeated
    #[arg(short, long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// An audience
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// A resource indicator (RFC 8707)
    #[arg(long, value_name = "URI")]
    pub(crate) resource: Option<String>,
    /// A parameter for the provider that brokerd does not know; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    pub(crate) params: Vec<(String, String)>,
    /// The account of requests that name none
    #[arg(long, value_name = "NAME")]
    pub(crate) default_account: Option<String>,
    /// Share the sign-in with other profiles that do so (Entra's families of clients)
    #[arg(long)]
    pub(crate) share_family: bool,
    /// Serve expired tokens to the end of their extended life while the provider is away
    #[arg(long)]
    pub(crate) outage_grace: bool,
    /// Use a refresh token that would end unused
    #[arg(long)]
    pub(crate) keep_alive: bool,
}

/// By which way.
#[derive(Args, Debug)]
#[command(next_help_heading = "The way there")]
pub(crate) struct WayKeys {
    /// Certificate authorities to trust besides those of the system (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The HTTP proxy, or none; one with a password is written into the file by hand
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
}
