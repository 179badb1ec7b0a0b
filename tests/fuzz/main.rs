//! Does each parser keep its promises on its seeds and on mutations of these? The short form of `just fuzz`.
//!
//! `BROKERD_FUZZ=100` makes a hundred times as many mutations; `BROKERD_WRITE_CORPUS=DIRECTORY` writes the seeds there instead.

#![cfg(test)]

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;
use support::fuzz::{TARGETS, Target};

/// What is put into an input as it is.
const WORDS: [&[u8]; 16] = [
    b"\r\n",
    b"\"",
    b"{",
    b"}",
    b"[",
    b":",
    b",",
    b"\\u0000",
    b"\\ud800",
    b"\x1b[31m",
    b"\xff",
    b"null",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"\xe2\x80\xae",
];

#[test]
fn every_parser_keeps_its_promises() {
    if let Some(directory) = env::var_os("BROKERD_WRITE_CORPUS") {
        return write(Path::new(&directory)).expect("a corpus");
    }
    let times: usize = env::var("BROKERD_FUZZ").map_or(1, |times| times.parse().expect("a number"));
    let mut inputs = 0;
    for target in TARGETS {
        let (seeds, mut rng) = ((target.seeds)(), Rng::with_seed(1));
        for seed in &seeds {
            give(target, seed);
        }
        for _ in 0..target.rounds * times {
            let mut input = seeds[rng.usize(..seeds.len())].clone();
            for _ in 0..rng.usize(1..6) {
                mutate(&mut input, &seeds, &mut rng);
            }
            give(target, &input);
        }
        inputs += seeds.len() + target.rounds * times;
    }
    println!("fuzz: {inputs} inputs to {} parsers, 0 findings", TARGETS.len());
}

/// Gives an input to a target; one that breaks a promise is shown, to become a seed.
fn give(target: &Target, input: &[u8]) {
    let kept = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(kept.is_ok(), "target {}, input {:?}", target.name, input.escape_ascii().to_string());
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.usize(..=input.len());
    let to = rng.usize(at..=input.len());
    match rng.u8(..6) {
        0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
        1 if at < input.len() => input[at] = rng.u8(..),
        2 => drop(input.drain(at..to)),
        3 => {
            let again = input[at..to].to_vec();
            input.splice(at..at, again);
        }
        4 => {
            let other = &seeds[rng.usize(..seeds.len())];
            let from = rng.usize(..=other.len());
            input.splice(at..to, other[from..].iter().copied());
        }
        _ => drop(input.splice(at..at, WORDS[rng.usize(..WORDS.len())].iter().copied())),
    }
}

fn write(directory: &Path) -> std::io::Result<()> {
    for target in TARGETS {
        let corpus = directory.join(target.name);
        fs::create_dir_all(&corpus)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
