//! Time, taken in turns.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::time::Instant;

/// Durations of one thing, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    pub(crate) fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// The median, in microseconds.
    pub(crate) fn p50(&self) -> f64 {
        self.at(0.5)
    }

    /// The best, in microseconds: what a busy machine did not touch.
    pub(crate) fn best(&self) -> f64 {
        self.at(0.0)
    }

    pub(crate) fn at(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an index within some thousands"
        )]
        let index = ((self.0.len().saturating_sub(1)) as f64 * part) as usize;
        self.0.get(index).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1e6)
    }
}

/// Something to run again and again.
pub(crate) struct Turn<'a> {
    pub(crate) name: String,
    /// It has a turn in every so many rounds only.
    pub(crate) every: usize,
    pub(crate) run: Box<dyn FnMut() -> anyhow::Result<()> + 'a>,
}

/// Gives each its turn, round by round, after a few rounds that do not count.
pub(crate) fn in_turns(rounds: usize, turns: &mut [Turn<'_>]) -> anyhow::Result<Vec<Sample>> {
    const WARM_UP: usize = 5;
    let mut taken = vec![Vec::with_capacity(rounds); turns.len()];
    for round in 0..rounds + WARM_UP {
        for (turn, taken) in turns.iter_mut().zip(&mut taken) {
            if round % turn.every != 0 {
                continue;
            }
            let start = Instant::now();
            (turn.run)().with_context(|| turn.name.clone())?;
            let took = start.elapsed();
            if round >= WARM_UP {
                taken.push(took);
            }
        }
    }
    Ok(taken.into_iter().map(Sample::new).collect())
}

/// A process from its start to its end, its output thrown away. It must succeed.
pub(crate) fn process<'a>(name: &str, every: usize, mut command: Command) -> Turn<'a> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let run = Box::new(move || {
        let status = command.status()?;
        ensure!(status.success(), "{status}");
        Ok(())
    });
    Turn { name: name.to_owned(), every, run }
}

/// Runs on one CPU, together with the processes named and all that are started meanwhile.
pub(crate) struct Pinned {
    /// Who, and where they ran before.
    before: Vec<(Option<Pid>, CpuSet)>,
}

impl Pinned {
    /// Pins this thread, and these processes, to the last CPU there is.
    pub(crate) fn with(pids: &[u32]) -> anyhow::Result<Self> {
        let pids = pids.iter().map(|pid| {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw).context("a process id")?;
            anyhow::Ok(Some(pid))
        });
        let mut pinned = Self { before: Vec::new() };
        for pid in pids.chain([Ok(None)]) {
            let pid = pid?;
            let before = sched_getaffinity(pid)?;
            let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| before.is_set(*cpu)).context("a CPU")?;
            let mut one = CpuSet::new();
            one.set(last);
            sched_setaffinity(pid, &one)?;
            pinned.before.push((pid, before));
        }
        Ok(pinned)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for (pid, before) in &self.before {
            // What cannot be undone only makes the next figures worse.
            sched_setaffinity(*pid, before).ok();
        }
    }
}
