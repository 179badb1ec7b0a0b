//! For how long is a rotated refresh token in memory alone? A crash then loses the sign-in where the old one is good no more.

#![expect(clippy::print_stdout, reason = "`just score` reads the figures")]

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use support::processes::{Ctl, Daemon, Home};

use crate::real_keyring::{server_and_home, sign_in};
use crate::real_parts::GnomeKeyring;
use crate::stage::{PATIENCE, Stage};

/// `BROKERD_LOAD=long` is for `just score --long`.
fn refreshes() -> usize {
    if std::env::var("BROKERD_LOAD").is_ok_and(|form| form == "long") { 1000 } else { 40 }
}

/// What the daemon must log for it, and no more: that takes time itself.
const LOG: (&str, &str) = ("BROKERD_LOG", "brokerd=debug");

/// The times from the provider's answer to the store's, in ascending order, as the log has them.
fn unsaved(log: &str) -> Result<Vec<Duration>> {
    let mut answered = None;
    let mut found = Vec::new();
    for line in log.lines() {
        let at = || line.split(' ').next().context("a time")?.parse::<Timestamp>().context("a time");
        if line.contains("provider answered") && line.contains("/token") {
            answered = Some(at()?);
        } else if let (true, Some(since)) = (line.contains("what the refresh brought is saved"), answered.take()) {
            found.push(at()?.duration_since(since).unsigned_abs());
        }
    }
    found.sort();
    Ok(found)
}

async fn measure(store: &str, home: &Home, daemon: &Daemon) -> Result<()> {
    for _ in 0..refreshes() {
        let output = Ctl::new(home).limit(PATIENCE).run(["get-token", "--force-refresh"]).await;
        ensure!(output.code == Some(0), "{output:?}");
    }
    let found = unsaved(&daemon.log())?;
    ensure!(found.len() == refreshes(), "{} of {}", found.len(), refreshes());
    let (median, worst) = (found[found.len() / 2], found[found.len() - 1]);
    println!("unsaved: {store}: {median:.1?} at the median, {worst:.1?} at worst, of {} refreshes", found.len());
    Ok(())
}

#[tokio::test]
async fn in_a_sealed_file() -> Result<()> {
    let stage = Stage::new().await;
    let daemon = Daemon::launch(&stage.home).config(&stage.config()).env(LOG.0, LOG.1).start().await;
    stage.sign_in("alice").await;
    measure("file", &stage.home, &daemon).await
}

#[tokio::test]
async fn in_a_real_keyring() -> Result<()> {
    let Some(keyring) = GnomeKeyring::start("unsaved::in_a_real_keyring")? else { return Ok(()) };
    let (server, home) = server_and_home("keyring").await?;
    let bus = keyring.env().find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS").context("a session bus")?;
    let daemon = Daemon::launch(&home).env(bus.0, bus.1).env(LOG.0, LOG.1).start().await;
    sign_in(&server, &home).await?;
    measure("gnome-keyring", &home, &daemon).await
}
