//! The workspace's binaries, built once a test process.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where the binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The daemon.
    pub brokerd: PathBuf,
    /// The command.
    pub brokerctl: PathBuf,
}

/// Returns the binaries, built by the first call: `BROKERD_TEST_BIN_DIR` names a directory to take them from instead.
pub fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| build(Stdio::piped()).unwrap_or_else(|error| panic!("{error}")))
}

/// Builds the binaries with the profile of the running program, into the same target directory.
///
/// `stderr` is where cargo's progress goes; what a pipe collected is part of the error.
pub fn build(stderr: Stdio) -> io::Result<Binaries> {
    if let Some(directory) = env::var_os("BROKERD_TEST_BIN_DIR") {
        return Binaries::within(Path::new(&directory));
    }
    let directory = profile_directory()?;
    let target = directory.parent().ok_or_else(|| io::Error::other("no target directory"))?;
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    // What cargo says of the program that runs. `ring` is built anew whenever that changes, and all that stands on it.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    let output = command
        // This package is named so that its features count: the dependencies are those it was built with already.
        .args(["build", "--package=broker-tests", "--package=brokerd", "--package=brokerctl"])
        .args(["--bin=brokerd", "--bin=brokerctl", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(stderr)
        .output()?;
    if !output.status.success() {
        let progress = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("cargo build: {}\n{progress}", output.status)));
    }
    Binaries::within(&directory)
}

impl Binaries {
    fn within(directory: &Path) -> io::Result<Self> {
        let found = |name: &str| {
            let path = directory.join(format!("{name}{}", env::consts::EXE_SUFFIX));
            let failed = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
            path.metadata().map_err(failed)?;
            // Absolute: the processes run in another directory.
            std::path::absolute(&path).map_err(failed)
        };
        Ok(Self { brokerd: found("brokerd")?, brokerctl: found("brokerctl")? })
    }
}

/// Returns the directory of the profile this program was built with: tests run in its `deps`.
fn profile_directory() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let directory = program.parent().ok_or_else(|| io::Error::other("a program without a directory"))?;
    Ok(match directory.file_name() {
        Some(name) if name == "deps" => directory.parent().unwrap_or(directory).to_owned(),
        _ => directory.to_owned(),
    })
}
