//! What packages have beside the programs: man pages, completions, and the licences of what is linked.
//!
//! Pages and completions come from the arguments that `--help` shows, and from here, so that the programs need not carry what makes
//! them.

mod licences;
mod man;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};

/// Writes `man/`, `completions/` and `THIRD-PARTY-LICENSES` into a directory.
///
/// `date` is the pages' (`2026-11-28`), `target` the platform whose dependencies count. It fails where a file cannot be written or a
/// dependency's sources are not there.
pub fn write(directory: &Path, date: &str, target: &str) -> anyhow::Result<()> {
    let (pages, completions) = (directory.join("man"), directory.join("completions"));
    for directory in [&pages, &completions] {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    for mut command in programs() {
        man::write(command.clone(), date, &pages)?;
        let name = command.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            generate_to(shell, &mut command, &name, &completions)?;
        }
    }
    fs::write(directory.join("THIRD-PARTY-LICENSES"), licences::text(target)?)?;
    Ok(())
}

/// Returns the arguments of `brokerd` and of `brokerctl`.
pub fn programs() -> [Command; 2] {
    [brokerd::arguments::Arguments::command().name("brokerd").bin_name("brokerd"), brokerctl::command()]
}
