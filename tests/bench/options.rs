//! What the benchmark is told.

use std::path::{Path, PathBuf};

use support::processes::Binaries;

/// How it is used.
pub(crate) const HELP: &str = "\
bench DIRECTORY [--dynamic DIRECTORY] [--only GROUP]… [--quick] [--write]

DIRECTORY has the brokerd and brokerctl to measure; --dynamic names one with a brokerctl that is linked
as cargo does it. The groups are commands, sockets, growth, footprint, refresh and instructions. --quick makes a tenth
of the rounds. --write writes docs/PERFORMANCE.md and its plots; without it the figures are printed.
bench DIRECTORY --order writes the functions that brokerctl get-token goes through to DIRECTORY/called, for packaging/order; the brokerctl
there needs its symbols.
BROKERD_BENCH_PIZAUTH names a pizauth to measure beside.
";

/// The options.
pub(crate) struct Options {
    /// What is measured.
    pub(crate) binaries: Binaries,
    /// brokerctl with the system's libraries.
    pub(crate) dynamic: Option<PathBuf>,
    /// Rounds of a measurement of processes; others are made of it.
    pub(crate) rounds: usize,
    /// Whether docs/PERFORMANCE.md is written.
    pub(crate) write: bool,
    /// Whether nothing is measured, and the functions that brokerctl calls are written.
    pub(crate) order: bool,
    only: Vec<String>,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let directory = words.next().ok_or("which binaries?")?;
        let mut options = Self {
            binaries: binaries(Path::new(&directory))?,
            dynamic: None,
            rounds: 2000,
            write: false,
            order: false,
            only: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--dynamic" => {
                    let directory = words.next().ok_or("--dynamic which directory?")?;
                    options.dynamic = Some(found(Path::new(&directory), "brokerctl")?);
                }
                "--only" => options.only.push(words.next().ok_or("--only which group?")?),
                "--quick" => options.rounds /= 10,
                "--write" => options.write = true,
                "--order" => options.order = true,
                _ => return Err(format!("unexpected argument {word:?}")),
            }
        }
        Ok(options)
    }

    /// Whether a group is to be measured.
    pub(crate) fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == group)
    }
}

fn binaries(directory: &Path) -> Result<Binaries, String> {
    Ok(Binaries { brokerd: found(directory, "brokerd")?, brokerctl: found(directory, "brokerctl")? })
}

fn found(directory: &Path, name: &str) -> Result<PathBuf, String> {
    directory.join(name).canonicalize().map_err(|error| format!("{name} in {}: {error}", directory.display()))
}
