//! The program of the same name that a link of ours hides.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use broker_client::{ErrorBody, ErrorCode};

use crate::clean;
use crate::failure::{Failure, ended, say};

/// The programs that have passed this command on, as `PATH` is written: one of them as often as it did.
const PASSED: &str = "BROKERCTL_PASSED_BY";
/// How often one may: the next program may come back to us with a command of its own, and a script of that name that runs us comes
/// back for ever.
const MOST: usize = 10;

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
    replace(command).map_err(failed).and_then(ended)
}

/// This program, and those like it, as another version, that have passed the command on: of two, each would be the other's next. None
/// where it goes in a circle.
fn passed() -> Option<Vec<PathBuf>> {
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).ok()?;
    let before = std::env::var_os(PASSED).unwrap_or_default();
    let before: Vec<_> = std::env::split_paths(&before).filter(|path| path.is_absolute()).collect();
    let is_a_circle = before.iter().filter(|path| **path == own).count() >= MOST;
    (!is_a_circle).then(|| before.into_iter().chain([own]).collect())
}

#[cfg(unix)]
fn replace(mut command: Command) -> std::io::Result<i32> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

#[cfg(windows)]
fn replace(mut command: Command) -> std::io::Result<i32> {
    broker_windows::console::leave_keys_to_others()?;
    Ok(command.status()?.code().unwrap_or(1))
}

/// The names of the files that run by a name: on Windows with each ending that the shell takes, `az.cmd` by `az`.
fn files(name: &str) -> Vec<String> {
    if cfg!(not(windows)) {
        return vec![name.to_owned()];
    }
    let endings = std::env::var("PATHEXT").unwrap_or_else(|_| ".COM;.EXE;.BAT;.CMD".to_owned());
    endings.split(';').filter(|ending| !ending.is_empty()).map(|ending| format!("{name}{ending}")).collect()
}

/// The first one in `PATH` that is not this program under another name, nor one like it that has passed this on.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let passed = passed()?;
    let path = std::env::var_os("PATH")?;
    let is_another =
        |candidate: &PathBuf| candidate.canonicalize().is_ok_and(|found| !passed.contains(&found) && found.is_file());
    let files = files(name);
    std::env::split_paths(&path).flat_map(|place| files.iter().map(move |file| place.join(file))).find(is_another)
}
