//! Programs that a test makes and runs.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program that may be run at once.
///
/// Another process writes it: were it this one, a child that another test starts meanwhile would have it open for writing until its own
/// `exec`, and the kernel runs nothing that is ("Text file busy").
pub fn write_program(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut writer = Command::new("/bin/sh")
        .args(["-c", "umask 077 && cat >\"$0\" && chmod 700 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()?;
    let written = writer.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(content));
    let status = writer.wait()?;
    written?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{}: {status}", path.display()))) }
}
