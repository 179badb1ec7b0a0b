//! What numbers of clients cost: those who are held, and those who ask again and again.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Set;
use super::crowd::Kept;

/// What a good client found while others were held.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its 99th percentile with nobody else there.
    pub alone: Duration,
    /// The same in the crowd.
    pub crowded: Duration,
    /// The daemon's resident memory in the crowd, in KiB.
    pub memory: u64,
}

/// What a number of cached requests left behind.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Growth of resident memory since a tenth of them was answered, in KiB.
    pub memory: u64,
    /// Growth of open descriptors; `None` for whoever may not count them.
    pub descriptors: Option<usize>,
}

/// Holds so many connections that were served once, and so many clients who never finish a request and come again when they
/// are cut off; then a good client asks.
pub async fn hold(set: &Set, kept: usize, slow: usize) -> anyhow::Result<Held> {
    let mut good = set.connect().await?;
    let alone = percentile(&mut good).await?;
    let mut held = Vec::with_capacity(kept);
    for _ in 0..kept {
        let mut client = set.connect().await?;
        ensure!(client.ask(false).await? == 200, "a token");
        held.push(client);
    }
    let mut slow_ones = JoinSet::new();
    let (begun, mut beginnings) = mpsc::unbounded_channel();
    for _ in 0..slow {
        let (socket, begun) = (set.socket(), begun.clone());
        slow_ones.spawn(async move {
            loop {
                let mut client = Kept::connect(&socket).await?;
                client.begin().await?;
                let _ = begun.send(());
                // Cut off in the middle of its request, as it must be.
                drop(client.receive().await);
            }
            #[expect(unreachable_code, reason = "it says what the task ends with")]
            anyhow::Ok(())
        });
    }
    for _ in 0..slow {
        beginnings.recv().await.context("a slow client")?;
    }
    let crowded = percentile(&mut good).await?;
    let memory = set.memory()?;
    ensure!(slow_ones.try_join_next().is_none(), "a slow client was not let in");
    for client in &mut held {
        ensure!(client.ask(false).await? == 200, "one who was held gets a token");
    }
    Ok(Held { alone, crowded, memory })
}

/// Asks so often for what is cached, by eight kept connections and one new one in a hundred.
pub async fn ask(set: &Set, requests: usize) -> anyhow::Result<Left> {
    many(set, requests / 10).await?;
    let (memory, descriptors) = (set.memory()?, set.descriptors()?);
    many(set, requests - requests / 10).await?;
    // The daemon closes what its clients closed as soon as it sees that, and tells nobody.
    let closed = Instant::now() + Duration::from_secs(10);
    while set.descriptors()? > descriptors && Instant::now() < closed {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let more = |now: usize| Some(now.saturating_sub(descriptors?));
    Ok(Left { memory: set.memory()?.saturating_sub(memory), descriptors: set.descriptors()?.and_then(more) })
}

async fn many(set: &Set, requests: usize) -> anyhow::Result<()> {
    let each = (0..CONNECTIONS).map(|_| async {
        let mut client = set.connect().await?;
        for number in 0..requests / CONNECTIONS {
            if number % 100 == 99 {
                client = set.connect().await?;
            }
            ensure!(client.ask(false).await? == 200, "a token");
        }
        Ok(())
    });
    try_join_all(each).await.map(drop)
}

/// The 99th percentile of a thousand requests, one after the other.
async fn percentile(client: &mut Kept) -> anyhow::Result<Duration> {
    let mut taken = Vec::with_capacity(1000);
    for _ in 0..1000 {
        let begin = Instant::now();
        ensure!(client.ask(false).await? == 200, "a token");
        taken.push(begin.elapsed());
    }
    taken.sort();
    taken.get(990).copied().context("a thousand")
}

const CONNECTIONS: usize = 8;
