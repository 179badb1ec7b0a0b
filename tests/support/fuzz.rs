//! What must hold whatever bytes come: a function for each parser, which panics where it does not.
//!
//! `tests/fuzz` gives them seeds and mutations of these with the stable toolchain; `fuzz/` has them under libFuzzer.

#[cfg(unix)]
mod blocking;
mod kept;
mod pipes;
mod provider;
mod rules;
mod seeds;

/// A parser, what is held of it, and inputs to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also that of the program in `fuzz/`.
    pub name: &'static str,
    /// Gives it these bytes; panics where it does what it must not.
    pub run: fn(&[u8]),
    /// Inputs that it knows.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Mutations in the short form; those that start a daemon for each are few.
    pub rounds: usize,
}

/// Every parser.
pub const TARGETS: &[Target] = &[
    Target { name: "answer", run: pipes::answer, seeds: seeds::answers, rounds: 1000 },
    #[cfg(unix)]
    Target { name: "blocking", run: blocking::answer, seeds: seeds::answers, rounds: 1000 },
    Target { name: "config", run: rules::config, seeds: seeds::configs, rounds: 3000 },
    Target { name: "metadata", run: rules::metadata, seeds: seeds::metadata, rounds: 10_000 },
    Target { name: "prompts", run: kept::prompts, seeds: seeds::prompts, rounds: 200 },
    Target { name: "provider", run: provider::answer, seeds: seeds::provider, rounds: 300 },
    Target { name: "record", run: rules::record, seeds: seeds::records, rounds: 10_000 },
    Target { name: "request", run: pipes::request, seeds: seeds::requests, rounds: 2000 },
    Target { name: "sealed", run: kept::sealed, seeds: seeds::sealed, rounds: 1000 },
    Target { name: "stored", run: kept::stored, seeds: seeds::stored, rounds: 500 },
    Target { name: "text", run: rules::text, seeds: seeds::texts, rounds: 10_000 },
    Target { name: "token", run: rules::token, seeds: seeds::tokens, rounds: 10_000 },
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target {name}")).run)(bytes);
}
