//! Does the daemon serve good tokens, and ask nobody again, whatever its clock and its zone say?
//!
//! The system's clock is not ours to set: libfaketime (`tests/real/parts/faketime.sh`) sets that of the daemon alone, while it
//! runs, and leaves it the clock that never goes back. The provider's is right. A machine that was suspended is one whose wall
//! clock jumps forward.
//!
//! Elsewhere: the rules, on a paused clock, in `scenarios::silent` and `broker_oauth::refresh`; servers whose `Date` is wrong, in
//! `scenarios::{habits, doctor}`; tokens kept alive over a suspend, in `scenarios::keep_alive`; jumps among all other trouble, in
//! `simulation`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::join_all;
use jiff::Timestamp;
use rustix::process::Signal;
use support::fake_as::{Endpoint, Grant, Options};
use support::processes::Daemon;

use crate::real_parts::part;
use crate::stage::{Stage, codes, options, prompted};

/// A stage whose daemon has a clock of its own.
struct Scene {
    stage: Stage,
    library: PathBuf,
}

impl Scene {
    async fn set(test: &str, options: Options) -> Result<Option<Self>> {
        let Some(library) = part("BROKERD_TEST_FAKETIME", test)? else { return Ok(None) };
        let scene = Self { stage: Stage::with(options).await, library };
        scene.set_clock("+0")?;
        Ok(Some(scene))
    }

    async fn daemon(&self) -> Daemon {
        let launch = Daemon::launch(&self.stage.home).config(&self.stage.config());
        let launch = launch.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.clock());
        launch.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").start().await
    }

    fn clock(&self) -> PathBuf {
        self.stage.home.path().join("clock")
    }

    /// Sets it by so much beside the right time.
    fn set_clock(&self, offset: &str) -> Result<()> {
        let new = self.stage.home.write("clock.new", offset.as_bytes())?;
        Ok(std::fs::rename(new, self.clock())?)
    }

    /// A token, without a prompt, that the provider takes.
    async fn token(&self, context: &str) -> String {
        let output = self.stage.run("get-token --no-prompt --min-validity 0s").await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{context}: {output:?}");
        let token = output.stdout.trim_end().to_owned();
        assert!(self.stage.server.access_token(&token).is_some(), "{context}: it has expired by the provider's clock");
        token
    }

    fn nobody_was_asked_again(&self) {
        assert_eq!(
            (self.stage.server.count(Endpoint::DeviceAuthorization), self.stage.server.reuse_detected()),
            (1, 0)
        );
    }
}

fn short_lived() -> Options {
    Options { access_token_lifetime: Duration::from_secs(3), ..options() }
}

#[tokio::test]
async fn each_jump_of_the_clock_costs_one_refresh_at_most() -> Result<()> {
    let test = "clocks::each_jump_of_the_clock_costs_one_refresh_at_most";
    let Some(scene) = Scene::set(test, options()).await? else { return Ok(()) };
    let daemon = scene.daemon().await;
    scene.stage.sign_in("alice").await;
    for jump in ["+10y", "+0", "-2m", "-1d", "-20y", "+30y", "+30d", "+0"] {
        let before = scene.stage.refreshes();
        scene.set_clock(jump)?;
        let token = scene.token(jump).await;
        assert_eq!(scene.token(jump).await, token, "{jump}: no refresh for each caller");
        assert!(scene.stage.refreshes() - before <= 1, "{jump}");
        assert_eq!(scene.stage.run("status").await.code, Some(0));
    }
    assert!(scene.stage.refreshes() >= 5, "the daemon has seen the jumps");
    scene.nobody_was_asked_again();
    drop(daemon);
    Ok(())
}

#[tokio::test]
async fn no_expired_token_is_served_whatever_the_clock_says() -> Result<()> {
    let test = "clocks::no_expired_token_is_served_whatever_the_clock_says";
    // Set back by less than is doubted, and by more; a machine that slept; the next daemon has another clock.
    let rows =
        [("+0", "-2m", false), ("+0", "-1h", false), ("+0", "+3h", false), ("+5y", "-5y", true), ("-5y", "+0", true)];
    let rows = rows.map(async |(before, after, restart)| {
        let Some(scene) = Scene::set(test, short_lived()).await? else { return Ok(()) };
        scene.set_clock(before)?;
        let mut daemon = scene.daemon().await;
        let token = scene.stage.sign_in("alice").await;
        scene.set_clock(after)?;
        if restart {
            daemon.kill9().await;
            daemon = scene.daemon().await;
        }
        scene.stage.until_expired(&token).await;
        let context = format!("{before}, {after}");
        assert_ne!(scene.token(&context).await, token, "{context}");
        scene.nobody_was_asked_again();
        assert!(daemon.sigterm().await.success());
        Ok(())
    });
    join_all(rows).await.into_iter().collect()
}

#[tokio::test]
async fn a_prompt_outlives_a_jump_of_the_clock() -> Result<()> {
    let test = "clocks::a_prompt_outlives_a_jump_of_the_clock";
    for jump in ["+1y", "-1y"] {
        let Some(scene) = Scene::set(test, options()).await? else { return Ok(()) };
        let _daemon = scene.daemon().await;
        let mut asked = scene.stage.spawn("get-token");
        let code = prompted(&mut asked).await;
        scene.set_clock(jump)?;
        let polled = scene.stage.server.count(Grant::DeviceCode);
        scene.stage.server.wait_for_count(Grant::DeviceCode, polled + 1).await;
        scene.stage.server.approve(&code, "alice");
        let output = asked.finish().await;
        assert_eq!((output.code, codes(&output.stderr)), (Some(0), vec![code]), "{jump}: {output:?}");
        scene.token(jump).await;
        scene.nobody_was_asked_again();
    }
    Ok(())
}

/// As far as a process can be suspended alone: it is stopped while its token expires, and a caller waits for it.
#[tokio::test]
async fn a_daemon_that_slept_serves_no_token_of_before() {
    let stage = Stage::with(short_lived()).await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    daemon.signal(Signal::STOP);
    let asked = stage.spawn("get-token --no-prompt --min-validity 0s");
    stage.until_expired(&token).await;
    daemon.signal(Signal::CONT);
    let output = asked.finish().await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    assert!(stage.server.access_token(output.stdout.trim_end()).is_some());
}

#[tokio::test]
async fn a_wrong_zone_changes_no_time_that_programs_read() {
    for zone in ["Pacific/Kiritimati", "America/Adak", "Nowhere/Land", ":/etc/passwd", "XYZ-99:99", ""] {
        let stage = Stage::new().await;
        let _daemon = Daemon::launch(&stage.home).config(&stage.config()).env("TZ", zone).start().await;
        stage.sign_in("alice").await;
        let ctl = stage.ctl().env("TZ", zone);
        let output = ctl.run(["get-token", "-o", "json"]).await;
        let token: serde_json::Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let on = token["expires_on"].as_i64().expect("seconds");
        let at: Timestamp = token["expires_at"].as_str().and_then(|at| at.parse().ok()).expect("RFC 3339");
        #[expect(clippy::disallowed_methods, reason = "the right time, to compare with")]
        let left = on - Timestamp::now().as_second();
        assert!(at.as_second() == on && (3590..=3600).contains(&left), "{zone}: {token}");
        for arguments in ["accounts", "status", "get-token --force-refresh"] {
            let output = ctl.run(arguments.split_whitespace()).await;
            assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{zone}: {output:?}");
        }
    }
}
