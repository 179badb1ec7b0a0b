//! `cargo demo`: the main job on this machine, for real, with nothing but a Rust toolchain and a C compiler.
//!
//! It builds brokerd and brokerctl, starts an authorization server on a loopback port, and has a person sign in on its
//! page in a browser. Then it shows what a broker is for: the second token is instant, an expired one is replaced without
//! a question, and the sign-in survives `kill -9`. Everything it made is gone afterwards.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

mod options;
mod stage;
mod steps;

use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use support::processes;

use self::options::Options;
use self::stage::Stage;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(argument) => {
            eprintln!("demo: unexpected argument {argument:?}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match demo(options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: Options) -> anyhow::Result<ExitCode> {
    println!("brokerd: one sign-in for every tool on this machine\n");
    println!("Building brokerd and brokerctl; the first time this takes a few minutes.");
    let binaries = processes::build(Stdio::inherit())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stage = Stage::set(binaries, options.approve).await.context("setting up")?;
        let code = tokio::select! {
            told = steps::tell(&mut stage) => match told {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    println!("\nThat did not work: {error:#}");
                    stage.print_log_tail();
                    ExitCode::FAILURE
                }
            },
            () = interrupted() => {
                println!("\nInterrupted.");
                ExitCode::from(130)
            }
        };
        stage.clean_up(options.keep).await;
        Ok(code)
    })
}

/// Waits for Ctrl-C, or for SIGTERM where there is such a thing.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler Ctrl-C ends the process at once, and the temporary directory stays.
        std::future::pending::<()>().await;
    }
}
