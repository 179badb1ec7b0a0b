//! The program of the same name that a link of ours hides.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use broker_client::{ErrorBody, ErrorCode};

use crate::clean;
use crate::failure::{Failure, say};

/// The programs that have passed this command on, as `PATH` is written.
const PASSED: &str = "BROKERCTL_PASSED_BY";

/// Runs it with these arguments, in our place.
pub(super) fn run(name: &str, arguments: &[OsString]) -> Result<(), Failure> {
    let Some(program) = find(name) else {
        // Behind the first option there may be a secret.
        let words = arguments.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> =
            words.take_while(|word| !word.starts_with('-')).map(|word| clean::line(&word).into_owned()).collect();
        let more = if words.len() < arguments.len() { " with these options" } else { "" };
        say(&format!(
            "ERROR: this {name} is brokerd's, which has tokens only, and there is no other {name} in PATH for: {}{more}\n",
            words.join(" ")
        ));
        return Err(Failure::Told(2));
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    // A path with a colon in it stands in no list.
    if let Ok(passed) = std::env::join_paths(passed().unwrap_or_default()) {
        command.env(PASSED, passed);
    }
    let failed = |error: std::io::Error| {
        ErrorBody::new(ErrorCode::BadRequest, format!("cannot run {}: {error}", program.display())).into()
    };
    replace(command).map_err(failed)
}

/// This program, and those like it, as another version, that have passed the command on: of two, each would be the other's next.
fn passed() -> Option<Vec<PathBuf>> {
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).ok()?;
    let before = std::env::var_os(PASSED).unwrap_or_default();
    let others = std::env::split_paths(&before).filter(|path| path.is_absolute() && *path != own);
    Some(others.chain([own.clone()]).collect())
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

/// The first one in `PATH` that is not this program under another name, nor one like it that has passed this on.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let passed = passed()?;
    let path = std::env::var_os("PATH")?;
    let is_another =
        |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|found| !passed.contains(&found) && found.is_file());
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(is_another)
}
