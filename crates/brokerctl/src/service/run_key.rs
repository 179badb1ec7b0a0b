//! Windows: what the user's `Run` key names is started at logon, in the user's own session.

use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(windows)]
use std::process::Stdio;

#[cfg(windows)]
use broker_client::blocking::Client;
#[cfg(windows)]
use broker_client::{ErrorBody, ErrorCode};

use super::Plan;
use super::text;
#[cfg(windows)]
use super::{Done, FileState, State};
use crate::failure::Failure;

#[cfg(windows)]
const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
/// The value in it, as people write it.
#[cfg(windows)]
const PLACE: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run\brokerd";
#[cfg(windows)]
const VALUE: &str = "brokerd";
#[cfg(windows)]
const MANAGER: &str = "run_key";

#[cfg(windows)]
pub(super) fn install(client: &Client, plan: &Plan) -> Result<Done, Failure> {
    let (mut done, mut unchanged) = (Vec::new(), Vec::new());
    let wanted = command_line(plan)?;
    match read(KEY) {
        Some(found) if found == wanted => unchanged.push(format!("{PLACE} names it")),
        Some(found) if !plan.force && !is_ours(&found) => {
            return Err(edited(&found, "nothing was done; --force replaces it"));
        }
        _ => {
            write(KEY, &wanted).map_err(|error| unwritten(&error))?;
            done.push(format!("wrote {PLACE}: {wanted}"));
        }
    }
    if let Some(status) = crate::editor::running(client)? {
        unchanged.push(format!("brokerd {} runs, as process {}", status.version, status.pid));
    } else {
        // A shell that reads what this command prints is not to wait for brokerd's end.
        broker_windows::process::keep_standard_handles();
        let mut program = Command::new(windowless(&plan.brokerd));
        let spawned = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        spawned.map_err(|error| ErrorBody::new(ErrorCode::Internal, format!("brokerd does not start: {error}")))?;
        done.push("started brokerd".into());
    }
    Ok(Done { manager: MANAGER, steps: done, unchanged })
}

#[cfg(windows)]
pub(super) fn uninstall(plan: &Plan) -> Result<Done, Failure> {
    let mut done = Vec::new();
    if let Some(found) = read(KEY) {
        if !plan.force && !is_ours(&found) {
            return Err(edited(&found, "nothing was done; --force removes it"));
        }
        remove(KEY).map_err(|error| unwritten(&error))?;
        done.push(format!("removed {PLACE}"));
    }
    let unchanged = vec![
        "a brokerd that runs stays until the session ends; brokerctl status names its process, taskkill /f /pid ends it"
            .into(),
        "the configuration, and the sign-ins in the Credential Manager, stay; brokerctl logout --all ends them".into(),
    ];
    Ok(Done { manager: MANAGER, steps: done, unchanged })
}

#[cfg(windows)]
pub(super) fn state(plan: &Plan) -> Result<State, Failure> {
    let found = read(KEY);
    let ours = found.as_deref() == Some(command_line(plan)?.as_str());
    let state = if ours { "as_written" } else { "other" };
    let files = found.iter().map(|_| FileState { path: PLACE.into(), state }).collect();
    Ok(State { manager: MANAGER, installed: found.is_some(), enabled: found.is_some(), files, ..State::default() })
}

/// The log of the brokerd that was started at logon: `brokerdw` has made it.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may not be known where the log is")]
pub(super) fn logs(follow: bool, lines: u32) -> Result<Command, Failure> {
    Ok(tail(follow, lines))
}

/// Windows has no `tail`; its shell reads the variable, so no path is quoted here.
fn tail(follow: bool, lines: u32) -> Command {
    let wait = if follow { " -Wait" } else { "" };
    let script = format!(
        r"Get-Content -LiteralPath (Join-Path $env:LOCALAPPDATA 'brokerd\brokerd.log') -Encoding UTF8 -Tail {lines}{wait}"
    );
    let mut command = Command::new("powershell.exe");
    command.args(["-NoProfile", "-NonInteractive", "-Command", &script]);
    command
}

/// The program that starts brokerd without a window, where it was installed.
fn windowless(brokerd: &Path) -> PathBuf {
    let beside = brokerd.with_file_name("brokerdw.exe");
    if beside.is_file() { beside } else { brokerd.to_owned() }
}

/// What the key is to have.
fn command_line(plan: &Plan) -> Result<String, Failure> {
    let program = windowless(&plan.brokerd);
    Ok(format!("\"{}\"", as_typed(text(&program)?)))
}

/// A path as people type it. Rust's own spelling, `\\?\C:\…` and `\\?\UNC\server\…`, is one that the shell does not start.
fn as_typed(path: &str) -> String {
    match path.strip_prefix(r"\\?\") {
        Some(rest) => rest.strip_prefix(r"UNC\").map_or_else(|| rest.to_owned(), |share| format!(r"\\{share}")),
        None => path.to_owned(),
    }
}

/// Whether a value of the key is one of brokerd's, wherever that is.
fn is_ours(found: &str) -> bool {
    let bare = found.trim_matches('"').to_ascii_lowercase();
    bare.ends_with("\\brokerdw.exe") || bare.ends_with("\\brokerd.exe")
}

#[cfg(windows)]
fn edited(found: &str, hint: &str) -> Failure {
    ErrorBody::new(ErrorCode::Configuration, format!("{PLACE} has been edited: {found}")).with_hint(hint).into()
}

#[cfg(windows)]
fn unwritten(error: &impl std::fmt::Display) -> Failure {
    ErrorBody::new(ErrorCode::Internal, format!("{PLACE} cannot be written: {error}")).into()
}

/// The value there is; of another type it is none of ours.
#[cfg(windows)]
fn read(key: &str) -> Option<String> {
    windows_registry::CURRENT_USER.open(key).and_then(|key| key.get_string(VALUE)).ok()
}

#[cfg(windows)]
fn write(key: &str, command_line: &str) -> windows_registry::Result<()> {
    windows_registry::CURRENT_USER.create(key)?.set_string(VALUE, command_line)
}

#[cfg(windows)]
fn remove(key: &str) -> windows_registry::Result<()> {
    windows_registry::CURRENT_USER.options().write().open(key)?.remove_value(VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_key_names_the_program_in_quotes() {
        let directory = tempfile::Builder::new().prefix("Program Files").tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let plan = Plan { brokerd: at("brokerd.exe"), brokerctl: at("brokerctl.exe"), force: false };
        assert_eq!(command_line(&plan).unwrap(), format!("\"{}\"", plan.brokerd.display()), "all there is");
        std::fs::write(at("brokerdw.exe"), "").unwrap();
        let line = command_line(&plan).unwrap();
        assert_eq!(line, format!("\"{}\"", at("brokerdw.exe").display()));
        assert!(is_ours(r#""C:\a b\brokerdw.exe""#) && is_ours(r"D:\Brokerd.EXE") && !is_ours(r"C:\evil.exe"));
    }

    #[test]
    fn the_program_is_named_as_people_type_it() {
        for (path, typed) in [
            (r"\\?\C:\a\brokerd.exe", r"C:\a\brokerd.exe"),
            (r"\\?\UNC\server\share\brokerd.exe", r"\\server\share\brokerd.exe"),
            (r"\\server\share\brokerd.exe", r"\\server\share\brokerd.exe"),
            (r"C:\UNC\brokerd.exe", r"C:\UNC\brokerd.exe"),
        ] {
            assert_eq!(as_typed(path), typed);
        }
    }

    #[cfg(windows)]
    #[test]
    fn the_value_is_read_as_it_was_written_in_whatever_letters() {
        let key = format!(r"Software\brokerd-test-{}", std::process::id());
        assert_eq!(read(&key), None);
        for line in [r#""C:\Users\Zoë\brokerdw.exe""#, r#""C:\Users\田中\brokerdw.exe""#] {
            write(&key, line).unwrap();
            assert_eq!(read(&key).as_deref(), Some(line));
        }
        remove(&key).unwrap();
        assert_eq!(read(&key), None);
        windows_registry::CURRENT_USER.remove_tree(&key).unwrap();
    }

    #[test]
    fn the_log_is_shown_by_the_shell_of_windows() {
        let script = |follow, lines| {
            let command = tail(follow, lines);
            command.get_args().last().unwrap().to_str().unwrap().to_owned()
        };
        assert!(script(false, 50).ends_with(r"'brokerd\brokerd.log') -Encoding UTF8 -Tail 50"));
        assert!(script(true, 1).ends_with("-Tail 1 -Wait"));
    }
}
