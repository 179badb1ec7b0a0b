//! Servers that answer as no authorization server should: one row a case, run through the whole daemon on a paused clock.
//!
//! A row says where the answer comes (`stages`), what it is, and what must come of it. Whatever comes, in each stage: it is
//! named from the closed list, it takes bounded time and memory, no redirect is followed, nothing unsanitised is told or
//! logged, no token or code of it is logged or kept in clear (they begin with `made-up-`, and a rig looks for that), and a sign-in that was there before is good afterwards without a person.
//!
//! `BROKERD_BAD_SERVERS=WORD` runs the rows with this word in their name, and prints what came of each.

#![cfg(test)]

mod case;
mod cases;
mod run;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use peak_alloc::PeakAlloc;

use self::case::Stage;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One at a time: what a row allocates is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// A rig's, while a row runs: the daemon, the server and the log of both.
const MOST_MEMORY: usize = 32 * 1024 * 1024;

fn run_all(stage: Stage) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = std::env::var("BROKERD_BAD_SERVERS").ok();
    let mut wrong = Vec::new();
    let (mut largest, mut longest, mut count) = ((0, String::new()), (Duration::ZERO, String::new()), 0);
    for case in cases::all().iter().filter(|case| case.stages.contains(&stage)) {
        if wanted.as_ref().is_some_and(|word| !case.name.contains(word.as_str())) {
            continue;
        }
        let ran = run::run(case, stage);
        count += 1;
        if wanted.is_some() {
            println!("{stage:?}, {}: {ran:?}", case.name);
        }
        if ran.memory > largest.0 {
            largest = (ran.memory, case.name.clone());
        }
        if ran.took > longest.0 {
            longest = (ran.took, case.name.clone());
        }
        wrong.extend(ran.wrong.iter().map(|wrong| format!("{}: {wrong}", case.name)));
        if ran.memory > MOST_MEMORY {
            wrong.push(format!("{}: {} bytes at the peak", case.name, ran.memory));
        }
    }
    // Also where none is wrong: that a line is missing says nothing to who counts them.
    println!(
        "{stage:?}: {count} rows, {} wrong; most memory {largest:?}; longest, on the daemon's clock, {longest:?}",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{stage:?}, {} of {count} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn at_discovery() {
    run_all(Stage::Discovery);
}

#[test]
fn at_the_device_authorization() {
    run_all(Stage::Device);
}

#[test]
fn at_a_poll() {
    run_all(Stage::Poll);
}

#[test]
fn at_a_refresh() {
    run_all(Stage::Refresh);
}

#[test]
fn at_a_revocation() {
    run_all(Stage::Revocation);
}

#[test]
fn at_userinfo() {
    run_all(Stage::Userinfo);
}

#[test]
fn there_are_at_least_150_rows_and_each_has_its_name() {
    let cases = cases::all();
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two rows have one name");
    assert!(cases.len() >= 150, "{}", cases.len());
    let runs: usize = cases.iter().map(|case| case.stages.len()).sum();
    println!("{} rows, {runs} runs", cases.len());
}
