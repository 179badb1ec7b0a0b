//! Figures of the real process: what it loses when it is killed, and what a crowd costs. Tests take small numbers and check
//! what must never happen; `just score` prints what was measured.

pub mod crowd;
pub mod kills;
pub mod load;

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker_client::{Client, TokenEvent, TokenRequest};
use broker_ipc::endpoint::Endpoint;

use crate::canary::Canary;
use crate::fake_as::{FakeAs, Options};
use crate::processes::{Binaries, Daemon, Home};

/// A daemon with a sealed file, and somebody signed in. It logs as it does by itself.
pub struct Set {
    /// The provider.
    pub server: FakeAs,
    home: Home,
    binaries: Binaries,
    daemon: Option<Daemon>,
}

impl Set {
    /// Starts the daemon and signs alice in.
    pub async fn new(binaries: &Binaries, options: Options) -> anyhow::Result<Self> {
        let options = Options { interval: Some(Duration::from_secs(1)), ..options };
        let server = FakeAs::listen(options).await.context("a server on loopback")?;
        let home = Home::create().context("a directory")?;
        let key = home.write("key", &[b'7'; 64])?;
        let config = format!(
            "[store]\nkind = \"file\"\nkey_file = {:?}\n[profiles.work]\nissuer = {:?}\nclient_id = \"cli\"\n\
             scopes = [\"openid\", \"offline_access\"]\n",
            key.display().to_string(),
            server.issuer()
        );
        home.write(home.config_file(), config.as_bytes())?;
        let mut set = Self { server, home, binaries: binaries.clone(), daemon: None };
        set.start().await?;
        set.sign_in().await?;
        Ok(set)
    }

    /// Starts the daemon, and returns when it answers.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.daemon = Some(Daemon::launch(&self.home).try_start(&self.binaries).await?);
        Ok(())
    }

    /// Starts the daemon, and kills it so long after.
    pub async fn start_and_kill(&mut self, after: Duration) -> anyhow::Result<()> {
        let daemon = Daemon::launch(&self.home).spawn(&self.binaries)?;
        tokio::time::sleep(after).await;
        daemon.kill9().await;
        Ok(())
    }

    /// Starts the daemon under `strace` with these arguments, which writes to `output`; returns when it answers, or why it
    /// does not. The process is the daemon's own, and `strace` ends with it.
    async fn start_under_strace(&mut self, arguments: &[String], output: &Path) -> anyhow::Result<()> {
        let strace = ["strace", "-D", "-q", "-f", "-o"].map(OsStr::new).into_iter().chain([output.as_os_str()]);
        let launch = Daemon::launch(&self.home).under(strace.chain(arguments.iter().map(OsStr::new)));
        let daemon = self.daemon.insert(launch.spawn(&self.binaries)?);
        Ok(daemon.ready().await?)
    }

    /// Waits at most so long for somebody else's `kill -9`, and tells whether there was one. That it ends in another way is an
    /// error.
    async fn is_struck(&mut self, within: Duration) -> anyhow::Result<bool> {
        let Some(daemon) = &mut self.daemon else { return Ok(false) };
        let Some(status) = daemon.ended(within).await? else { return Ok(false) };
        ensure!(status.signal() == Some(rustix::process::Signal::KILL.as_raw()), "{status}: {}", daemon.log());
        Ok(true)
    }

    /// Kills the daemon as `kill -9` does.
    pub async fn kill(&mut self) {
        if let Some(daemon) = self.daemon.take().filter(|daemon| daemon.pid().is_some()) {
            daemon.kill9().await;
        }
    }

    /// Signs alice in, by a person who consents at once.
    pub async fn sign_in(&self) -> anyhow::Result<()> {
        sign_in(&self.client()?, &self.server).await
    }

    /// Connects.
    pub async fn connect(&self) -> anyhow::Result<crowd::Kept> {
        crowd::Kept::connect(&self.home.socket()).await
    }

    /// Panics if a secret of the server stands in the log or on disk, and returns how many there are. Once, at the end: a home that
    /// watches by itself would make its daemons log everything, and look through that after each of thousands.
    fn assert_nothing_leaked(&self) -> usize {
        let canary = Canary::default();
        canary.watch(&self.server);
        canary.check_directory(self.home.path());
        canary.count()
    }

    fn socket(&self) -> std::path::PathBuf {
        self.home.socket()
    }

    fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(Endpoint::resolve(Some(&self.home.socket()))?))
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.daemon.as_ref().and_then(Daemon::pid).context("no daemon runs")
    }

    /// The daemon's resident memory, in KiB.
    fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(self.of_process("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// How many descriptors it has open; `None` for whoever may not look, as only root may into a process that hides its memory.
    fn descriptors(&self) -> anyhow::Result<Option<usize>> {
        match std::fs::read_dir(self.of_process("fd")?) {
            Ok(open) => Ok(Some(open.count())),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn of_process(&self, file: &str) -> anyhow::Result<String> {
        Ok(format!("/proc/{}/{file}", self.pid()?))
    }
}

/// Signs alice in, by a person who consents at once.
async fn sign_in(client: &Client, server: &FakeAs) -> anyhow::Result<()> {
    let mut events = client.login(&TokenRequest::default());
    while let Some(event) = events.next().await {
        match event? {
            // A prompt that outlived its daemon may have been seen to already.
            TokenEvent::DevicePrompt(prompt) if server.pending_user_codes().contains(&prompt.user_code) => {
                server.approve(&prompt.user_code, "alice");
            }
            TokenEvent::DevicePrompt(_) => {}
            TokenEvent::SignedIn { .. } => return Ok(()),
            other => anyhow::bail!("{other:?}"),
        }
    }
    anyhow::bail!("the sign-in had no end")
}
