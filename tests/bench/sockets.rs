//! A cached token over the socket: kept connections, fresh ones, several at once.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker_client::{Endpoint, Interaction, TokenRequest, blocking};
use tokio::time::Instant;

use super::limit::Tools;
use super::options::Options;
use super::peers::{Peers, Raw};
use super::report::{Report, ratio};
use super::stage::Stage;
use super::timing::{Pinned, Sample};

/// Requests of one turn.
const BATCH: usize = 500;
/// Connections that ask at once, and for how long.
const CONNECTIONS: usize = 4;
const WHILE: Duration = Duration::from_secs(3);

/// Measures and reports: one brokerd as it comes, and one without audit lines.
pub(crate) fn measure(
    options: &Options,
    tools: &Tools,
    [stage, silent]: &[&Stage; 2],
    peers: &Peers,
    report: &mut Report,
) -> anyhow::Result<()> {
    let limits = Limit::both(tools, &stage.home.socket())?;
    let turns = options.rounds / 40;
    kept(turns, tools, stage, &limits, report)?;
    fresh(turns, tools, &[stage, silent], peers, &limits[0], report)?;
    let rate = throughput(&stage.home.socket())?;
    report.say(&format!("{CONNECTIONS} kept connections that ask one request after the other, nothing pinned: {rate:.0} requests a second."));
    report.at_least("requests a second over 4 kept connections", "", rate, 50_000.0);
    Ok(())
}

/// A server that gives an answer of brokerd's from a buffer.
struct Limit {
    process: Child,
    socket: PathBuf,
}

impl Limit {
    /// The two: in C, and of hyper.
    fn both(tools: &Tools, brokerd: &Path) -> anyhow::Result<[Self; 2]> {
        let mut stream = UnixStream::connect(brokerd)?;
        stream.write_all(REQUEST)?;
        let mut answer = vec![0; 64 * 1024];
        // It comes in one piece, as it was written in one.
        let length = stream.read(&mut answer)?;
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "no token");
        let file = tools.directory().join("answer");
        std::fs::write(&file, &answer[..length])?;
        let hyper = &mut Command::new(std::env::current_exe()?);
        let started = [
            Self::start(&mut Command::new(&tools.server), tools.directory().join("c"), &file)?,
            Self::start(hyper.arg(super::FLOOR), tools.directory().join("hyper"), &file)?,
        ];
        Ok(started)
    }

    fn start(command: &mut Command, socket: PathBuf, answer: &Path) -> anyhow::Result<Self> {
        let process = command.arg(&socket).arg(answer).spawn()?;
        while UnixStream::connect(&socket).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { process, socket })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A request.
pub(crate) const REQUEST: &[u8] = b"POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n{\"interaction\":\"never\"}";
/// The only one of its connection.
pub(crate) const LAST_REQUEST: &[u8] = b"POST /v1/token HTTP/1.1\r\nhost: brokerd\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n{\"interaction\":\"never\"}";

/// The request of all of these.
pub(crate) fn request() -> TokenRequest {
    TokenRequest { interaction: Some(Interaction::Never), ..TokenRequest::default() }
}

fn kept(turns: usize, tools: &Tools, stage: &Stage, limits: &[Limit; 2], report: &mut Report) -> anyhow::Result<()> {
    let [limit, hyper] = limits;
    let _pinned = Pinned::with(&[stage.pid(), limit.process.id(), hyper.process.id()])?;
    let socket = stage.home.socket();
    let client = blocking::Client::new(Endpoint::from_path(&socket));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let future = broker_client::Client::new(Endpoint::from_path(&socket));
    let mut medians = [const { Vec::new() }; 5];
    for _ in 0..turns.max(3) {
        medians[0].push(c_client(tools, &limit.socket, false)?);
        medians[1].push(c_client(tools, &hyper.socket, false)?);
        medians[2].push(c_client(tools, &socket, false)?);
        medians[3].push(batch(|| Ok(client.access_token(&request(), |_| {})?))?);
        medians[4].push(batch(|| Ok(runtime.block_on(future.access_token(&request(), |_| {}))?))?);
    }
    let medians = medians.map(Sample::new);
    let least = medians[0].p50();
    report.section(
        "A cached token over a kept connection",
        "Client and server on one CPU, to which both are pinned: what the two of them do, and not what it takes to wake \
         another CPU. A figure is the median of the medians of 500 requests each, in turns.",
    );
    let names = [
        "C client, C server",
        "C client, a server of hyper's that does nothing else",
        "C client, brokerd",
        "`broker_client::blocking::Client`, brokerd",
        "`broker_client::Client`, brokerd",
    ];
    rows(&names, &medians, report);
    report.target(
        "client crate, kept connection, p50, pinned",
        "× the C client and a C server",
        medians[3].p50() / least,
        2.5,
    );
    Ok(())
}

fn fresh(
    turns: usize,
    tools: &Tools,
    [stage, silent]: &[&Stage; 2],
    peers: &Peers,
    limit: &Limit,
    report: &mut Report,
) -> anyhow::Result<()> {
    let raw = |peer: &'_ super::peers::Peer| peer.raw.is_some();
    let peers: Vec<_> = peers.started.iter().filter(|peer| raw(peer)).collect();
    let mut pids = vec![stage.pid(), silent.pid(), limit.process.id()];
    pids.extend(peers.iter().flat_map(|peer| peer.pids()));
    let _pinned = Pinned::with(&pids)?;
    let of = |stage: &Stage| Raw { socket: stage.home.socket(), request: LAST_REQUEST.to_vec(), half_close: false };
    let (ours, without) = (of(stage), of(silent));
    let mut names = vec![
        "C client, C server",
        "C client, brokerd",
        "raw request, brokerd",
        "raw request, brokerd without audit lines",
    ];
    let own = names.len();
    names.extend(peers.iter().map(|peer| peer.name));
    let mut medians = vec![Vec::new(); names.len()];
    for _ in 0..turns.max(3) {
        medians[0].push(c_client(tools, &limit.socket, true)?);
        medians[1].push(c_client(tools, &stage.home.socket(), true)?);
        medians[2].push(batch(|| exchange(&ours))?);
        medians[3].push(batch(|| exchange(&without))?);
        for (peer, medians) in peers.iter().zip(&mut medians[own..]) {
            let raw = peer.raw.as_ref().context("a socket")?;
            medians.push(batch(|| exchange(raw)).context(peer.name)?);
        }
    }
    let medians: Vec<_> = medians.into_iter().map(Sample::new).collect();
    report.section(
        "A connection for each request",
        "Connect, ask, read until the server closes, all on one CPU. brokerd speaks HTTP, looks at who has connected, and writes a line \
         with its program and unit, for which it asks `/proc`; the others read one message.",
    );
    rows(&names, &medians, report);
    for (name, median) in names.iter().zip(&medians).skip(own) {
        report.target(
            "fresh connection, request, close, pinned alike",
            &format!("× {name}'s"),
            medians[2].p50() / median.p50(),
            0.7,
        );
    }
    Ok(())
}

fn rows(names: &[&str], medians: &[Sample], report: &mut Report) {
    let least = medians[0].p50();
    let row = |(name, median): (&&str, &Sample)| {
        vec![
            (*name).to_owned(),
            format!("{:.1}", median.p50()),
            format!("{:.1}", median.best()),
            ratio(median.p50() / least),
        ]
    };
    let rows = names.iter().zip(medians).map(row).collect();
    report.table(&["", "p50 µs", "best turn", "× the limit"], rows);
}

/// The median of a turn of the C client.
fn c_client(tools: &Tools, socket: &Path, fresh: bool) -> anyhow::Result<Duration> {
    let mut command = Command::new(&tools.client);
    command.arg(socket).arg(BATCH.to_string()).args(fresh.then_some("new"));
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(Duration::from_nanos(text.split(' ').next().context("a figure")?.trim().parse()?))
}

/// The median of a turn.
pub(crate) fn batch<T>(mut ask: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Duration> {
    let mut taken = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let start = Instant::now();
        let asked = ask()?;
        taken.push(start.elapsed());
        drop(asked);
    }
    taken.sort_unstable();
    Ok(taken[BATCH / 2])
}

/// An answer with a token is longer than this, and one without shorter.
const LEAST: usize = 30;

/// One request on a connection of its own.
fn exchange(raw: &Raw) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(&raw.socket)?;
    stream.write_all(&raw.request)?;
    if raw.half_close {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut answer = [0; 8192];
    let mut length = 0;
    loop {
        let count = stream.read(&mut answer)?;
        length += count;
        if count == 0 {
            ensure!(length > LEAST, "no token");
            return Ok(());
        }
    }
}

/// Requests a second, from threads that have a connection each.
fn throughput(socket: &Path) -> anyhow::Result<f64> {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = || -> anyhow::Result<()> {
        let client = blocking::Client::new(Endpoint::from_path(socket));
        while !stop.load(Ordering::Relaxed) {
            client.access_token(&request(), |_| {})?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        std::thread::sleep(WHILE);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a panic"))))
    })?;
    #[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
    Ok(done.into_inner() as f64 / start.elapsed().as_secs_f64())
}
