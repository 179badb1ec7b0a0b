//! A cached token from the command line: whole processes, from `posix_spawn` to `wait`.

use anyhow::{Context as _, ensure};

use super::limit::Tools;
use super::options::Options;
use super::peers::Peers;
use super::report::{Report, ratio};
use super::stage::Stage;
use super::timing::{Sample, Turn, in_turns, process};

const EMPTY: &str = "an empty static process";
const LIMIT: &str = "static C client, same brokerd";
/// What another C library saves, so that nobody takes it for brokerctl's merit.
const WITH_MUSL: &str = "the same C client, with musl";
const BROKERCTL: &str = "brokerctl";
/// How often a program is run to count its pages.
const RUNS: u32 = 5;
const DYNAMIC: &str = "brokerctl, linked dynamically";

/// Measures and reports.
pub(crate) fn measure(
    options: &Options,
    tools: &Tools,
    stage: &Stage,
    peers: &Peers,
    report: &mut Report,
) -> anyhow::Result<()> {
    let token = answer(stage.command(&options.binaries.brokerctl).args(["get-token", "--no-prompt"]))?;
    ensure!(token == answer(stage.command(&tools.client).arg(stage.home.socket()))?, "two tokens");
    let mut turns: Vec<Turn<'_>> = Vec::new();
    turns.push(process(EMPTY, 1, stage.command(&tools.empty)));
    for (name, program) in [(LIMIT, Some(&tools.client)), (WITH_MUSL, tools.musl_client.as_ref())] {
        if let Some(program) = program {
            let mut command = stage.command(program);
            command.arg(stage.home.socket());
            turns.push(process(name, 1, command));
        }
    }
    for (name, program) in [(BROKERCTL, Some(&options.binaries.brokerctl)), (DYNAMIC, options.dynamic.as_ref())] {
        if let Some(program) = program {
            let mut command = stage.command(program);
            command.args(["get-token", "--no-prompt"]);
            turns.push(process(name, 1, command));
        }
    }
    for peer in &peers.started {
        ensure!(answer(&mut peer.fetch())?.len() > 20, "{}: no token", peer.name);
        turns.push(process(peer.name, peer.every, peer.fetch()));
    }
    let samples = in_turns(options.rounds, &mut turns)?;
    let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
    let of = |wanted: &str| names.iter().position(|name| name == wanted).map(|at| &samples[at]);
    let limit = of(LIMIT).map_or(f64::NAN, Sample::p50);
    report.section(
        "A cached token from the command line",
        "Whole processes, started by `posix_spawn` and waited for, in turns. Nothing is pinned. 98 % of it is the start of a \
         process, which no program can avoid. The empty process and the C client are linked with glibc; packaging/dist links \
         brokerctl with musl where it can, which has less to do at its start. What separates it from a C client with the same library \
         is mostly the kernel's work for its page faults, whose number is in the last column.",
    );
    let mut rows = Vec::new();
    let (mut least, mut faults) = (f64::NAN, f64::NAN);
    for (turn, sample) in turns.iter_mut().zip(&samples) {
        let counted = page_faults(turn)?;
        match &*turn.name {
            LIMIT => least = counted,
            BROKERCTL => faults = counted,
            _ => {}
        }
        rows.push(vec![
            turn.name.clone(),
            format!("{:.0}", sample.p50()),
            format!("{:.0}", sample.best()),
            ratio(sample.p50() / limit),
            format!("{counted:.0}"),
        ]);
    }
    report.table(&["", "p50 µs", "best µs", "× the C client", "page faults"], rows);
    peers.left_out(report);
    if let Some(ours) = of(BROKERCTL).map(Sample::p50) {
        report.target(
            "cached `get-token`, whole process, p50",
            "× the static C client on the same brokerd",
            ours / limit,
            1.25,
        );
        for peer in peers.started.iter().filter(|peer| peer.is_broker) {
            if let Some(theirs) = of(peer.name).map(Sample::p50) {
                report.target("the same", &format!("× {}", peer.name), ours / theirs, 0.75);
            }
        }
        report.target("its page faults", "× the static C client's", faults / least, 2.0);
    }
    Ok(())
}

/// The page faults of a turn, without the kernel's reads from a disk: the pages have been read.
fn page_faults(turn: &mut Turn<'_>) -> anyhow::Result<f64> {
    let before = of_children()?;
    for _ in 0..RUNS {
        (turn.run)()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    Ok((of_children()? - before) as f64 / f64::from(RUNS))
}

/// The minor faults of the children that were waited for: the eleventh field (`proc_pid_stat(5)`).
fn of_children() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(") ").context("a name")?.1;
    Ok(fields.split(' ').nth(8).context("cminflt")?.parse()?)
}

/// What a command prints.
fn answer(command: &mut std::process::Command) -> anyhow::Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
