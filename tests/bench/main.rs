//! `just bench`: what a token costs, beside the machine's limit and the other brokers, and what the daemon costs that gives it.
//!
//! Everything is set up against one authorization server of ours, and measured in turns: A B C, A B C, so that a noisy moment
//! meets all alike. A figure is the median; the claim is the ratio of two figures of the same run. The limit is C, static,
//! without checks: an empty process, a client that asks the same brokerd, and a server that answers it from a buffer.
//!
//! What cannot be had here is left out by name. `docs/PERFORMANCE.md` is written by `--write`.

#![expect(clippy::print_stderr, reason = "it talks to a person")]
#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "it talks to a person"))]

#[cfg(target_os = "linux")]
mod commands;
#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
mod footprint;
#[cfg(target_os = "linux")]
mod growth;
#[cfg(target_os = "linux")]
mod instructions;
#[cfg(target_os = "linux")]
mod limit;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod plot;
#[cfg(target_os = "linux")]
mod refresh;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod timing;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
use self::{options::Options, report::Report, stage::Stage};

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("bench: it pins processes and reads /proc, which is Linux's");
    ExitCode::from(2)
}

/// The word by which it starts itself as the server of hyper.
#[cfg(target_os = "linux")]
const FLOOR: &str = "hyper-server";

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [FLOOR, socket, answer] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return match floor::serve(socket.as_ref(), answer.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench {FLOOR}: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let options = match Options::parse(words.into_iter()) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("bench: {what}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match bench(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn bench(options: &Options) -> anyhow::Result<()> {
    // The authorization server lives on a thread of its own; all that is measured is driven from this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let runtime = handle;
    if options.order {
        return instructions::order(&runtime, options);
    }
    let tools = limit::Tools::build()?;
    let mut report = Report::begin(options)?;
    if options.wants("commands") || options.wants("sockets") {
        let stage = runtime.block_on(Stage::set(&options.binaries))?;
        let peers = peers::start(&runtime, &stage.server);
        if options.wants("commands") {
            commands::measure(options, &tools, &stage, &peers, &mut report)?;
        }
        if options.wants("sockets") {
            let silent = runtime.block_on(Stage::set_logging(&options.binaries, "info,brokerd::audit=off"))?;
            sockets::measure(options, &tools, &[&stage, &silent], &peers, &mut report)?;
        }
    }
    if options.wants("growth") {
        growth::measure(&runtime, options, &mut report)?;
    }
    if options.wants("footprint") {
        footprint::measure(&runtime, options, &mut report)?;
    }
    if options.wants("refresh") {
        refresh::measure(&runtime, options, &mut report)?;
    }
    if options.wants("instructions") {
        instructions::measure(&runtime, options, &mut report)?;
    }
    report.end(options)
}
