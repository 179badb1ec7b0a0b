//! `kill -9` at random moments of a refresh and of the start that follows it.

use std::time::Duration;

use anyhow::ensure;
use fastrand::Rng;
use tokio::time::Instant;

use super::Set;
use crate::fake_as::Grant;

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Killed {
    /// Daemons killed.
    pub kills: usize,
    /// Rounds in which a daemon that was killed had sent the refresh token.
    pub in_the_air: usize,
    /// Sign-ins that were gone.
    pub lost: usize,
    /// Of them, those whose refresh token no killed daemon had sent.
    pub avoidable: usize,
}

/// Kills so many daemons in the middle of a refresh, every third successor as it starts, and looks each time whether
/// the sign-in is good. One that is lost is made anew.
pub async fn during_refresh(set: &mut Set, kills: usize, rng: &mut Rng) -> anyhow::Result<Killed> {
    let mut killed = Killed::default();
    let begin = Instant::now();
    ensure!(set.connect().await?.ask(true).await? == 200, "a refresh");
    // Long enough that some kills come after the end.
    let span = u64::try_from(begin.elapsed().mul_f64(1.5).as_micros())?.clamp(2_000, 200_000);
    while killed.kills < kills {
        let before = set.server.count(Grant::RefreshToken);
        let mut client = set.connect().await?;
        client.send(true).await?;
        tokio::time::sleep(Duration::from_micros(rng.u64(0..span))).await;
        set.kill().await;
        killed.kills += 1;
        if rng.u8(0..3) == 0 {
            set.start_and_kill(Duration::from_micros(rng.u64(0..4 * span))).await?;
            killed.kills += 1;
        }
        let was_sent = set.server.count(Grant::RefreshToken) > before;
        killed.in_the_air += usize::from(was_sent);
        set.start().await?;
        if set.connect().await?.ask(false).await? != 200 {
            killed.lost += 1;
            killed.avoidable += usize::from(!was_sent);
            set.sign_in().await?;
        }
    }
    Ok(killed)
}
