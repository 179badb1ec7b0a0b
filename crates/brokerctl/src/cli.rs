//! The arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use crate::duration;

/// Access tokens from brokerd, and what there is to know and to do about them.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// The daemon's socket, instead of `BROKERD_SOCKET` or the default one
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  here it is                     5  out of time
  1  unexpected                     6  configuration
  2  usage                          7  no brokerd, or not yours
  3  a person must act or choose    8  the provider
  4  refused                        9  the keyring";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print an access token, asking the user to sign in if need be
    #[command(after_help = "\
Examples:
  brokerctl get-token                          the default profile's
  brokerctl get-token work -s User.Read        another profile's, for one scope
  brokerctl get-token -o header | curl --header @- https://graph.microsoft.com/v1.0/me
  brokerctl get-token --rejected <token-file   a server has answered 401 to that one
  brokerctl get-token --no-prompt || exit      in a script that nobody watches")]
    GetToken(GetToken),
    /// Sign in, whether or not there is a sign-in already
    #[command(after_help = "\
Examples:
  brokerctl login                              to the default profile
  brokerctl login work -a ada@example.com      as this user and nobody else")]
    Login(Login),
    /// Sign out: revoked at the provider where it can be, forgotten here always
    #[command(after_help = "\
Examples:
  brokerctl logout                             the only account
  brokerctl logout ada@example.com --profile work
  brokerctl logout --all")]
    Logout(Logout),
    /// List the accounts that are signed in, and how they are
    #[command(after_help = "\
Examples:
  brokerctl accounts
  brokerctl accounts -o json | jq -r '.accounts[].username'")]
    Accounts(Plain),
    /// Show how the daemon is: its store, profiles and sign-ins
    #[command(after_help = "\
Examples:
  brokerctl status
  brokerctl status -o json | jq -r .store.kind")]
    Status(Plain),
    /// List the prompts that wait for a user, or cancel one
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  brokerctl prompts
  brokerctl prompts cancel 3f9c"
    )]
    Prompts(Prompts),
    /// Print what happens, line by line: prompts appearing and ending, accounts changing
    #[command(after_help = "\
Examples:
  brokerctl watch
  brokerctl watch -o json | jq -r 'select(.event == \"prompt_started\") | .user_code'")]
    Watch(Plain),
    /// Keep a client secret in the keyring, for a profile that says so, or remove it
    #[command(after_help = "\
Examples:
  brokerctl client-secret set google           asks for it, and does not show it
  pass show google/client | brokerctl client-secret set google
  brokerctl client-secret remove google")]
    ClientSecret(ClientSecret),
    /// Check what only the daemon can: its store, its configuration, its providers
    #[command(after_help = "\
Examples:
  brokerctl doctor
  brokerctl doctor -o json")]
    Doctor(Plain),
    /// Have the daemon read its configuration again; profiles that did not change keep their tokens
    #[command(after_help = "\
Examples:
  brokerctl reload
  brokerctl reload -o json | jq -r '.changed[]'")]
    Reload(Plain),
}

impl Command {
    /// Returns whether failures are to be JSON too.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::GetToken(options) => options.output == TokenFormat::Json,
            Self::ClientSecret(options) => options.command.target().plain.is_json(),
            Self::Login(options) => options.plain.is_json(),
            Self::Logout(options) => options.plain.is_json(),
            Self::Prompts(options) => match &options.command {
                Some(PromptsCommand::Cancel(cancel)) => cancel.plain.is_json(),
                None => options.plain.is_json(),
            },
            Self::Accounts(plain)
            | Self::Doctor(plain)
            | Self::Reload(plain)
            | Self::Status(plain)
            | Self::Watch(plain) => plain.is_json(),
        }
    }
}

/// What a token or a sign-in is asked for.
#[derive(Args, Debug)]
pub(crate) struct Ask {
    /// A profile of the configuration, instead of the default one
    pub(crate) profile: Option<String>,
    /// A scope, instead of the profile's own; may be repeated
    #[arg(short, long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The account: its username or id
    #[arg(short, long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// A claims challenge to satisfy
    #[arg(long, value_name = "JSON", value_parser = claims)]
    pub(crate) claims: Option<Map<String, Value>>,
    /// Another tenant of the same account (Entra)
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// A resource indicator (RFC 8707)
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// An audience, for providers that take one
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// A parameter for the provider that brokerd does not know, such as `prompt=login`; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = param)]
    pub(crate) params: Vec<(String, String)>,
    /// How long to wait: 90s, 5m, 2h or seconds [default: 60s; with a prompt, the code's life]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct GetToken {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// How long the token must still live: 90s, 5m, 2h or seconds
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) min_validity: Option<Duration>,
    /// Get a new one even if the one at hand would do
    #[arg(long)]
    pub(crate) force_refresh: bool,
    /// The token on stdin was refused by whom it is for: forget exactly that one, and get another
    #[arg(long)]
    pub(crate) rejected: bool,
    /// Fail with exit code 3 instead of asking the user to sign in
    #[arg(long)]
    pub(crate) no_prompt: bool,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = TokenFormat::Token, value_name = "FORMAT")]
    pub(crate) output: TokenFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenFormat {
    /// The token alone
    Token,
    /// The token, its expiry, scope and account
    Json,
    /// `Authorization: Bearer …`
    Header,
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) plain: Plain,
}

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
    fn target(&self) -> &ClientSecretOf {
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

#[derive(Args, Debug)]
pub(crate) struct Plain {
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub(crate) output: Format,
}

impl Plain {
    pub(crate) fn is_json(&self) -> bool {
        self.output == Format::Json
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

fn param(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no '=' in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_have_examples() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }

    #[test]
    fn commands_are_read_as_documented() {
        let token = "brokerctl --socket /s get-token work -s a --scope b -a ada --min-validity 5m \
                     --force-refresh --claims {\"a\":1} --tenant t --resource r --audience u \
                     --param prompt=login --param hd=a=b --no-prompt --timeout 90 -o header";
        let cli = Cli::try_parse_from(token.split_whitespace()).unwrap();
        let Command::GetToken(options) = cli.command else { panic!() };
        assert_eq!(options.ask.scopes, ["a", "b"]);
        assert_eq!(options.ask.params[1], ("hd".to_owned(), "a=b".to_owned()));
        assert_eq!(options.min_validity, Some(Duration::from_secs(300)));
        assert_eq!(options.ask.timeout, Some(Duration::from_secs(90)));
        assert_eq!(options.output, TokenFormat::Header);
        for line in [
            "login work -o json",
            "logout",
            "logout ada --profile work",
            "logout --all",
            "prompts",
            "prompts cancel p1 -o json",
            "prompts --cancel p1",
            "watch -o json",
            "doctor --socket /s",
            "reload",
            "client-secret set google",
            "client-secret remove google -o json",
        ] {
            let arguments = ["brokerctl"].into_iter().chain(line.split(' '));
            Cli::try_parse_from(arguments).unwrap();
        }
        for line in [
            "get-token --claims []",
            "get-token --param prompt",
            "client-secret set google hunter2",
            "get-token --timeout soon",
            "logout ada --all",
            "logn",
        ] {
            let arguments = ["brokerctl"].into_iter().chain(line.split(' '));
            assert_eq!(Cli::try_parse_from(arguments).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_misspelt_command_is_suggested() {
        let error = Cli::try_parse_from(["brokerctl", "get-tokn"]).unwrap_err().to_string();
        assert!(error.contains("'get-token'"), "{error}");
    }
}
