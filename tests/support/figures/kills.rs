//! `kill -9`: at random moments of what a daemon does and of the start that follows, and at each of its system calls.

mod calls;
mod deed;
mod left;

use std::path::Path;
use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use tokio::time::{self, Instant};

pub use self::calls::Call;
use self::calls::{Strace, Trace};
pub use self::deed::Deed;
use super::Set;

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Killed {
    /// Secrets that are nowhere in the log or on disk after all of them.
    pub secrets: usize,
    /// Daemons killed; of kills at a system call, those that came to it.
    pub kills: usize,
    /// Rounds in which the provider had been asked when the daemon was killed.
    pub in_the_air: usize,
    /// Sign-ins that were gone, or, of one that was under way, had to be done again.
    pub lost: usize,
    /// Of them, those of which the provider had not answered a thing that the daemon had not saved.
    pub avoidable: usize,
}

impl std::ops::AddAssign for Killed {
    fn add_assign(&mut self, other: Self) {
        self.secrets += other.secrets;
        self.kills += other.kills;
        self.in_the_air += other.in_the_air;
        self.lost += other.lost;
        self.avoidable += other.avoidable;
    }
}

/// When the daemon is killed.
enum Blow<'c> {
    /// So long after the deed began.
    After(Duration),
    /// As it enters this call.
    At(&'c Call),
}

/// Kills so many daemons at random moments of a deed, every third successor as it starts, and looks each time what is left.
pub async fn at_random(set: &mut Set, deed: Deed, kills: usize, rng: &mut Rng) -> anyhow::Result<Killed> {
    let mut killed = Killed::default();
    deed.prepare(set).await?;
    let begin = Instant::now();
    deed.begin(set)?.await?;
    // Long enough that some kills come after the end.
    let span = begin.elapsed().mul_f64(1.5).clamp(Duration::from_millis(2), Duration::from_secs(2));
    while killed.kills < kills {
        let successor = (rng.u8(0..3) == 0).then(|| random(rng, Duration::from_millis(400)));
        killed += round(set, deed, Blow::After(random(rng, span)), successor).await?;
    }
    killed.secrets = set.assert_nothing_leaked();
    Ok(killed)
}

/// Kills a daemon as it enters each of these calls of a deed, and looks each time what is left. Not every deed comes to its call:
/// threads share the work anew each time. What was killed after its end is not among the kills.
pub async fn at_calls(set: &mut Set, deed: Deed, calls: &[Call]) -> anyhow::Result<Killed> {
    let mut killed = Killed::default();
    for call in calls {
        killed += round(set, deed, Blow::At(call), None).await.with_context(|| format!("{deed:?} {call}"))?;
    }
    killed.secrets = set.assert_nothing_leaked();
    Ok(killed)
}

/// The calls of a deed that somebody outside can see.
pub async fn calls(set: &mut Set, deed: Deed) -> anyhow::Result<Vec<Call>> {
    deed.prepare(set).await?;
    if deed == Deed::Start {
        let written = tempfile::NamedTempFile::new()?;
        set.start_under_strace(&calls::traced(), written.path()).await?;
        deed.begin(set)?.await?;
        set.kill().await;
        let calls = calls::of_killed(written.path()).await;
        set.start().await?;
        return calls;
    }
    let trace = Trace::begin(set.pid()?).await?;
    deed.begin(set)?.await?;
    left::is_tidy(set).await?;
    trace.end().await
}

/// One deed cut off, and perhaps the start after it, so long after it began.
async fn round(set: &mut Set, deed: Deed, blow: Blow<'_>, successor: Option<Duration>) -> anyhow::Result<Killed> {
    deed.prepare(set).await?;
    let (asked, answered) = (deed.asked(set), deed.answered(set));
    let mut doing = pin!(deed.begin(set)?);
    let (mut outcome, mut is_struck) = (None, true);
    match blow {
        Blow::After(after) if deed == Deed::Start => set.start_and_kill(after).await?,
        Blow::After(after) => tokio::select! {
            done = &mut doing => outcome = Some(done),
            () = time::sleep(after) => {}
        },
        Blow::At(call) => (outcome, is_struck) = strike(set, deed, call, doing.as_mut()).await?,
    }
    set.kill().await;
    let mut killed = Killed { kills: usize::from(is_struck), ..Killed::default() };
    if let Some(after) = successor {
        set.start_and_kill(after).await?;
        killed.kills += 1;
    }
    killed.in_the_air = usize::from(deed.asked(set) > asked);
    set.start().await?;
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => time::timeout(PATIENCE, doing).await.context("the client was left waiting")?,
    };
    let whole = deed.is_whole(set, outcome.is_ok()).await?;
    left::is_tidy(set).await?;
    if deed != Deed::SignOut && !whole {
        killed.lost = 1;
        killed.avoidable = usize::from(outcome.is_ok() || deed.answered(set) == answered);
        set.sign_in().await.context("the sign-in done again")?;
    }
    Ok(killed)
}

/// Does a deed with this call made the daemon's last. Returns what the client got, if that came first, and whether the daemon came
/// to the call.
async fn strike(
    set: &mut Set,
    deed: Deed,
    call: &Call,
    mut doing: Pin<&mut impl Future<Output = anyhow::Result<()>>>,
) -> anyhow::Result<(Option<anyhow::Result<()>>, bool)> {
    let (mut outcome, mut strace) = (None, None);
    if deed == Deed::Start {
        match set.start_under_strace(&call.injection(), Path::new("/dev/null")).await {
            Ok(()) => outcome = Some(doing.as_mut().await),
            Err(_) if set.is_struck(BEHIND).await? => {}
            Err(why) => return Err(why),
        }
    } else {
        strace = Strace::kill_at(set.pid()?, call).await?;
        tokio::select! {
            done = doing.as_mut() => outcome = Some(done),
            _ = set.is_struck(PATIENCE) => {}
        }
    }
    // What is done behind the answer may come to it as well.
    let is_struck = set.is_struck(BEHIND).await?;
    drop(strace);
    Ok((outcome, is_struck))
}

fn random(rng: &mut Rng, below: Duration) -> Duration {
    below.mul_f64(rng.f64())
}

/// How long a daemon may work on behind its answer.
const BEHIND: Duration = Duration::from_millis(300);
/// How long a client may wait for its answer.
const PATIENCE: Duration = Duration::from_secs(60);
