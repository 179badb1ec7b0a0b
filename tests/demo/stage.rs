//! What the demo plays with: an authorization server, a home, a daemon; and how all of it goes away.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use support::fake_as::{FakeAs, Options};
use support::processes::{Binaries, Ctl, Daemon, Home, Stderr};

/// The set.
pub(crate) struct Stage {
    pub(crate) server: FakeAs,
    pub(crate) home: Home,
    /// Whether the demo itself confirms on the page.
    pub(crate) approve: bool,
    binaries: Binaries,
    daemon: Option<Daemon>,
}

impl Stage {
    /// Sets it; the daemon does not run yet.
    pub(crate) async fn set(binaries: Binaries, approve: bool) -> anyhow::Result<Self> {
        let server = FakeAs::listen(Options {
            access_token_lifetime: TOKEN_LIFETIME,
            interval: Some(Duration::from_secs(1)),
            ..Options::default()
        })
        .await
        .context("starting the authorization server")?;
        let home = Home::create().context("making a directory")?;
        home.write(KEY_FILE, key()?.as_bytes())?;
        home.write(home.config_file(), config(&server, &home).as_bytes())?;
        Ok(Self { server, home, approve, binaries, daemon: None })
    }

    /// Starts brokerd and waits until it answers.
    pub(crate) async fn start_daemon(&mut self) -> anyhow::Result<()> {
        let launch = Daemon::launch(&self.home);
        self.daemon = Some(launch.try_start(&self.binaries).await?);
        Ok(())
    }

    /// Kills brokerd as `kill -9` does.
    pub(crate) async fn kill_daemon(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill9().await;
        }
    }

    /// Returns the daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().and_then(Daemon::pid).unwrap_or_default()
    }

    /// Returns brokerctl, with what the person's terminal can do and nothing else of their environment.
    pub(crate) fn ctl(&self, stderr: Stderr) -> Ctl<'_> {
        let mut ctl = Ctl::with(&self.home, &self.binaries).stderr(stderr);
        for name in ["TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LANG", "LC_ALL"] {
            if let Some(value) = std::env::var_os(name) {
                ctl = ctl.env(name, value);
            }
        }
        ctl
    }

    /// Prints the end of the daemon's log.
    pub(crate) fn print_log_tail(&self) {
        let log = std::fs::read_to_string(self.home.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_TAIL)..];
        println!("The last of brokerd's log:");
        for line in tail {
            println!("   {line}");
        }
    }

    /// Ends the daemon, and removes the directory unless it is to stay.
    pub(crate) async fn clean_up(mut self, keep: bool) {
        self.kill_daemon().await;
        if keep {
            println!("\nLeft for you to look at: {}", self.home.keep().display());
        }
    }
}

/// A key for this run only. Who uses the file store for real keeps the key elsewhere than the file.
fn key() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).context("random bytes for the key")?;
    let mut key = String::new();
    for byte in bytes {
        write!(key, "{byte:02x}")?;
    }
    Ok(key)
}

fn config(server: &FakeAs, home: &Home) -> String {
    format!(
        r#"default_profile = "demo"

[store]
kind = "file"
path = '{sealed}'
key_file = '{key}'

[profiles.demo]
issuer = "{issuer}"
client_id = "cli"
scopes = ["openid", "profile", "offline_access"]
"#,
        sealed = home.state().join(SEALED_FILE).display(),
        key = home.path().join(KEY_FILE).display(),
        issuer = server.issuer(),
    )
}

/// How long an access token lives: short enough to watch it expire.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(15);
/// Where the grants are, in the state directory.
pub(crate) const SEALED_FILE: &str = "grants.sealed";
const KEY_FILE: &str = "store.key";
const LOG_TAIL: usize = 40;
