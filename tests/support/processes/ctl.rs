//! brokerctl, run to its end or followed while it waits for a person.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time;

use super::binaries::{Binaries, binaries};
use super::home::Home;
use crate::canary::Canary;

/// How brokerctl is run.
pub struct Ctl<'a> {
    home: &'a Home,
    program: PathBuf,
    socket: PathBuf,
    environment: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    stderr: Stderr,
    limit: Duration,
}

/// Where brokerctl's stderr goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stderr {
    /// Into [`Output::stderr`].
    Capture,
    /// There, and to our own stderr.
    Echo,
    /// Straight to our own stderr: brokerctl then knows whether that is a terminal.
    Inherit,
}

impl<'a> Ctl<'a> {
    /// Runs brokerctl against the daemon of a home.
    pub fn new(home: &'a Home) -> Self {
        Self::with(home, binaries())
    }

    /// The same with binaries already at hand.
    pub fn with(home: &'a Home, binaries: &Binaries) -> Self {
        Self {
            home,
            program: binaries.brokerctl.clone(),
            socket: home.socket(),
            environment: Vec::new(),
            stdin: None,
            stderr: Stderr::Capture,
            limit: Duration::from_secs(60),
        }
    }

    /// Adds to the environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Leads it to another socket than the home's own.
    #[must_use]
    pub fn at(mut self, socket: impl Into<PathBuf>) -> Self {
        self.socket = socket.into();
        self
    }

    /// Gives it something to read; otherwise its stdin is empty.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Sends stderr elsewhere.
    #[must_use]
    pub fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self
    }

    /// Waits longer, or less long, than a minute.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    pub async fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.spawn(arguments).finish().await
    }

    /// Starts it.
    pub fn spawn<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        self.try_spawn(arguments).unwrap_or_else(|error| panic!("brokerctl: {error}"))
    }

    /// Starts it, or says why not.
    pub fn try_spawn<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> io::Result<Running> {
        let mut command: Command = self.home.command(&self.program);
        command.arg("--socket").arg(&self.socket).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(match self.stderr {
            Stderr::Capture | Stderr::Echo => Stdio::piped(),
            Stderr::Inherit => Stdio::inherit(),
        });
        let mut child = command.spawn()?;
        if let (Some(text), Some(mut stdin)) = (self.stdin.clone(), child.stdin.take()) {
            #[expect(clippy::disallowed_methods, reason = "it ends with the process it feeds")]
            drop(tokio::spawn(async move { stdin.write_all(&text).await }));
        }
        let stdout = Stream::new(child.stdout.take(), false);
        let stderr = Stream::new(child.stderr.take(), self.stderr == Stderr::Echo);
        Ok(Running { child, stdout, stderr, limit: self.limit, canary: Arc::clone(self.home.canary()) })
    }
}

/// What brokerctl left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The answer.
    pub stdout: String,
    /// Prompts, progress and diagnostics.
    pub stderr: String,
}

/// A brokerctl that runs; dropping it kills it.
pub struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    limit: Duration,
    canary: Arc<Canary>,
}

impl Running {
    /// Returns its process id; none once it is known to have ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Reads its stderr until what it wrote so far is as wanted, and returns that.
    pub async fn stderr_until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let limit = self.limit;
        let seen = self.stderr.until(wanted, limit).await;
        seen.unwrap_or_else(|error| panic!("brokerctl's stderr: {error}"))
    }

    /// The same, or says why not.
    pub async fn try_stderr_until(&mut self, wanted: impl Fn(&str) -> bool) -> io::Result<String> {
        self.stderr.until(wanted, self.limit).await
    }

    /// Reads its stdout until what it wrote so far is as wanted, and returns that.
    pub async fn stdout_until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let limit = self.limit;
        let seen = self.stdout.until(wanted, limit).await;
        seen.unwrap_or_else(|error| panic!("brokerctl's stdout: {error}"))
    }

    /// Presses Ctrl-C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        let pid = pid.expect("it has not ended");
        rustix::process::kill_process(pid, rustix::process::Signal::INT)
            .unwrap_or_else(|error| panic!("SIGINT: {error}"));
    }

    /// Kills it as `kill -9` does.
    pub async fn kill9(mut self) {
        self.child.kill().await.unwrap_or_else(|error| panic!("kill -9: {error}"));
    }

    /// Waits for its end.
    pub async fn finish(self) -> Output {
        self.try_finish().await.unwrap_or_else(|error| panic!("brokerctl: {error}"))
    }

    /// Waits for its end, or says why it did not come.
    pub async fn try_finish(mut self) -> io::Result<Output> {
        let Self { child, stdout, stderr, limit, canary } = &mut self;
        let ended = async { tokio::try_join!(child.wait(), stdout.rest(), stderr.rest()) };
        match time::timeout(*limit, ended).await {
            Ok(ended) => {
                let code = ended?.0.code();
                // The access token is the answer, the user code is for the person; nothing else leaves the daemon.
                canary.check("brokerctl's stdout", &stdout.seen, &["access_token", "id_token", "user_code"]);
                canary.check("brokerctl's stderr", &stderr.seen, &["user_code"]);
                Ok(Output { code, stdout: stdout.text(), stderr: stderr.text() })
            }
            Err(elapsed) => Err(io::Error::other(format!(
                "did not end: {elapsed}; stdout so far:\n{}\nstderr so far:\n{}",
                stdout.text(),
                stderr.text()
            ))),
        }
    }
}

/// One of a process's outputs and what came of it so far.
struct Stream {
    pipe: Option<Pin<Box<dyn AsyncRead + Send>>>,
    seen: Vec<u8>,
    echo: bool,
}

impl Stream {
    fn new(pipe: Option<impl AsyncRead + Send + 'static>, echo: bool) -> Self {
        Self { pipe: pipe.map(|pipe| Box::pin(pipe) as _), seen: Vec::new(), echo }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads some more; false at the end. Cancelling it loses nothing: bytes are kept as soon as they are read.
    async fn more(&mut self) -> io::Result<bool> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(false);
        };
        let before = self.seen.len();
        if pipe.read_buf(&mut self.seen).await? == 0 {
            return Ok(false);
        }
        if self.echo {
            io::stderr().write_all(&self.seen[before..])?;
        }
        Ok(true)
    }

    async fn rest(&mut self) -> io::Result<()> {
        while self.more().await? {}
        Ok(())
    }

    async fn until(&mut self, wanted: impl Fn(&str) -> bool, limit: Duration) -> io::Result<String> {
        let reading = async {
            while !wanted(&self.text()) {
                if !self.more().await? {
                    return Err(io::Error::other("ended before what was waited for"));
                }
            }
            Ok(())
        };
        let why = match time::timeout(limit, reading).await {
            Ok(Ok(())) => return Ok(self.text()),
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        Err(io::Error::other(format!("{why}; so far:\n{}", self.text())))
    }
}
