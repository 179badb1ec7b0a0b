//! Windows: what the user's `Run` key names is started at logon, in the user's own session. `reg.exe` reads and writes it.

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
use super::{Done, FileState, State, tool::run};
use crate::failure::Failure;

const KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";
const VALUE: &str = "brokerd";
#[cfg(windows)]
const MANAGER: &str = "run_key";

#[cfg(windows)]
pub(super) fn install(client: &Client, plan: &Plan) -> Result<Done, Failure> {
    let (mut done, mut unchanged) = (Vec::new(), Vec::new());
    let wanted = command_line(plan)?;
    match run(&mut query()).ok().as_deref().and_then(value) {
        Some(found) if found == wanted => unchanged.push(format!("{KEY} names it")),
        Some(found) if !plan.force && !is_ours(&found) => {
            return Err(ErrorBody::new(ErrorCode::Configuration, format!("{KEY}\\{VALUE} has been edited: {found}"))
                .with_hint("nothing was done; --force replaces it")
                .into());
        }
        _ => {
            run(&mut add(&wanted))?;
            done.push(format!("wrote {KEY}\\{VALUE}: {wanted}"));
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
    if let Some(found) = run(&mut query()).ok().as_deref().and_then(value) {
        if !plan.force && !is_ours(&found) {
            return Err(ErrorBody::new(ErrorCode::Configuration, format!("{KEY}\\{VALUE} has been edited: {found}"))
                .with_hint("nothing was done; --force removes it")
                .into());
        }
        run(&mut delete())?;
        done.push(format!("removed {KEY}\\{VALUE}"));
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
    let found = run(&mut query()).ok().as_deref().and_then(value);
    let ours = found.as_deref() == Some(command_line(plan)?.as_str());
    let state = if ours { "as_written" } else { "other" };
    let files = found.iter().map(|_| FileState { path: format!("{KEY}\\{VALUE}"), state }).collect();
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
    // A path of Rust's own spelling, \\?\C:\…, is one that the shell does not start.
    let program = windowless(&plan.brokerd);
    Ok(format!("\"{}\"", text(&program)?.trim_start_matches(r"\\?\")))
}

/// Whether a value of the key is one of brokerd's, wherever that is.
fn is_ours(found: &str) -> bool {
    let bare = found.trim_matches('"').to_ascii_lowercase();
    bare.ends_with("\\brokerdw.exe") || bare.ends_with("\\brokerd.exe")
}

fn query() -> Command {
    reg(&["query", KEY, "/v", VALUE])
}

fn add(command_line: &str) -> Command {
    reg(&["add", KEY, "/v", VALUE, "/t", "REG_SZ", "/d", command_line, "/f"])
}

fn delete() -> Command {
    reg(&["delete", KEY, "/v", VALUE, "/f"])
}

fn reg(words: &[&str]) -> Command {
    let mut command = Command::new("reg.exe");
    command.args(words);
    command
}

/// The value, in what `reg query` prints.
fn value(shown: &str) -> Option<String> {
    shown.lines().find_map(|line| {
        let (name, value) = line.trim().split_once("REG_SZ")?;
        (name.trim() == VALUE).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::tool::shown;
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
        assert_eq!(shown(&add(&line)), format!("reg.exe add {KEY} /v brokerd /t REG_SZ /d {line} /f"));
        assert!(shown(&query()).starts_with("reg.exe query HKCU\\") && shown(&delete()).ends_with("/v brokerd /f"));
    }

    #[test]
    fn the_log_is_shown_by_the_shell_of_windows() {
        assert!(shown(&tail(false, 50)).ends_with(r"'brokerd\brokerd.log') -Encoding UTF8 -Tail 50"));
        assert!(shown(&tail(true, 1)).ends_with("-Tail 1 -Wait"));
    }

    #[test]
    fn what_reg_prints_is_read() {
        let printed = "\r\nHKEY_CURRENT_USER\\Software\r\n    brokerd    REG_SZ    \"C:\\a b\\brokerdw.exe\"\r\n\r\n";
        let found = value(printed).unwrap();
        assert_eq!(found, "\"C:\\a b\\brokerdw.exe\"");
        assert!(is_ours(&found) && !is_ours("C:\\evil.exe"));
        assert_eq!(value("    other    REG_SZ    x"), None);
    }
}
