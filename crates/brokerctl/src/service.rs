//! brokerd under the service manager of the platform: the user's systemd, launchd, or what Windows starts at logon.
//!
//! The files are those of the repository's `systemd/` and `launchd/`, which packages install as well; only the path of the programs
//! is another.

#[cfg(unix)]
mod files;
#[cfg(any(target_os = "macos", all(test, unix)))]
mod launchd;
#[cfg(any(windows, test))]
mod run_key;
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(unix)]
mod tool;

use std::path::PathBuf;
use std::process::Command;

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};
use serde::Serialize;

use crate::editor;
use crate::failure::Failure;
#[cfg(target_os = "macos")]
use launchd as platform;
#[cfg(windows)]
use run_key as platform;
#[cfg(target_os = "linux")]
use systemd as platform;

/// What is to run, and what may be done for it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The daemon.
    pub(crate) brokerd: PathBuf,
    /// This command.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only a unit names it"))]
    pub(crate) brokerctl: PathBuf,
    /// Whether files that somebody edited may be replaced or removed.
    pub(crate) force: bool,
}

impl Plan {
    pub(crate) fn new(force: bool) -> Result<Self, Failure> {
        let brokerd = editor::find().ok_or_else(|| {
            ErrorBody::new(ErrorCode::NotFound, "brokerd is neither beside brokerctl nor in PATH")
                .with_hint("install it: cargo install --locked --path crates/brokerd")
        })?;
        let own = std::env::current_exe().and_then(|program| program.canonicalize());
        let brokerctl = own.map_err(|error| ErrorBody::new(ErrorCode::Internal, format!("where am I? {error}")))?;
        Ok(Self { brokerd, brokerctl, force })
    }
}

/// What was done, step by step.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    /// `systemd`, `launchd` or `run_key`.
    pub(crate) manager: &'static str,
    /// In the past tense; empty where everything was as it should be.
    #[serde(rename = "done")]
    pub(crate) steps: Vec<String>,
    /// What is as it should be already, or stays.
    pub(crate) unchanged: Vec<String>,
}

/// How the service is.
#[derive(Debug, Default, Serialize)]
pub(crate) struct State {
    /// `systemd`, `launchd` or `run_key`.
    pub(crate) manager: &'static str,
    /// Whether its files are there.
    pub(crate) installed: bool,
    /// Whether it starts by itself: at login, or when it is first asked.
    pub(crate) enabled: bool,
    /// Whether the daemon runs, started by the service manager.
    pub(crate) running: bool,
    /// Its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
    /// The files, and what may be odd about them.
    pub(crate) files: Vec<FileState>,
}

/// One file of the service.
#[derive(Debug, Serialize)]
pub(crate) struct FileState {
    /// Where.
    pub(crate) path: String,
    /// `as_written`, `edited`, or `other` if it is not this command that wrote it.
    pub(crate) state: &'static str,
}

/// Installs, enables and starts it. Doing it again changes nothing.
pub(crate) fn install(client: &Client, plan: &Plan) -> Result<Done, Failure> {
    platform::install(client, plan)
}

/// Stops it and takes everything back, but for the user's configuration, state and keyring.
pub(crate) fn uninstall(plan: &Plan) -> Result<Done, Failure> {
    platform::uninstall(plan)
}

/// Looks, and starts nothing.
pub(crate) fn state(plan: &Plan) -> Result<State, Failure> {
    platform::state(plan)
}

/// Returns the command that prints the log.
pub(crate) fn logs(follow: bool, lines: u32) -> Result<Command, Failure> {
    platform::logs(follow, lines)
}

/// What cannot be done for lack of a service manager, and what to do instead.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "elsewhere there always is one"))]
fn no_manager(why: &str, plan: Option<&Plan>) -> Failure {
    let brokerd = plan.map_or_else(|| "brokerd".into(), |plan| plan.brokerd.display().to_string());
    ErrorBody::new(ErrorCode::NoServiceManager, why)
        .with_hint(format!("run it without one, in the background or as what the container runs: {brokerd} &"))
        .into()
}

/// A path as text, for files that are text.
fn text(path: &std::path::Path) -> Result<&str, Failure> {
    path.to_str().filter(|path| !path.contains(char::is_control)).ok_or_else(|| {
        ErrorBody::new(ErrorCode::Configuration, format!("a service cannot name {}", path.display()))
            .with_hint("install the programs in a directory with an ordinary name")
            .into()
    })
}
