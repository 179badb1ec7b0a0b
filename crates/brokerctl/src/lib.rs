//! The terminal's way to brokerd. It speaks to nobody but the socket; stdout carries the answer and nothing else.
//!
//! A library only so that the man pages and the completions of packages are made from the arguments that `--help` shows, by a
//! program that is not shipped (`packaging/`).

mod az;
mod clean;
mod cli;
mod clock;
mod commands;
mod duration;
mod editor;
mod exec;
mod failure;
mod helper;
mod hidden;
#[cfg(test)]
#[cfg(unix)] // what draws is there alone
mod hostile;
mod id_token;
mod links;
mod locale;
mod output;
mod panics;
mod prompt;
mod rejected;
mod service;
#[cfg(unix)]
mod terminal;

use std::process::ExitCode;

use broker_client::Endpoint;
use broker_client::blocking::Client;
use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::prompt::Prompter;

/// Returns the arguments, as `--help` shows them.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs `brokerctl` with the process's arguments, and returns what it ends with.
pub fn run() -> ExitCode {
    let cli = Cli::read();
    panics::told(cli.voice(), || match obey(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if matches!(cli.command, Command::Helper(_)) => failure.tell_line().into(),
        Err(failure) => failure.report(cli.voice()),
    })
}

fn obey(cli: &Cli) -> Result<(), Failure> {
    let endpoint = Endpoint::resolve(cli.socket.as_deref())?;
    let client = Client::new(endpoint.clone());
    // What an SDK runs says what `az` says.
    if !matches!(cli.command, Command::Az(_) | Command::Azd(_)) {
        cli.prompt().check();
    }
    let mut prompter = Prompter::new(cli.prompt());
    match &cli.command {
        Command::Accounts(options) => commands::accounts::list(&client, options),
        Command::ClientSecret(options) => commands::client_secret::run(&client, cli.prompt(), options),
        Command::Doctor(options) => commands::doctor::run(&client, options),
        Command::GetToken(options) => commands::token::get(&client, &mut prompter, options),
        Command::Az(options) => az::az(&client, cli.prompt(), &options.arguments),
        Command::Azd(options) => az::azd(&client, cli.prompt(), &options.arguments),
        Command::Exec(options) => exec::run(&endpoint, &mut prompter, options),
        Command::Helper(options) => helper::run(&client, cli.prompt(), &options.kind),
        Command::Login(options) => commands::token::login(&client, &mut prompter, options),
        Command::Logout(options) => commands::accounts::logout(&client, options),
        Command::Profile(options) => commands::profile::run(&client, cli.prompt(), options),
        Command::Prompts(options) => commands::prompts::run(client, options),
        Command::Reload(options) => commands::reload::run(&client, options),
        Command::Service(options) => commands::service::run(&client, options),
        Command::Completions(options) => commands::completions(options.shell),
        Command::Status(options) => commands::status::run(client, cli.prompt(), options),
        Command::Unlock(options) => commands::unlock::run(&client, options),
        Command::Watch(options) => commands::watch::run(client, cli.prompt(), options),
    }
}
