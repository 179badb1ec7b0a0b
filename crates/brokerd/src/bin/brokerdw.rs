//! Starts `brokerd` without a window, for the start at logon on Windows: what `pythonw` is to `python`.
//!
//! A program with a console, started from the `Run` key, would have its console shown. This one has none, and gives brokerd
//! one that is never shown. It takes brokerd's arguments, writes its log to `%LOCALAPPDATA%\brokerd\brokerd.log` (the one before is
//! kept as `brokerd.old.log`), and ends at once. Where a brokerd runs already, the next one will refuse to, and says so in its log.
#![windows_subsystem = "windows"]

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    use std::fs::{self, File};
    use std::os::windows::process::CommandExt as _;
    use std::process::{Command, Stdio};

    /// A console of its own, without a window.
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;

    broker_windows::process::keep_standard_handles();
    let directory = brokerd::paths::state_dir();
    fs::create_dir_all(&directory)?;
    let log = directory.join("brokerd.log");
    if !is_running(&directory) {
        // There may be none yet.
        drop(fs::rename(&log, directory.join("brokerd.old.log")));
    }
    Command::new(std::env::current_exe()?.with_file_name("brokerd.exe"))
        .args(std::env::args_os().skip(1))
        .current_dir(&directory)
        .creation_flags(CREATE_NO_WINDOW)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::options().create(true).append(true).open(log)?)
        .spawn()?;
    Ok(())
}

/// Returns whether a brokerd is there that this one could not join: with this state, or at this endpoint.
#[cfg(windows)]
fn is_running(state_dir: &std::path::Path) -> bool {
    use std::time::Duration;

    use broker_ipc::connect::{ConnectError, blocking};
    use broker_ipc::deadline::Deadline;
    use broker_ipc::endpoint::Endpoint;
    use brokerd::arguments::Arguments;
    use clap::Parser as _;

    let socket = Arguments::try_parse().ok().and_then(|arguments| arguments.socket);
    let answers = |endpoint| {
        let connected = blocking::connect(&endpoint, Deadline::after(Duration::from_secs(1)));
        !matches!(connected, Err(ConnectError::NotRunning { .. }))
    };
    brokerd::harden::alone(state_dir).is_err() || Endpoint::resolve(socket.as_deref()).is_ok_and(answers)
}

#[cfg(not(windows))]
fn main() -> std::process::ExitCode {
    // Nobody needs it elsewhere: service managers start brokerd without a terminal.
    std::process::ExitCode::FAILURE
}
