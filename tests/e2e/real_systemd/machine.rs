//! A machine whose init is a real systemd: `tests/real/systemd/machine.sh` boots and holds it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use support::canary::Canary;
use support::processes::{Output, binaries};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{self, Instant};

use crate::real_parts::part;

/// How long booting may take, and anything in the machine that has no limit of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A running machine. It powers off when this is dropped.
pub(super) struct Machine {
    keeper: Child,
    /// Open for as long as the machine is wanted.
    _wanted: ChildStdin,
    init: String,
}

/// What outlives a machine: a directory of this test's, shown in the machine as some of its own.
pub(super) struct Disk {
    directory: TempDir,
}

impl Disk {
    /// The directories that are kept; the rest of a machine is new at each boot.
    const KEPT: [&str; 5] =
        ["/home", "/etc/brokerd", "/etc/credstore.encrypted", "/var/lib/brokerd", "/var/lib/systemd"];

    pub(super) fn new() -> Result<Self> {
        Ok(Self { directory: tempfile::tempdir()? })
    }

    /// Copies what the root has there, once, and names the binds; the machine keeps its identity, to which systemd binds its
    /// credentials.
    fn binds(&self, root: &Path) -> Result<Vec<String>> {
        let bind = |inside: &&str| {
            let outside = self.directory.path().join(inside.trim_start_matches('/').replace('/', "-"));
            if !outside.exists() {
                std::fs::create_dir(&outside)?;
                let from = root.join(inside.trim_start_matches('/'));
                if from.exists() {
                    let copied =
                        std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(&outside).status()?;
                    ensure!(copied.success(), "cp: {copied}");
                }
            }
            Ok(format!("--bind={}:{inside}", outside.display()))
        };
        let mut binds = Self::KEPT.iter().map(bind).collect::<Result<Vec<_>>>()?;
        binds.push("--uuid=6272726f-6b65-4264-8000-746573746564".to_owned());
        Ok(binds)
    }
}

impl Machine {
    /// Boots one with brokerd and its units as a package installs them, or skips the test.
    pub(super) async fn boot(test: &str, disk: Option<&Disk>) -> Result<Option<Self>> {
        let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").canonicalize()?;
        let mut shown = programs("/usr/bin");
        for (directory, names) in [
            ("/usr/lib/systemd/user", ["brokerd.service", "brokerd.socket"]),
            ("/usr/lib/systemd/system", ["brokerd@.service", "brokerd@.socket"]),
        ] {
            shown.extend(names.map(|name| (units.join(name), Path::new(directory).join(name))));
        }
        Self::showing(test, disk, &shown).await
    }

    /// Boots one in which each first file is seen at the second path, or skips the test.
    pub(super) async fn showing(test: &str, disk: Option<&Disk>, shown: &[(PathBuf, PathBuf)]) -> Result<Option<Self>> {
        let Some(root) = part("BROKERD_TEST_SYSTEMD", test)? else {
            return Ok(None);
        };
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("real/systemd/machine.sh"));
        command.arg(&root).args(disk.map(|disk| disk.binds(&root)).transpose()?.unwrap_or_default());
        command.args(shown.iter().map(|(file, at)| format!("--bind-ro={}:{}", file.display(), at.display())));
        Self::hold(command).await.map(Some)
    }

    async fn hold(mut command: Command) -> Result<Self> {
        // Not killed on drop: it has to power the machine off, and does when its stdin ends.
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("machine.sh")?;
        let wanted = keeper.stdin.take().context("standard input")?;
        let stdout = keeper.stdout.take().context("standard output")?;
        let mut first = BufReader::new(stdout).lines();
        let init = time::timeout(2 * PATIENCE, first.next_line()).await.context("the machine does not boot")??;
        let init = init.context("the machine does not come up; its console is above")?;
        Ok(Self { keeper, _wanted: wanted, init })
    }

    /// Powers it off, and waits for that.
    pub(super) async fn power_off(self) -> Result<()> {
        let Self { mut keeper, _wanted: wanted, .. } = self;
        drop(wanted);
        let ended = time::timeout(PATIENCE, keeper.wait()).await.context("the machine does not power off")??;
        ensure!(ended.success(), "machine.sh: {ended}");
        Ok(())
    }

    /// Prepares a shell command as root.
    pub(super) fn root(&self, script: &str) -> Command {
        let mut command = self.enter();
        command.args(["env", "-i", "--chdir=/", PATH, "sh", "-c", script]);
        command
    }

    /// Prepares a shell command as ada, with the environment of a login of hers.
    pub(super) fn ada(&self, script: &str) -> Command {
        let mut command = self.enter();
        command.args(["setpriv", "--reuid=ada", "--regid=ada", "--init-groups", "env", "-i", "--chdir=/home/ada"]);
        command.args(["HOME=/home/ada", "USER=ada", "LOGNAME=ada", "XDG_RUNTIME_DIR=/run/user/1000"]);
        command.args(["DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus", PATH, "sh", "-c", script]);
        command
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init]);
        command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs a shell command as ada, and returns how it went.
    pub(super) async fn run(&self, script: &str) -> Result<Output> {
        finish(script, self.ada(script)).await
    }

    /// Runs a shell command as ada, which must succeed, and returns what it printed.
    pub(super) async fn ok(&self, script: &str) -> Result<String> {
        succeed(script, self.ada(script)).await
    }

    /// The same as root.
    pub(super) async fn root_ok(&self, script: &str) -> Result<String> {
        succeed(script, self.root(script)).await
    }

    /// Writes a file of ada's, 0600.
    pub(super) async fn write(&self, path: &str, text: &str) -> Result<()> {
        let script = format!("umask 077; mkdir -p \"$(dirname {path})\" && cat >{path} <<'END'\n{text}\nEND");
        self.ok(&script).await.map(drop)
    }

    /// Runs a command of ada's again and again until it prints what is wanted.
    pub(super) async fn until(&self, script: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let limit = Instant::now() + PATIENCE;
        loop {
            let output = self.run(script).await?;
            let told = format!("{}{}", output.stdout, output.stderr);
            if wanted(&told) {
                return Ok(told);
            }
            if Instant::now() > limit {
                bail!("{script} does not come to it: {told}\n{}", self.journal().await?);
            }
            time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns a property of ada's service.
    pub(super) async fn property(&self, name: &str) -> Result<String> {
        Ok(self.ok(&format!("systemctl --user show --value -p {name} brokerd.service")).await?.trim_end().to_owned())
    }

    /// Returns what brokerd and ada's service manager say of it in the journal.
    pub(super) async fn journal(&self) -> Result<String> {
        self.root_ok("journalctl --no-pager -o cat _UID=1000").await
    }

    /// Panics if a secret stands in the journal, in any of its fields.
    pub(super) async fn check_journal(&self, canary: &Canary) -> Result<()> {
        canary.check("the journal", self.root_ok("journalctl --no-pager -o export").await?.as_bytes(), &[]);
        Ok(())
    }
}

/// brokerd and brokerctl, to be shown in a directory.
pub(super) fn programs(directory: &str) -> Vec<(PathBuf, PathBuf)> {
    let (binaries, directory) = (binaries(), Path::new(directory));
    vec![
        (binaries.brokerd.clone(), directory.join("brokerd")),
        (binaries.brokerctl.clone(), directory.join("brokerctl")),
    ]
}

const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin";

async fn succeed(script: &str, command: Command) -> Result<String> {
    let output = finish(script, command).await?;
    ensure!(output.code == Some(0), "{script}: {output:?}");
    Ok(output.stdout)
}

/// Runs a command to its end.
pub(super) async fn finish(what: &str, mut command: Command) -> Result<Output> {
    let output = time::timeout(PATIENCE, command.output()).await.with_context(|| format!("{what} hangs"))??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
}
