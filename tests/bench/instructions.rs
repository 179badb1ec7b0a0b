//! How many instructions a cached token takes: what no noise of the machine changes, so that a slower build is seen at once.
//!
//! valgrind's cachegrind counts. The daemon's are the difference between two of them that were asked more and less often.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use support::processes::Binaries;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::options::Options;
use super::report::Report;
use super::sockets::{LAST_REQUEST, REQUEST};
use super::stage::Stage;

/// How often the two daemons are asked. Signing in differs by a million instructions from one time to the next.
const FEW: usize = 200;
const MANY: usize = 4200;

/// Thousands of instructions that each may take: what it took when this was last looked at, and a twentieth more. brokerctl's is for one that
/// is linked with musl; with glibc it takes half as many again.
const KEPT: f64 = 32.0;
const FRESH: f64 = 48.5;
const COMMAND: f64 = 96.0;

/// Measures and reports.
pub(crate) fn measure(runtime: &Handle, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        "Instructions",
        "In user space, counted by valgrind, in thousands. A limit is a twentieth above what was counted when it was set: it is for \
         what makes a program slower, and depends on the machine only as far as the C library copies memory in another way there.",
    );
    let Some(counter) = Counter::new()? else {
        report.say("Left out: valgrind is not installed.");
        return Ok(());
    };
    let kept = counter.for_each(runtime, options, kept)?;
    let fresh = counter.for_each(runtime, options, fresh)?;
    let command = counter.command(runtime, options)?;
    for (figure, counted, limit) in [
        ("brokerd, a cached token, kept connection", kept, KEPT),
        ("brokerd, a cached token, a connection for it", fresh, FRESH),
        ("brokerctl get-token, all of it", command, COMMAND),
    ] {
        report.target(figure, "thousand instructions", counted, limit);
    }
    let row = |name: &str, counted: f64| vec![name.to_owned(), format!("{counted:.1}")];
    report.table(
        &["A cached token", "thousand instructions"],
        vec![
            row("brokerd, over a kept connection", kept),
            row("brokerd, over a connection for it", fresh),
            row("brokerctl, the whole process", command),
        ],
    );
    Ok(())
}

/// Writes the functions that `brokerctl get-token` goes through to a file beside it, `called`.
pub(crate) fn order(runtime: &Handle, options: &Options) -> anyhow::Result<()> {
    let counter = Counter::new()?.context("valgrind is not installed")?;
    counter.command(runtime, options)?;
    let counts = fs::read_to_string(counter.counts(&options.binaries.brokerctl)?)?;
    // What differs from one build to the next is packaging/dist's to leave out. A name with a space or a question mark is valgrind's own.
    let names: BTreeSet<&str> =
        counts.lines().filter_map(|line| line.strip_prefix("fn=")).filter(|name| !name.contains([' ', '?'])).collect();
    ensure!(names.len() > 100, "{} functions: a brokerctl without symbols?", names.len());
    let text: String = names.iter().flat_map(|name| [name, "\n"]).collect();
    fs::write(options.binaries.brokerctl.with_file_name("called"), text)?;
    Ok(())
}

/// Where programs are that count.
struct Counter {
    directory: TempDir,
}

impl Counter {
    /// `None` without valgrind.
    fn new() -> anyhow::Result<Option<Self>> {
        let there = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
        there.is_ok_and(|status| status.success()).then(|| Ok(Self { directory: TempDir::new()? })).transpose()
    }

    /// Makes a program that runs this one and leaves the count beside it.
    fn counting(&self, program: &Path) -> anyhow::Result<PathBuf> {
        let name = program.file_name().context("a program's name")?;
        let (script, counts) = (self.directory.path().join(name), self.counts(program)?);
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        let text = format!(
            "#!/bin/sh\nexec valgrind -q --tool=cachegrind --cache-sim=no --demangle=no --cachegrind-out-file={} {} \"$@\"\n",
            quoted(&counts),
            quoted(&program.canonicalize()?),
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
        Ok(script)
    }

    fn counts(&self, program: &Path) -> anyhow::Result<PathBuf> {
        let name = program.file_name().and_then(|name| name.to_str()).context("a program's name")?;
        Ok(self.directory.path().join(format!("{name}.counts")))
    }

    /// What was counted, in thousands.
    fn counted(&self, program: &Path) -> anyhow::Result<f64> {
        let text = fs::read_to_string(self.counts(program)?).context("valgrind's counts")?;
        let counted = text.lines().find_map(|line| line.strip_prefix("summary:")).context("their sum")?;
        Ok(counted.trim().parse::<f64>()? / 1000.0)
    }

    /// What the daemon takes for each time it is asked so.
    fn for_each(
        &self,
        runtime: &Handle,
        options: &Options,
        ask: fn(&Path, usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<f64> {
        let brokerd = &options.binaries.brokerd;
        let binaries = Binaries { brokerd: self.counting(brokerd)?, brokerctl: options.binaries.brokerctl.clone() };
        let mut counted = [0.0; 2];
        for (counted, times) in counted.iter_mut().zip([FEW, MANY]) {
            let stage = runtime.block_on(Stage::set(&binaries))?;
            ask(&stage.home.socket(), times)?;
            runtime.block_on(stage.daemon.sigterm());
            *counted = self.counted(brokerd)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        Ok((counted[1] - counted[0]) / (MANY - FEW) as f64)
    }

    /// What a whole `brokerctl get-token` takes.
    fn command(&self, runtime: &Handle, options: &Options) -> anyhow::Result<f64> {
        let stage = runtime.block_on(Stage::set(&options.binaries))?;
        let brokerctl = &options.binaries.brokerctl;
        let output = stage.command(&self.counting(brokerctl)?).args(["get-token", "--no-prompt"]).output()?;
        ensure!(output.status.success(), "brokerctl: {}", String::from_utf8_lossy(&output.stderr));
        self.counted(brokerctl)
    }
}

/// Asks over one connection.
fn kept(socket: &Path, times: usize) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let mut answer = [0; 8192];
    for _ in 0..times {
        stream.write_all(REQUEST)?;
        // It comes in one piece, as it was written in one.
        let length = stream.read(&mut answer)?;
        ensure!(answer[..length].starts_with(b"HTTP/1.1 200"), "no token");
    }
    Ok(())
}

/// Asks over a connection for each.
fn fresh(socket: &Path, times: usize) -> anyhow::Result<()> {
    let mut answer = Vec::new();
    for _ in 0..times {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(LAST_REQUEST)?;
        answer.clear();
        stream.read_to_end(&mut answer)?;
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "no token");
    }
    Ok(())
}
