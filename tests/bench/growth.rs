//! What many accounts and many connections cost: memory, and the next cached token.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker_client::{Endpoint, TokenEvent, TokenRequest, blocking};
use futures_util::future::try_join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::fake_as::User;
use support::processes::Home;
use tokio::runtime::Handle;

use super::footprint::Memory;
use super::options::Options;
use super::plot::Plot;
use super::report::Report;
use super::sockets::batch;
use super::stage::{Server, launch, profile};
use super::timing::{Pinned, Sample};

const ACCOUNTS: [usize; 3] = [1, 100, 1000];
const CONNECTIONS: [usize; 3] = [1, 1000, 10_000];
/// Sign-ins at once.
const AT_ONCE: usize = 32;
/// Turns of a measurement.
const TURNS: usize = 11;

/// Measures and reports.
pub(crate) fn measure(runtime: &Handle, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        "Growth",
        "Memory as the kernel counts it (PSS), store in memory, each account signed in with a token at hand and each connection \
         served once and kept; and the next cached token, asked for by its account's name over a kept connection, client and \
         daemon on one CPU.",
    );
    let accounts = accounts(runtime, options)?;
    let first = accounts.first().context("a step")?;
    let last = accounts.last().context("a step")?;
    report.table(
        &["Accounts", "PSS kB", "private dirty kB", "cached token, p50 µs"],
        accounts.iter().map(Step::row).collect(),
    );
    report.target("1,000 accounts, warm p50", "× one account", last.p50 / first.p50, 1.1);
    let connections = connections(runtime, options)?;
    report.table(
        &["Connections", "PSS kB", "private dirty kB", "cached token, p50 µs"],
        connections.iter().map(Step::row).collect(),
    );
    let (one, many) = (connections.first().context("a step")?, connections.last().context("a step")?);
    report.target("10,000 connections served once and kept, warm p50", "× one connection", many.p50 / one.p50, 1.1);
    let line = |steps: &[Step], figure: fn(&Step) -> f64| steps.iter().map(|step| (step.count, figure(step))).collect();
    report.plot(
        "memory",
        &Plot {
            title: "Memory of the daemon",
            x: "accounts or connections",
            y: "PSS, kB",
            lines: vec![
                ("accounts", line(&accounts, |step| step.memory.pss)),
                ("connections", line(&connections, |step| step.memory.pss)),
            ],
        },
    );
    report.plot(
        "latency",
        &Plot {
            title: "The next cached token",
            x: "accounts or connections",
            y: "p50, µs",
            lines: vec![
                ("accounts", line(&accounts, |step| step.p50)),
                ("connections", line(&connections, |step| step.p50)),
            ],
        },
    );
    Ok(())
}

struct Step {
    count: f64,
    memory: Memory,
    p50: f64,
}

impl Step {
    #[expect(clippy::cast_precision_loss, reason = "ten thousand at most")]
    fn new(count: usize, memory: Memory, sample: &Sample) -> Self {
        Self { count: count as f64, memory, p50: sample.p50() }
    }

    fn row(&self) -> Vec<String> {
        let Memory { pss, private_dirty } = self.memory;
        vec![format!("{}", self.count), format!("{pss:.0}"), format!("{private_dirty:.0}"), format!("{:.1}", self.p50)]
    }
}

/// A daemon for each step, all asked in turns.
fn accounts(runtime: &Handle, options: &Options) -> anyhow::Result<Vec<Step>> {
    let mut running = Vec::new();
    for count in ACCOUNTS {
        let started = runtime.block_on(async {
            let server = Server::listen().await?;
            let users = (0..count).map(|number| User::new(&format!("user{number}"))).collect();
            server.fake.reconfigure(|options| options.users = users);
            let home = Home::create()?;
            let daemon = launch(&home, &profile(&server, &home, "memory")?, &options.binaries).await?;
            let names: Vec<String> = (0..count).map(|number| format!("user{number}")).collect();
            for names in names.chunks(AT_ONCE) {
                try_join_all(names.iter().map(|name| sign_in(&server, &home, name))).await?;
            }
            anyhow::Ok((count, server, home, daemon))
        });
        running.push(started.with_context(|| format!("{count} accounts"))?);
    }
    let mut taken = vec![Vec::new(); running.len()];
    let clients: Vec<_> = running.iter().map(|(_, _, home, _)| client(&home.socket())).collect();
    let pids: Vec<u32> = running.iter().filter_map(|(.., daemon)| daemon.pid()).collect();
    let _pinned = Pinned::with(&pids)?;
    for _ in 0..TURNS {
        for (((count, ..), client), taken) in running.iter().zip(&clients).zip(&mut taken) {
            let request =
                TokenRequest { account: Some(format!("user{}@example.com", count / 2)), ..super::sockets::request() };
            taken.push(batch(|| Ok(client.access_token(&request, |_| {})?))?);
        }
    }
    let steps = running.iter().zip(taken).map(|((count, _, _, daemon), taken)| {
        Ok(Step::new(*count, Memory::of(daemon.pid().unwrap_or_default())?, &Sample::new(taken)))
    });
    steps.collect()
}

async fn sign_in(server: &Server, home: &Home, name: &str) -> anyhow::Result<()> {
    let client = broker_client::Client::new(Endpoint::from_path(home.socket()));
    let request = TokenRequest { account: Some(format!("{name}@example.com")), ..TokenRequest::default() };
    let mut events = client.token(&request);
    while let Some(event) = events.next().await {
        match event? {
            TokenEvent::DevicePrompt(prompt) => server.fake.approve(&prompt.user_code, name),
            TokenEvent::Token(_) => return Ok(()),
            _ => {}
        }
    }
    anyhow::bail!("no token for {name}")
}

/// One daemon, to which more and more connect. Over all before the first is idle for a minute.
fn connections(runtime: &Handle, options: &Options) -> anyhow::Result<Vec<Step>> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let stage = runtime.block_on(super::stage::Stage::set(&options.binaries))?;
    let client = client(&stage.home.socket());
    let _pinned = Pinned::with(&[stage.pid()])?;
    let mut kept = Vec::new();
    let mut steps = Vec::new();
    for count in CONNECTIONS {
        while kept.len() + 1 < count {
            kept.push(served(&stage.home.socket())?);
        }
        let taken: Result<Vec<Duration>, _> =
            (0..TURNS).map(|_| batch(|| Ok(client.access_token(&super::sockets::request(), |_| {})?))).collect();
        steps.push(Step::new(count, Memory::of(stage.pid())?, &Sample::new(taken?)));
    }
    Ok(steps)
}

fn client(socket: &Path) -> blocking::Client {
    blocking::Client::new(Endpoint::from_path(socket))
}

/// A connection that has had a token.
fn served(socket: &Path) -> anyhow::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    let request =
        "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; 8192];
    let length = stream.read(&mut answer)?;
    ensure!(answer[..length].starts_with(b"HTTP/1.1 200"), "no token");
    Ok(stream)
}
