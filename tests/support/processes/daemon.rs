//! A brokerd that runs until it is dropped, killed or asked to leave.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{self, Instant};

use super::binaries::{Binaries, binaries};
use super::home::Home;
use crate::canary::Canary;

/// A running daemon; dropping it kills its process, and only that.
///
/// However it ends, no secret of its home may then stand in its log, in what `/proc` shows of it, or on disk.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    socket: PathBuf,
    state: PathBuf,
    canary: Arc<Canary>,
}

impl Daemon {
    /// Starts one with this configuration and returns when it answers.
    pub async fn start(home: &Home, config: &str) -> Self {
        Self::launch(home).config(config).start().await
    }

    /// Prepares one.
    pub fn launch(home: &Home) -> Launch<'_> {
        Launch { home, config: None, under: Vec::new(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// Returns its process id; none once it is known to have ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns its endpoint.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns what it and its predecessors in this home wrote, to stderr or to stdout.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Kills it as `kill -9` does.
    pub async fn kill9(mut self) {
        self.check_process();
        self.child.kill().await.unwrap_or_else(|error| panic!("kill -9: {error}"));
    }

    /// Asks it to leave (SIGTERM) and returns how it went. Its own limit is ten seconds.
    #[cfg(unix)]
    pub async fn sigterm(mut self) -> ExitStatus {
        self.check_process();
        self.signal(rustix::process::Signal::TERM);
        self.exited().await
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        let pid = pid.unwrap_or_else(|| panic!("it has ended already; its log:\n{}", self.log()));
        rustix::process::kill_process(pid, signal).unwrap_or_else(|error| panic!("{signal:?}: {error}"));
    }

    /// Waits until its log is as wanted, and returns that. Polling: a file tells nobody that it grows.
    pub async fn log_until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let limit = Instant::now() + START_LIMIT;
        loop {
            let log = self.log();
            if wanted(&log) {
                return log;
            }
            assert!(Instant::now() < limit, "not in brokerd's log after {START_LIMIT:?}:\n{log}");
            time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits at most so long for it to end without our doing, and returns how it did.
    pub async fn ended(&mut self, within: Duration) -> io::Result<Option<ExitStatus>> {
        time::timeout(within, self.child.wait()).await.ok().transpose()
    }

    /// Waits until it has ended by itself.
    pub async fn exited(&mut self) -> ExitStatus {
        match time::timeout(EXIT_LIMIT, self.child.wait()).await {
            Ok(status) => status.unwrap_or_else(|error| panic!("wait: {error}")),
            Err(elapsed) => panic!("brokerd did not end: {elapsed}; its log:\n{}", self.log()),
        }
    }

    /// Sends a request to the LocalAPI and returns the answer's status and body.
    #[cfg(unix)]
    pub async fn request(
        &self,
        request: hyper::Request<http_body_util::Full<bytes::Bytes>>,
    ) -> io::Result<(u16, String)> {
        let stream = tokio::net::UnixStream::connect(&self.socket).await?;
        crate::exchange::exchange(stream, request).await
    }

    #[cfg(unix)]
    async fn answers(&self) -> bool {
        let status = self.request(crate::exchange::get("localhost", "/v1/status"));
        let status = time::timeout(Duration::from_secs(5), status).await;
        matches!(status, Ok(Ok((200, _))))
    }

    /// Elsewhere `brokerctl status` asks, which knows how to connect there.
    #[cfg(not(unix))]
    async fn answers(&self) -> bool {
        let mut command = tokio::process::Command::new(&binaries().brokerctl);
        command.arg("--socket").arg(&self.socket).arg("status");
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        status.is_ok_and(|status| status.success())
    }

    /// Asks until it answers. Polling, because a process that is starting has no other way to be asked.
    pub async fn ready(&mut self) -> io::Result<()> {
        let limit = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended at once ({status})")));
            }
            if self.answers().await {
                return Ok(());
            }
            if Instant::now() >= limit {
                return Err(self.failure(&format!("does not answer after {START_LIMIT:?}")));
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn check_process(&self) {
        if let Some(pid) = self.child.id() {
            self.canary.check_process(pid);
        }
    }

    fn failure(&self, what: &str) -> io::Error {
        io::Error::other(format!("brokerd {what}; its log:\n{}", self.log()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A second panic would end the test program without a report.
        if !self.canary.is_awake() || std::thread::panicking() {
            return;
        }
        self.check_process();
        self.canary.check("brokerd's log", self.log().as_bytes(), &[]);
        self.canary.check_directory(&self.state);
    }
}

/// How a daemon is started.
#[derive(Debug)]
pub struct Launch<'a> {
    home: &'a Home,
    config: Option<String>,
    under: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Launch<'_> {
    /// Writes this configuration first; without it, the home's stays as it is.
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config = Some(toml.into());
        self
    }

    /// Starts it by a program that becomes it, or runs beside it: that one's command line, to which brokerd's is added.
    ///
    /// A script in brokerd's place would be busy as long as a child that another test has forked meanwhile has it open.
    #[must_use]
    pub fn under<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.under = words.into_iter().map(Into::into).collect();
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().into());
        self
    }

    /// Adds to the environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Starts it and returns when it answers.
    pub async fn start(self) -> Daemon {
        self.try_start(binaries()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it and returns when it answers, or says why not.
    pub async fn try_start(self, binaries: &Binaries) -> io::Result<Daemon> {
        let mut daemon = self.spawn(binaries)?;
        daemon.ready().await?;
        Ok(daemon)
    }

    /// Starts it and returns at once: for daemons that are meant to refuse.
    pub fn spawn(self, binaries: &Binaries) -> io::Result<Daemon> {
        if let Some(config) = &self.config {
            self.home.write(self.home.config_file(), config.as_bytes())?;
        }
        let log = self.home.log_file();
        let stderr = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut words = self.under.iter().map(OsString::as_os_str).chain([binaries.brokerd.as_os_str()]);
        let mut command = self.home.command(words.next().map_or(&binaries.brokerd, Path::new));
        command.args(words);
        // A group of its own: Ctrl-C at the terminal is for whoever started the daemon, who then ends it.
        #[cfg(unix)]
        command.process_group(0);
        command
            .arg("--config")
            .arg(self.home.config_file())
            .arg("--socket")
            .arg(self.home.socket())
            .args(self.arguments);
        if self.home.canary().is_awake() {
            // What is not in this log is in none.
            command.env("BROKERD_LOG", "trace");
        }
        // What it would print is looked through with the log.
        let stdout = stderr.try_clone()?;
        command.envs(self.environment).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let (socket, state, canary) = (self.home.socket(), self.home.state(), Arc::clone(self.home.canary()));
        Ok(Daemon { child: command.spawn()?, log, socket, state, canary })
    }
}

/// How long a daemon may take to answer; a loaded machine needs some of it.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The daemon's own limit is ten seconds; two are for the machine.
const EXIT_LIMIT: Duration = Duration::from_secs(12);
