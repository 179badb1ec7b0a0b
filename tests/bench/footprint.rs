//! What the daemon costs while nobody asks: memory, wake-ups, the binaries, and its start.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker_client::{Client, Endpoint, TokenRequest};
use support::processes::{Daemon, Home};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::machine::size;
use super::options::Options;
use super::report::Report;
use super::stage::{Server, profile, sign_in};
use super::timing::Sample;

/// For how long wake-ups are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// What comes to rest after a refresh: the provider's connection, the vault's thread.
const SETTLING: Duration = Duration::from_secs(15);
/// How often the daemon is started.
const STARTS: usize = 20;

/// A process's memory in kB, as `/proc/PID/smaps_rollup` has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Shared pages count in parts.
    pub(crate) pss: f64,
    /// Pages that are this process's alone and were written.
    pub(crate) private_dirty: f64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("smaps_rollup, which needs root")?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        Ok(Self {
            pss: field("Pss:").context("Pss")?,
            private_dirty: field("Private_Dirty:").context("Private_Dirty")?,
        })
    }
}

/// Measures and reports.
pub(crate) fn measure(runtime: &Handle, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report
        .section("At rest", "One account, its token refreshed once, the keyring (gnome-keyring) open, nobody asking.");
    let server = runtime.block_on(Server::listen())?;
    match Keyring::start() {
        Err(error) => report.say(&format!("Left out: {error:#}.")),
        Ok(keyring) => {
            let home = Home::create()?;
            let config = profile(&server, &home, "keyring")?;
            let rest = runtime.block_on(at_rest(&server, &home, &config, &keyring, options))?;
            let Rest { memory, wake_ups, threads } = rest;
            report.say(&format!(
                "PSS {:.0} kB, private dirty {:.0} kB, {threads} threads, {wake_ups} context switches in a minute.",
                memory.pss, memory.private_dirty
            ));
            report.target("idle daemon, PSS", "MB", memory.pss / 1000.0, 8.0);
            report.target("idle daemon, private dirty", "MB", memory.private_dirty / 1000.0, 2.0);
            report.target("idle daemon, wake-ups a minute", "", f64::from(wake_ups), 1.0);
        }
    }
    let starts = runtime.block_on(starts(&server, options))?;
    report.say(&format!(
        "From its start to its first answer: {:.1} ms at the median of {STARTS} starts.",
        starts.p50() / 1000.0
    ));
    let activated = activated(&server, options)?;
    report.say(&format!(
        "Socket activation, for a client who has connected and asked before the daemon is there: {:.1} ms from the daemon's start \
         to the answer, a shell's start among it.",
        activated.p50() / 1000.0
    ));
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let megabytes = |path: &Path| Ok::<_, anyhow::Error>(size(path)? as f64 / 1e6);
    report.target("brokerctl, static, stripped", "MB", megabytes(&options.binaries.brokerctl)?, 2.0);
    report.target("brokerd, stripped", "MB", megabytes(&options.binaries.brokerd)?, 8.0);
    Ok(())
}

struct Rest {
    memory: Memory,
    wake_ups: u32,
    threads: usize,
}

async fn at_rest(
    server: &Server,
    home: &Home,
    config: &str,
    keyring: &Keyring,
    options: &Options,
) -> anyhow::Result<Rest> {
    let launch = Daemon::launch(home).config(config).env("DBUS_SESSION_BUS_ADDRESS", &keyring.bus);
    let daemon = launch.try_start(&options.binaries).await?;
    sign_in(server, &home.socket(), &TokenRequest::default()).await?;
    {
        let client = Client::new(Endpoint::from_path(home.socket()));
        let forced = TokenRequest { force_refresh: true, ..TokenRequest::default() };
        client.access_token(&forced, |_| {}).await.context("a refresh")?;
    }
    sleep(SETTLING).await;
    let pid = daemon.pid().context("it runs")?;
    let (memory, (before, threads)) = (Memory::of(pid)?, switches(pid)?);
    sleep(MINUTE).await;
    Ok(Rest { memory, wake_ups: switches(pid)?.0 - before, threads })
}

/// Context switches of all threads so far, and how many threads there are.
fn switches(pid: u32) -> anyhow::Result<(u32, usize)> {
    let (mut switches, mut threads) = (0, 0);
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(thread?.path().join("status"))?;
        let counts = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
        switches += counts.filter_map(|(_, count)| count.trim().parse::<u32>().ok()).sum::<u32>();
        threads += 1;
    }
    Ok((switches, threads))
}

/// From the process's start to the answer of a client that connects as soon as it can.
async fn starts(server: &Server, options: &Options) -> anyhow::Result<Sample> {
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let home = Home::create()?;
        home.write(home.config_file(), profile(server, &home, "memory")?.as_bytes())?;
        let client = Client::new(Endpoint::from_path(home.socket()));
        let start = Instant::now();
        let _daemon = Daemon::launch(&home).spawn(&options.binaries)?;
        while client.status().await.is_err() {
            ensure!(start.elapsed() < Duration::from_secs(20), "brokerd does not answer");
            tokio::task::yield_now().await;
        }
        taken.push(start.elapsed());
    }
    Ok(Sample::new(taken))
}

/// From the start of a daemon that inherits its socket, as a service manager hands it over, to the answer to a request that
/// has waited for it.
fn activated(server: &Server, options: &Options) -> anyhow::Result<Sample> {
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let home = Home::create()?;
        home.write(home.config_file(), profile(server, &home, "memory")?.as_bytes())?;
        let socket = home.socket();
        std::fs::create_dir_all(socket.parent().context("a directory")?)?;
        std::fs::set_permissions(socket.parent().context("a directory")?, Permissions::from_mode(0o700))?;
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        let mut client = UnixStream::connect(&socket)?;
        client.write_all(STATUS)?;
        let mut command = super::stage::command(&home, Path::new("/bin/sh"));
        command.args(["-c", HAND_OVER]).arg(&options.binaries.brokerd).arg(home.config_file());
        command.stdin(OwnedFd::from(listener)).stderr(Stdio::null());
        let start = Instant::now();
        let mut daemon = command.spawn()?;
        let mut answer = [0; 4096];
        let count = client.read(&mut answer)?;
        taken.push(start.elapsed());
        daemon.kill()?;
        daemon.wait()?;
        ensure!(answer[..count].starts_with(b"HTTP/1.1 200"), "no answer from an activated brokerd");
    }
    Ok(Sample::new(taken))
}

/// What a service manager does with the socket (`sd_listen_fds(3)`).
const HAND_OVER: &str = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --config "$1" 3<&0 0</dev/null"#;
const STATUS: &[u8] = b"GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n";

/// A session bus with a real gnome-keyring on it, for as long as this lives.
pub(crate) struct Keyring {
    process: Child,
    /// Closed, it ends.
    stdin: Option<ChildStdin>,
    pub(crate) bus: String,
}

impl Keyring {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real/keyring.sh");
        let mut command = Command::new(script);
        command.args(["sh", "-c", "echo \"$DBUS_SESSION_BUS_ADDRESS\"; cat >/dev/null"]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut bus = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut bus)?;
        let bus = bus.trim().to_owned();
        let stdin = process.stdin.take();
        let keyring = Self { process, stdin, bus };
        ensure!(keyring.bus.starts_with("unix:"), "no gnome-keyring; tests/run sets one up");
        Ok(keyring)
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.process.wait());
    }
}
