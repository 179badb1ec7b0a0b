//! A cached token from the command line: whole processes, from `posix_spawn` to `wait`.

use anyhow::ensure;

use super::limit::Tools;
use super::options::Options;
use super::peers::Peers;
use super::report::{Report, ratio};
use super::stage::Stage;
use super::timing::{Sample, Turn, in_turns, process};

const EMPTY: &str = "an empty static process";
const LIMIT: &str = "static C client, same brokerd";
const BROKERCTL: &str = "brokerctl";
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
    let mut limit = stage.command(&tools.client);
    limit.arg(stage.home.socket());
    turns.push(process(LIMIT, 1, limit));
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
    let of = |name: &str| turns.iter().position(|turn| turn.name == name).map(|at| &samples[at]);
    let limit = of(LIMIT).map_or(f64::NAN, Sample::p50);
    report.section(
        "A cached token from the command line",
        "Whole processes, started by `posix_spawn` and waited for, in turns. Nothing is pinned. 98 % of it is the start of a \
         process, which no program can avoid; what a program adds is the distance to the first row.",
    );
    let mut rows = Vec::new();
    for (turn, sample) in turns.iter().zip(&samples) {
        rows.push(vec![
            turn.name.clone(),
            format!("{:.0}", sample.p50()),
            format!("{:.0}", sample.best()),
            ratio(sample.p50() / limit),
        ]);
    }
    report.table(&["", "p50 µs", "best µs", "× the C client"], rows);
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
    }
    Ok(())
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
