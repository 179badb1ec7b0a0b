//! Starts `brokerd` without a window, for the start at logon on Windows: what `pythonw` is to `python`.
//!
//! A program with a console, started from the `Run` key, would have its console shown. This one has none, and gives brokerd
//! one that is never shown, so that the end of the session reaches it as Ctrl-C does. It takes brokerd's arguments, writes its
//! log to `%LOCALAPPDATA%\brokerd\brokerd.log` (the one before is kept as `brokerd.old.log`), and ends at once.
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
    // There may be none yet.
    drop(fs::rename(&log, directory.join("brokerd.old.log")));
    Command::new(std::env::current_exe()?.with_file_name("brokerd.exe"))
        .args(std::env::args_os().skip(1))
        .current_dir(&directory)
        .creation_flags(CREATE_NO_WINDOW)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log)?)
        .spawn()?;
    Ok(())
}

#[cfg(not(windows))]
fn main() -> std::process::ExitCode {
    // Nobody needs it elsewhere: service managers start brokerd without a terminal.
    std::process::ExitCode::FAILURE
}
