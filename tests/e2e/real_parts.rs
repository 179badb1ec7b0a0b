//! Parts that we did not write: an `OpenID` provider, the GNOME keyring, the kernel's keyring.
//!
//! `tests/run` prepares them and says so in the environment. Where a part is missing, a test gets
//! `None`, its name and the reason are on record, and it returns:
//!
//! ```ignore
//! let Some(mut provider) = OidcProvider::start("signs_in", &[("ACCESS_TTL", "5")])? else {
//!     return Ok(());
//! };
//! ```

mod gnome_keyring;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use url::Url;

pub(crate) use self::gnome_keyring::GnomeKeyring;

/// How long a real part may take to do what it is told.
const PATIENCE: Duration = Duration::from_secs(20);

/// Puts on record that a test did not run: on standard output, past the harness's capture, and in
/// the file that `BROKERD_TEST_SKIPS` names.
pub(crate) fn skip(test: &str, reason: &str) -> Result<()> {
    let line = format!("SKIPPED {test}: {reason}\n");
    if let Some(file) = env::var_os("BROKERD_TEST_SKIPS") {
        // One write, so that tests in parallel do not mix their lines.
        OpenOptions::new().append(true).create(true).open(file)?.write_all(line.as_bytes())?;
    }
    io::stdout().write_all(line.as_bytes())?;
    Ok(())
}

/// Returns what `tests/run` says about a part, or skips the test.
pub(crate) fn part(variable: &str, test: &str) -> Result<Option<PathBuf>> {
    match env::var_os(variable) {
        Some(value) if !value.is_empty() => Ok(Some(value.into())),
        _ => {
            let reason = env::var(format!("{variable}_SKIP"))
                .unwrap_or_else(|_| format!("{variable} is not set; tests/run sets it"));
            skip(test, &reason)?;
            Ok(None)
        }
    }
}

/// A line of the provider's log.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) grant_type: Option<String>,
    pub(crate) error: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LogLine {
    Mark { mark: String },
    Request(Request),
}

/// A certified `OpenID` provider on loopback, with a device authorization endpoint.
///
/// Its public client is `cli`, its users are `alice` and `bob`, its settings are at the head of
/// `tests/real/idp/server.mjs`. It keeps its grants over [`restart`](Self::restart).
pub(crate) struct OidcProvider {
    directory: PathBuf,
    settings: Vec<(String, String)>,
    issuer: Url,
    state: TempDir,
    process: Option<ProviderProcess>,
    requests: Vec<Request>,
}

struct ProviderProcess {
    child: Child,
    stdin: ChildStdin,
    log: Receiver<LogLine>,
}

impl OidcProvider {
    /// Starts a provider on a free port, or skips the test.
    pub(crate) fn start(test: &str, settings: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some(directory) = part("BROKERD_TEST_OIDC_PROVIDER", test)? else {
            return Ok(None);
        };
        let state = tempfile::tempdir()?;
        let mut settings: Vec<_> = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        settings.push(("STATE".to_owned(), Self::state_file(&state).display().to_string()));
        let (process, issuer) = ProviderProcess::spawn(&directory, &settings)?;
        let port = issuer.port().context("an issuer with a port")?;
        settings.push(("PORT".to_owned(), port.to_string()));
        let requests = Vec::new();
        Ok(Some(Self { directory, settings, issuer, state, process: Some(process), requests }))
    }

    /// Returns the issuer without a slash at its end, as it stands in a profile.
    pub(crate) fn issuer(&self) -> &str {
        self.issuer.as_str().trim_end_matches('/')
    }

    /// Signs `user` in at the verification URI, and allows what is asked.
    pub(crate) fn approve(&self, verification_uri_complete: &str, user: &str) -> Result<()> {
        self.visit(&[verification_uri_complete, user], "approved")
    }

    /// Declines at the verification URI.
    pub(crate) fn deny(&self, verification_uri_complete: &str) -> Result<()> {
        self.visit(&[verification_uri_complete, "--deny"], "denied")
    }

    fn visit(&self, arguments: &[&str], expected: &str) -> Result<()> {
        let output = Command::new("node").arg(self.directory.join("approve.mjs")).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(said.trim() == expected, "the user's side: {said}{complaint}");
        Ok(())
    }

    /// Returns every request answered so far, those before a restart included.
    pub(crate) fn requests(&mut self) -> Result<&[Request]> {
        if let Some(process) = &mut self.process {
            process.stdin.write_all(b"here\n")?;
            loop {
                match process.log.recv_timeout(PATIENCE).context("the provider's log")? {
                    LogLine::Mark { mark } if mark == "here" => break,
                    LogLine::Mark { mark } => bail!("an unknown mark {mark}"),
                    LogLine::Request(request) => self.requests.push(request),
                }
            }
        }
        Ok(&self.requests)
    }

    /// Returns how many refreshes were answered so far, whatever the answer.
    pub(crate) fn refreshes(&mut self) -> Result<usize> {
        let refresh = |request: &&Request| request.grant_type.as_deref() == Some("refresh_token");
        Ok(self.requests()?.iter().filter(refresh).count())
    }

    /// Waits for a request of this path and status that was not read before.
    pub(crate) fn wait_for(&mut self, path: &str, status: u16) -> Result<Request> {
        let process = self.process.as_mut().context("the provider is stopped")?;
        loop {
            if let LogLine::Request(request) = process.log.recv_timeout(PATIENCE)? {
                self.requests.push(request.clone());
                if request.path.ends_with(path) && request.status == status {
                    return Ok(request);
                }
            }
        }
    }

    /// Takes the provider away: connections are refused from here on.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.requests()?;
        self.process = None;
        Ok(())
    }

    /// Stops the provider if it runs, and starts it again at the same issuer with its grants.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let (process, issuer) = ProviderProcess::spawn(&self.directory, &self.settings)?;
        ensure!(issuer == self.issuer, "{issuer} instead of {}", self.issuer);
        self.process = Some(process);
        Ok(())
    }

    /// Like [`restart`](Self::restart), but every grant is forgotten, and the signing key too.
    pub(crate) fn restart_empty(&mut self) -> Result<()> {
        self.stop()?;
        fs::remove_file(Self::state_file(&self.state))?;
        self.restart()
    }

    /// Returns a way to look at what it has issued, also while something else has the provider.
    pub(crate) fn kept(&self) -> Kept {
        Kept { file: Self::state_file(&self.state) }
    }

    fn state_file(directory: &TempDir) -> PathBuf {
        directory.path().join("provider.json")
    }
}

/// What a provider has issued and not yet forgotten.
#[derive(Clone)]
pub(crate) struct Kept {
    file: PathBuf,
}

impl Kept {
    /// Returns the model and the id of each thing: of an opaque token or code, the id is its value.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        #[derive(Deserialize)]
        struct State {
            rows: Vec<(String, serde_json::Value)>,
        }

        let text = fs::read(&self.file).unwrap_or_default();
        let rows = serde_json::from_slice(&text).map(|State { rows }| rows).unwrap_or_default();
        let split = |(key, _): (String, _)| key.split_once(':').map(|(model, id)| (model.to_owned(), id.to_owned()));
        rows.into_iter().filter_map(split).collect()
    }
}

impl ProviderProcess {
    fn spawn(directory: &Path, settings: &[(String, String)]) -> Result<(Self, Url)> {
        #[derive(Deserialize)]
        struct Listening {
            issuer: String,
        }

        let mut child = Command::new("node")
            .arg(directory.join("server.mjs"))
            .env("PORT", "0")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("node")?;
        let stdin = child.stdin.take().context("standard input")?;
        let stdout = child.stdout.take().context("standard output")?;
        let stderr = child.stderr.take().context("standard error")?;

        let (log_sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let Ok(entry) = serde_json::from_str(&line) else {
                    // The library's warnings, or why it ended: for whoever reads a failed test.
                    drop(writeln!(io::stderr(), "provider: {line}"));
                    continue;
                };
                if log_sender.send(entry).is_err() {
                    return;
                }
            }
        });
        let (first_sender, first) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            if BufReader::new(stdout).read_line(&mut line).is_ok() {
                drop(first_sender.send(line));
            }
        });

        // From here on, dropping it ends the child.
        let process = Self { child, stdin, log };
        let line = first.recv_timeout(PATIENCE).context("the provider does not say that it listens")?;
        let Listening { issuer } = serde_json::from_str(&line).context("the provider ended")?;
        Ok((process, Url::parse(&issuer)?))
    }
}

impl Drop for ProviderProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns a command that runs `program` in a session keyring of the kernel of its own, or skips
/// the test.
pub(crate) fn kernel_session(test: &str, program: &Path) -> Result<Option<Command>> {
    if part("BROKERD_TEST_KEYCTL", test)?.is_none() {
        return Ok(None);
    }
    let mut command = Command::new(script("keyring.sh"));
    command.arg("--kernel").arg(program);
    Ok(Some(command))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real").join(name)
}
