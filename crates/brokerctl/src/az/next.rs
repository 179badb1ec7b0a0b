//! The program of the same name that a link of ours hides.

use std::path::PathBuf;
use std::process::Command;

use broker_client::{ErrorBody, ErrorCode};

use crate::failure::{Failure, say};

/// Runs it with these arguments, in our place.
pub(super) fn run(name: &str, arguments: &[String]) -> Result<(), Failure> {
    let Some(program) = find(name) else {
        let words: Vec<_> = arguments.iter().map(|word| crate::clean::line(word)).collect();
        say(&format!(
            "ERROR: this {name} is brokerd's, which has tokens only, and there is no other {name} in PATH for: {}\n",
            words.join(" ")
        ));
        return Err(Failure::Told(2));
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    let failed = |error: std::io::Error| {
        ErrorBody::new(ErrorCode::BadRequest, format!("cannot run {}: {error}", program.display())).into()
    };
    replace(command).map_err(failed)
}

#[cfg(unix)]
fn replace(mut command: Command) -> std::io::Result<()> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> std::io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("it ended with {status}"))) }
}

/// The first one in `PATH` that is not this program under another name.
fn find(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).ok()?;
    let path = std::env::var_os("PATH")?;
    let is_another = |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|found| found != own && found.is_file());
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(is_another)
}
