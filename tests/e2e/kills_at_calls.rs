//! Does a sign-in outlive `kill -9` at each system call of what a daemon does?

#![expect(clippy::print_stdout, reason = "`just score` reads the figures")]

use std::time::Duration;

use futures_util::future::join_all;
use support::fake_as::{Options, Rotation};
use support::figures::Set;
use support::figures::kills::{Call, Deed, Killed, at_calls, calls};
use support::processes::binaries;

use crate::real_parts::part;

/// Kills of each kind of provider in the short form; `BROKERD_KILLS` asks for another number, and more than there are calls
/// for all of them.
fn each() -> usize {
    std::env::var("BROKERD_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(12)
}

/// So many of them, as far apart as they can be.
fn sample(calls: &[Call], number: usize, rng: &mut fastrand::Rng) -> Vec<Call> {
    let all = calls.len();
    let first = rng.usize(0..all.max(1));
    let chosen = (0..number.min(all)).map(|nth| (first + nth * all / number.min(all)) % all);
    chosen.map(|index| calls[index].clone()).collect()
}

/// Returns how many calls there are and how many of them were aimed at, too.
async fn kill(deed: Deed, rotation: Rotation) -> (usize, usize, Killed) {
    let mut set = Set::new(binaries(), Options { rotation, ..Options::default() }).await.unwrap();
    let calls = calls(&mut set, deed).await.unwrap();
    let (all, seed) = (calls.len(), fastrand::u64(..));
    let calls = sample(&calls, each(), &mut fastrand::Rng::with_seed(seed));
    println!("{deed:?}, {rotation:?}: at {} of {all} calls, seed {seed}", calls.len());
    let killed = at_calls(&mut set, deed, &calls).await.unwrap();
    println!("{deed:?}, {rotation:?}: {} of {} struck", killed.kills, calls.len());
    println!("canaries: {} secrets, 0 found", killed.secrets);
    let kept = matches!(deed, Deed::Refresh | Deed::Start) && rotation != Rotation::Strict;
    assert!(
        killed.kills * 2 > calls.len() && killed.avoidable == 0 && !(kept && killed.lost > 0),
        "{deed:?}, {rotation:?}: {killed:?}"
    );
    (all, calls.len(), killed)
}

async fn kill_at_each(test: &str, deed: Deed) {
    if part("BROKERD_TEST_STRACE", test).unwrap().is_none() {
        return;
    }
    let rotations = [Rotation::Tolerant, Rotation::Grace(Duration::from_secs(30)), Rotation::Strict];
    let (mut calls, mut aimed, mut killed) = (0, 0, Killed::default());
    for (all, aimed_at, of_this) in join_all(rotations.map(|rotation| kill(deed, rotation))).await {
        calls += all;
        aimed += aimed_at;
        killed += of_this;
    }
    let Killed { kills, lost, avoidable, .. } = killed;
    println!("calls: {deed:?}, {kills} of {aimed} aimed at, of {calls}, {lost} lost, {avoidable} avoidable");
}

#[tokio::test]
async fn of_a_refresh() {
    kill_at_each("kills_at_calls::of_a_refresh", Deed::Refresh).await;
}

#[tokio::test]
async fn of_a_sign_in() {
    kill_at_each("kills_at_calls::of_a_sign_in", Deed::SignIn).await;
}

#[tokio::test]
async fn of_a_sign_out() {
    kill_at_each("kills_at_calls::of_a_sign_out", Deed::SignOut).await;
}

#[tokio::test]
async fn of_a_start() {
    kill_at_each("kills_at_calls::of_a_start", Deed::Start).await;
}
