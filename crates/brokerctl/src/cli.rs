//! The arguments: the commands and what they have in common. What one command takes is in the file of its name.

mod accounts;
mod client_secret;
mod exec;
mod first_look;
mod helper;
mod profile;
mod prompts;
mod service;
mod token;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub(crate) use self::accounts::Logout;
pub(crate) use self::client_secret::{ClientSecret, ClientSecretCommand};
pub(crate) use self::exec::{Exec, Variable};
pub(crate) use self::helper::{Helper, KeyringMode, KeyringOutput, Kind, Mechanism, Whose};
pub(crate) use self::profile::{Profile, ProfileAdd, ProfileCommand, ProfileRemove};
pub(crate) use self::prompts::{Prompts, PromptsCommand};
pub(crate) use self::service::{Service, ServiceCommand};
pub(crate) use self::token::{Ask, GetToken, Login, Terms, TokenFormat};
use crate::failure::Voice;
use crate::links;
use crate::prompt::Mode;

/// Access tokens from brokerd, and what there is to know and to do about them.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// The daemon's socket, instead of `BROKERD_SOCKET` or the default one
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// How a sign-in is asked for [default: auto, or what `BROKERCTL_PROMPT` says]
    #[arg(long, global = true, value_enum, value_name = "HOW")]
    pub(crate) prompt: Option<Mode>,
    /// Plain lines instead of a live display, for screen readers: the same as `--prompt plain`
    #[arg(long, global = true, conflicts_with = "prompt")]
    pub(crate) plain: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads the process's arguments. Help, and what is wrong with them, ends the process here.
    pub(crate) fn read() -> Self {
        let words = links::resolve(std::env::args_os());
        first_look::look(words.iter().skip(1).cloned())
            .unwrap_or_else(|| Self::of(words).unwrap_or_else(|error| error.exit()))
    }

    /// Reads arguments, the program's name first. What clap cannot see is looked for here.
    fn of<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(words)?;
        let unused = if let Command::Exec(exec) = &cli.command { exec.unused() } else { None };
        match unused {
            Some(what) => Err(Self::command().error(ErrorKind::ArgumentConflict, what)),
            None => Ok(cli),
        }
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  here it is                     5  out of time
  1  unexpected                     6  configuration
  2  usage                          7  no brokerd, or not yours
  3  a person must act or choose    8  the provider
  4  refused                        9  the keyring
                                  130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print an access token, asking the user to sign in if need be
    #[command(after_help = "\
Examples:
  brokerctl get-token                          the default profile's
  brokerctl get-token work -s User.Read        another profile's, for one scope
  brokerctl get-token -o header | curl --header @- https://graph.microsoft.com/v1.0/me
  brokerctl get-token sso --id-token           for a server that verifies an ID token's audience
  brokerctl get-token --rejected <token-file   a server has answered 401 to that one
  brokerctl get-token --no-prompt || exit      in a script that nobody watches
  brokerctl get-token mail --prompt-elsewhere  for a timer: who must sign in hears of it from brokerd")]
    GetToken(GetToken),
    /// Sign in, whether or not there is a sign-in already
    #[command(after_help = "\
Examples:
  brokerctl login                              to the default profile
  brokerctl login work -a ada@example.com      as this user and nobody else
  brokerctl login sso --issuer https://sso.example.com/realms/main --client-id cli
                                               having made a profile of that name first")]
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
  brokerctl status --watch                     drawn again as it changes, until q
  brokerctl status -o json | jq -r .store.kind")]
    Status(StatusOptions),
    /// List the prompts that wait for a user, open the page of one, or cancel it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  brokerctl prompts
  brokerctl prompts open                       the only one's page, in the browser
  brokerctl prompts cancel 3f9c"
    )]
    Prompts(Prompts),
    /// Watch what happens: a live list of prompts on a terminal, lines elsewhere
    #[command(after_help = "\
Examples:
  brokerctl watch
  brokerctl watch -o json | jq -r 'select(.event == \"prompt_started\") | .user_code'")]
    Watch(Plain),
    /// Add, list, show or remove a profile of the configuration
    #[command(after_help = "\
Examples:
  brokerctl profile add work --provider entra --tenant contoso.onmicrosoft.com --client-id 11111111-… -s User.Read
  brokerctl profile add sso --issuer https://sso.example.com/realms/main --client-id cli -s openid -s offline_access
  brokerctl profile list
  brokerctl profile show work
  brokerctl profile remove sso")]
    Profile(Profile),
    /// Keep a client secret in the keyring, for a profile that says so, or remove it
    #[command(after_help = "\
Examples:
  brokerctl client-secret set google           asks for it, and does not show it
  pass show google/client | brokerctl client-secret set google
  brokerctl client-secret remove google")]
    ClientSecret(ClientSecret),
    /// Run a command with the tokens it needs: in a variable, a file kept fresh, or where cloud SDKs ask
    #[command(after_help = "\
Examples:
  brokerctl exec --env GH_TOKEN=github -- gh repo list
  brokerctl exec work --azure -- python app.py
  brokerctl exec --env GH_TOKEN=github --min-validity 30m -- ./release
  brokerctl exec wlcg --token-file -- gfal-copy https://se.example.com/f .")]
    Exec(Exec),
    /// Answer another tool's question for a credential, in its own words
    #[command(after_help = "\
Examples:
  git config --global credential.helper '!brokerctl helper git'
  brokerctl helper curl | curl -K - https://graph.microsoft.com/v1.0/me
  brokerctl helper sasl -p mail --mechanism oauthbearer
Most tools find a helper by the name of a link to brokerctl, such as
docker-credential-brokerd; docs/HELPERS.md has each tool's setting.")]
    Helper(Helper),
    /// Be `az`, for a token
    #[command(hide = true, disable_help_flag = true, after_help = "Examples:\n  az account get-access-token")]
    Az(Foreign),
    /// Be `azd`, for a token
    #[command(
        hide = true,
        disable_help_flag = true,
        after_help = "Examples:\n  azd auth token --output json --scope S"
    )]
    Azd(Foreign),
    /// Run brokerd as a service of the user: by systemd, launchd or at logon
    #[command(after_help = "\
Examples:
  brokerctl service install
  brokerctl service status
  brokerctl service logs --follow
  brokerctl service uninstall")]
    Service(Service),
    /// Print the completions of a shell
    #[command(after_help = "\
Examples:
  brokerctl completions bash >~/.local/share/bash-completion/completions/brokerctl
  brokerctl completions zsh >~/.zfunc/_brokerctl         with ~/.zfunc in fpath, before compinit
  brokerctl completions fish >~/.config/fish/completions/brokerctl.fish
  brokerctl completions powershell | Out-String | Invoke-Expression")]
    Completions(Completions),
    /// Give the passphrase of the sealed file, which is asked for and not shown
    #[command(after_help = "\
Examples:
  brokerctl unlock                             the first time, it is chosen and asked for twice
  pass show brokerd | brokerctl unlock")]
    Unlock(Plain),
    /// Check everything: socket, versions, store, configuration, clock, proxies, certificates, providers
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

impl Cli {
    /// Returns how a person is asked. Programs that want JSON want that in JSON too, where a person does not look on.
    pub(crate) fn prompt(&self) -> Mode {
        match self.prompt {
            Some(mode) => mode,
            None if self.plain => Mode::Plain,
            None if self.command.wants_json() => Mode::JsonUnlessTerminal,
            None => Mode::Auto,
        }
    }

    /// Returns how failures are told.
    pub(crate) fn voice(&self) -> Voice {
        if self.prompt().is_json() {
            return if self.command.wants_json() && self.prompt != Some(Mode::Json) {
                Voice::Json
            } else {
                Voice::Event
            };
        }
        if self.command.wants_json() { Voice::Json } else { Voice::Text }
    }
}

impl Command {
    /// Returns whether failures are to be JSON too.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::GetToken(options) => options.output == TokenFormat::Json,
            Self::ClientSecret(options) => options.command.target().plain.is_json(),
            Self::Az(_) | Self::Azd(_) | Self::Completions(_) | Self::Exec(_) | Self::Helper(_) => false,
            Self::Login(options) => options.plain.is_json(),
            Self::Profile(options) => options.command.plain().is_json(),
            Self::Service(options) => options.command.is_json(),
            Self::Logout(options) => options.plain.is_json(),
            Self::Prompts(options) => match &options.command {
                Some(PromptsCommand::Cancel(cancel)) => cancel.plain.is_json(),
                Some(PromptsCommand::Open(open)) => open.plain.is_json(),
                None => options.plain.is_json(),
            },
            Self::Accounts(plain)
            | Self::Doctor(plain)
            | Self::Reload(plain)
            | Self::Unlock(plain)
            | Self::Watch(plain) => plain.is_json(),
            Self::Status(options) => options.plain.is_json(),
        }
    }
}

/// Another program's arguments.
#[derive(Args, Debug)]
pub(crate) struct Foreign {
    /// As they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    /// Show it again whenever it changes
    #[arg(short, long)]
    pub(crate) watch: bool,
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

#[cfg(test)]
mod tests;
