//! The one who changes the configuration: `brokerd --edit-config`, which knows every key and checks before it writes.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use broker_client::blocking::Client;
use broker_client::{ClientError, ErrorBody, ErrorCode, Status};
use broker_ipc::edit::ConfigEdit;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// What clap ends with that does not know `--edit-config`.
const USAGE: i32 = 2;

/// brokerd as an editor of one configuration file.
pub(crate) struct Editor {
    program: PathBuf,
    /// None: the file of brokerd's own choice.
    config: Option<PathBuf>,
}

impl Editor {
    /// An editor of the file that is named, else of the one that the running daemon uses, else of the one that it would use.
    pub(crate) fn new(config: Option<&Path>, running: Option<&Status>) -> Result<Self, Failure> {
        let of_the_daemon = || running.map(|status| PathBuf::from(&status.configuration.path));
        let config = config.map(Path::to_owned).or_else(of_the_daemon);
        let program = find().ok_or_else(|| {
            ErrorBody::new(
                ErrorCode::NotFound,
                "brokerd, which edits the configuration, is neither beside brokerctl nor in PATH",
            )
            .with_hint("run this where brokerd is installed; brokerctl status lists the profiles in force")
        })?;
        Ok(Self { program, config })
    }

    /// Asks for a change, or for what there is. It takes milliseconds: brokerd speaks to nobody meanwhile.
    pub(crate) fn ask<T: DeserializeOwned>(&self, edit: &ConfigEdit) -> Result<T, Failure> {
        let request = serde_json::to_vec(edit).map_err(|error| self.nonsense(&error.to_string()))?;
        let output = self.run(&request).map_err(|error| self.nonsense(&error.to_string()))?;
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).map_err(|error| self.nonsense(&error.to_string()).into());
        }
        Err(match serde_json::from_slice::<ErrorBody>(&output.stdout) {
            Ok(body) => body.into(),
            Err(_) => self.silent(output.status).into(),
        })
    }

    fn run(&self, request: &[u8]) -> io::Result<Output> {
        let mut command = Command::new(&self.program);
        command.arg("--edit-config");
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        // One that does not read ends all the same, and says why by its exit code. Closed at once, so that it is read to its end.
        drop(child.stdin.take().map(|mut stdin| stdin.write_all(request)));
        child.wait_with_output()
    }

    fn silent(&self, status: ExitStatus) -> ErrorBody {
        let old = status.code() == Some(USAGE);
        let why =
            if old { "is older than brokerctl and edits no configuration" } else { "has not said what went wrong" };
        ErrorBody::new(ErrorCode::Internal, format!("{} {why} ({status})", self.program.display()))
            .with_hint("install brokerd and brokerctl of one version")
    }

    fn nonsense(&self, why: &str) -> ClientError {
        ErrorBody::new(ErrorCode::Internal, format!("{} --edit-config: {why}", self.program.display())).into()
    }
}

/// The status of the daemon; none if it does not run.
///
/// Not running is no failure here, and one that runs but does not answer is.
pub(crate) fn running(client: &Client) -> Result<Option<Status>, Failure> {
    match client.status() {
        Ok(status) => Ok(Some(status)),
        Err(ClientError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// brokerd as it was installed with this brokerctl, else as the shell would find it.
pub(crate) fn find() -> Option<PathBuf> {
    let name = format!("brokerd{}", env::consts::EXE_SUFFIX);
    let own = env::current_exe().and_then(|program| program.canonicalize());
    let beside = own.ok().and_then(|program| Some(program.parent()?.to_owned()));
    let path = env::var_os("PATH").unwrap_or_default();
    // A relative directory would be another one in each place.
    let directories = beside.into_iter().chain(env::split_paths(&path)).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(&name)).find(|program| program.is_file())
}
