//! The whole daemon under a deterministic simulator: random clients, people, clocks and crashes, and faults at its two seams,
//! the store and the connector, all drawn from one seed on a paused clock. After every step, every guarantee that can be
//! looked at is.
//!
//! ```sh
//! cargo test -p broker-tests --test simulation                         # the short form
//! BROKERD_SIM_SEED=4711 cargo test -p broker-tests --test simulation   # that world again, told step by step
//! BROKERD_SIM_SEEDS=1000000 cargo test -p broker-tests --test simulation --profile release # the long form
//! ```

#![cfg(test)]

mod ask;
mod check;
mod story;
mod trouble;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use self::story::Story;
use self::world::World;

/// Seeds of the short form.
const SEEDS: u64 = 2000;
/// The long form says how far it is after so many.
const TELLING: u64 = 10_000;
/// What happens in one world.
const STEPS: usize = 40;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Lives through one world; its story, and what was wrong with it.
fn live(seed: u64) -> (Story, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let story = Story::default();
    let told = story.clone();
    let lived = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut world = World::new(seed, told);
            world.begin().await;
            for _ in 0..STEPS {
                world.step().await;
            }
            world.end().await;
        });
    }));
    let wrong = lived.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    });
    (story, wrong)
}

#[test]
fn every_guarantee_holds_in_every_world() {
    if let Some(seed) = number("BROKERD_SIM_SEED") {
        let (story, wrong) = live(seed);
        println!("{story}");
        assert_eq!(wrong, None, "seed {seed}");
        return;
    }
    let (first, seeds) = (number("BROKERD_SIM_FIRST").unwrap_or(0), number("BROKERD_SIM_SEEDS").unwrap_or(SEEDS));
    let (next, simulated) = (AtomicU64::new(first), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = std::thread::scope(|scope| {
        let worker = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + seeds || failed.len() > 4 {
                    return failed;
                }
                if seed != first && (seed - first).is_multiple_of(TELLING) {
                    eprintln!("{} of {seeds} worlds", seed - first);
                }
                let (story, wrong) = live(seed);
                simulated.fetch_add(story.seconds(), Ordering::Relaxed);
                if let Some(wrong) = wrong {
                    // At once: the long form goes on for hours.
                    eprintln!("BROKERD_SIM_SEED={seed}: {wrong}");
                    failed.push(seed);
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let days = simulated.into_inner() / 86_400;
    println!("{seeds} worlds of {STEPS} steps, {days} days, {} of them wrong", failed.len());
    assert!(failed.is_empty(), "of the seeds {failed:?}");
}

/// Or a failing seed would be worth nothing.
#[test]
fn a_world_is_the_same_each_time() {
    for seed in [1, 7, 42, 1234, 99_999] {
        let (first, second) = (live(seed), live(seed));
        assert_eq!(first.1, second.1, "seed {seed}");
        assert_eq!(first.0.to_string(), second.0.to_string(), "seed {seed}");
    }
}
