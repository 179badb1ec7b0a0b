//! Do sign-ins live in a real keyring, through all that a keyring does?

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::fake_as::{Endpoint, FakeAs};
use support::processes::{Ctl, Daemon, Home, Launch, Output};
use tokio::time::Instant;

use crate::real_parts::{GnomeKeyring, kernel_session};
use crate::stage::{PATIENCE, options, prompted};

/// A server, a home, and a real keyring beside it.
struct Stage {
    server: FakeAs,
    home: Home,
    keyring: GnomeKeyring,
}

impl Stage {
    /// Starts a keyring, or skips the test.
    async fn start(test: &str, kind: &str) -> Result<Option<Self>> {
        let Some(keyring) = GnomeKeyring::start(test)? else {
            return Ok(None);
        };
        let (server, home) = server_and_home(kind).await?;
        Ok(Some(Self { server, home, keyring }))
    }

    fn launch(&self) -> Launch<'_> {
        let bus = self.keyring.env().find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS");
        let (name, address) = bus.expect("a session bus");
        Daemon::launch(&self.home).env(name, address)
    }

    async fn daemon(&self) -> Daemon {
        self.launch().start().await
    }

    async fn run(&self, arguments: &str) -> Output {
        run(&self.home, arguments).await
    }

    async fn token(&self, arguments: &str) -> Result<String> {
        let output = self.run(&format!("get-token {arguments}")).await;
        ensure!(output.code == Some(0) && output.stderr.is_empty(), "{output:?}");
        Ok(output.stdout.trim_end().to_owned())
    }

    async fn status(&self) -> Result<Value> {
        status(&self.home).await
    }

    fn refreshes(&self) -> usize {
        self.server.count(support::fake_as::Grant::RefreshToken)
    }

    /// What the keyring's own tool finds of ours. It lists the items and then reads each, and gives up on one that brokerd deletes in
    /// between, such as a prompt that has been answered.
    fn items(&self) -> Result<String> {
        loop {
            let mut command = std::process::Command::new("timeout");
            command.args(["5", "secret-tool", "search", "--all", "service", "brokerd"]).envs(self.keyring.env());
            let output = command.output().context("secret-tool")?;
            // Attributes are on one, labels and secrets on the other.
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            if !said.contains("No such secret item") {
                return Ok(said);
            }
        }
    }
}

pub(crate) async fn server_and_home(kind: &str) -> Result<(FakeAs, Home)> {
    let server = FakeAs::listen(options()).await?;
    let home = Home::create()?;
    home.canary().watch(&server);
    let issuer = server.issuer();
    let config = format!(
        "[store]\nkind = {kind:?}\n[profiles.work]\nissuer = {issuer:?}\nclient_id = \"cli\"\n\
         scopes = [\"openid\", \"profile\", \"offline_access\"]\n"
    );
    home.write(home.config_file(), config.as_bytes())?;
    Ok((server, home))
}

async fn run(home: &Home, arguments: &str) -> Output {
    Ctl::new(home).limit(PATIENCE).run(arguments.split_whitespace()).await
}

async fn status(home: &Home) -> Result<Value> {
    Ok(serde_json::from_str(&run(home, "status -o json").await.stdout)?)
}

pub(crate) async fn sign_in(server: &FakeAs, home: &Home) -> Result<String> {
    let mut asked = Ctl::new(home).limit(PATIENCE).spawn(["get-token"]);
    server.approve(&prompted(&mut asked).await, "alice");
    let output = asked.finish().await;
    ensure!(output.code == Some(0), "{output:?}");
    Ok(output.stdout.trim_end().to_owned())
}

#[tokio::test]
async fn a_sign_in_is_an_item_of_the_keyring() -> Result<()> {
    let test = "real_keyring::a_sign_in_is_an_item_of_the_keyring";
    for kind in ["keyring", "auto"] {
        let Some(stage) = Stage::start(test, kind).await? else { return Ok(()) };
        let daemon = stage.daemon().await;
        assert!(!stage.items()?.contains("attribute.service = brokerd"));
        sign_in(&stage.server, &stage.home).await?;
        let items = stage.items()?;
        assert!(items.contains("attribute.service = brokerd"), "{items}");
        let store = &stage.status().await?["store"];
        assert_eq!((&store["kind"], &store["state"]), (&"keyring".into(), &"ok".into()));

        // The secret that the keyring has is one that the log has not, even at trace.
        let (_, secret) = items.split_once("secret = ").context("a secret")?;
        let secret = secret.lines().next().context("a line")?;
        assert!(secret.len() > 20 && !daemon.log().contains(secret), "{secret}");
        stage.token("--force-refresh").await?;
        daemon.kill9().await;
        let _daemon = stage.daemon().await;
        stage.token("--no-prompt").await?;
        assert_eq!((stage.refreshes(), stage.server.reuse_detected()), (2, 0));

        assert_eq!(stage.run("logout").await.code, Some(0));
        assert!(!stage.items()?.contains("attribute.service = brokerd"), "{}", stage.items()?);
    }
    Ok(())
}

#[tokio::test]
async fn a_locked_keyring_spends_no_refresh_token() -> Result<()> {
    let test = "real_keyring::a_locked_keyring_spends_no_refresh_token";
    let Some(stage) = Stage::start(test, "keyring").await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let token = sign_in(&stage.server, &stage.home).await?;
    stage.keyring.lock()?;
    let output = stage.run("get-token --force-refresh").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(9), ""), "{output:?}");
    assert!(output.stderr.contains("locked") && output.stderr.contains("hint: unlock"), "{}", output.stderr);
    assert_eq!(stage.refreshes(), 0, "nothing is spent that cannot be replaced");
    assert_eq!(stage.token("").await?, token, "what is in memory is served");
    assert_eq!(stage.status().await?["store"]["state"], "locked");

    stage.keyring.unlock()?;
    assert_ne!(stage.token("--force-refresh").await?, token);
    assert_eq!(stage.status().await?["store"]["state"], "ok");
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_starts_before_the_keyring_is_unlocked_waits_for_it() -> Result<()> {
    let test = "real_keyring::a_daemon_that_starts_before_the_keyring_is_unlocked_waits_for_it";
    let Some(stage) = Stage::start(test, "keyring").await? else { return Ok(()) };
    let daemon = stage.daemon().await;
    sign_in(&stage.server, &stage.home).await?;
    assert!(daemon.sigterm().await.success());
    stage.keyring.lock()?;
    let _daemon = stage.daemon().await;
    let output = stage.run("get-token").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(9), ""), "{output:?}");
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1, "locked is not signed out");
    let accounts: Value = serde_json::from_str(&stage.run("accounts -o json").await.stdout)?;
    assert_eq!(accounts["accounts"][0]["state"], "not_loaded");
    stage.keyring.unlock()?;
    stage.token("--no-prompt").await?;
    Ok(())
}

#[tokio::test]
async fn a_keyring_that_was_killed_and_came_back_works_again() -> Result<()> {
    let test = "real_keyring::a_keyring_that_was_killed_and_came_back_works_again";
    let Some(stage) = Stage::start(test, "keyring").await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let token = sign_in(&stage.server, &stage.home).await?;
    stage.keyring.kill()?;
    let output = stage.run("get-token --force-refresh").await;
    assert_eq!(output.code, Some(9), "{output:?}");
    assert_eq!(stage.token("").await?, token);
    assert_eq!(stage.refreshes(), 0);
    stage.keyring.start_again()?;
    assert_ne!(stage.token("--force-refresh").await?, token);
    assert_eq!((stage.refreshes(), stage.server.reuse_detected()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_keyring_that_hangs_costs_its_deadline_and_nobody_else_anything() -> Result<()> {
    let test = "real_keyring::a_keyring_that_hangs_costs_its_deadline_and_nobody_else_anything";
    let Some(stage) = Stage::start(test, "keyring").await? else { return Ok(()) };
    let daemon = stage.daemon().await;
    let token = sign_in(&stage.server, &stage.home).await?;
    stage.keyring.stop()?;
    let start = Instant::now();
    let (output, ()) = tokio::join!(stage.run("get-token --force-refresh"), async {
        for _ in 0..5 {
            let output = stage.run("get-token").await;
            assert_eq!(output.stdout.trim_end(), token, "a token in memory is served meanwhile: {output:?}");
            assert_eq!(stage.run("status").await.code, Some(0));
        }
    });
    assert_eq!((output.code, output.stdout.as_str()), (Some(9), ""), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(stage.refreshes(), 0);

    stage.keyring.cont()?;
    daemon.log_until(|log| log.contains("the stuck call of the store returned")).await;
    assert_ne!(stage.token("--force-refresh").await?, token);

    // Nor does it hold up the exit.
    stage.keyring.stop()?;
    let asked = Ctl::new(&stage.home).limit(PATIENCE).spawn(["get-token", "--force-refresh", "--timeout", "1"]);
    let start = Instant::now();
    assert_eq!(daemon.sigterm().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    stage.keyring.cont()?;
    drop(asked.finish().await);
    Ok(())
}

#[tokio::test]
async fn a_lost_index_is_made_again_from_the_keyring() -> Result<()> {
    let test = "real_keyring::a_lost_index_is_made_again_from_the_keyring";
    let Some(stage) = Stage::start(test, "keyring").await? else { return Ok(()) };
    let daemon = stage.daemon().await;
    sign_in(&stage.server, &stage.home).await?;
    daemon.kill9().await;
    fs::remove_file(stage.home.state().join("brokerd").join("accounts.json"))?;
    let _daemon = stage.daemon().await;
    stage.token("--no-prompt").await?;
    let status = stage.status().await?;
    assert!(status["notices"][0].as_str().is_some_and(|notice| notice.contains("repaired")), "{status}");
    Ok(())
}

#[tokio::test]
async fn without_a_service_auto_takes_the_kernels_keyring_and_says_how_long_it_lasts() -> Result<()> {
    use support::processes::{Binaries, binaries};

    let test = "real_keyring::without_a_service_auto_takes_the_kernels_keyring_and_says_how_long_it_lasts";
    let Some(command) = kernel_session(test, &binaries().brokerd)? else { return Ok(()) };
    let (server, home) = server_and_home("auto").await?;
    // A session keyring of its own, so that nothing is left in ours; what becomes persistent is signed out below.
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| format!("{word:?}"));
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", words.collect::<Vec<_>>().join(" "));
    let brokerd = home.program("in-a-session", script.as_bytes())?;
    let in_a_session = Binaries { brokerd, ..binaries().clone() };
    let daemon = Daemon::launch(&home).try_start(&in_a_session).await?;
    sign_in(&server, &home).await?;
    let store = status(&home).await?;
    assert_eq!(store["store"]["kind"], "kernel", "{store}");
    let durability = store["store"]["durability"].as_str().context("a sentence")?;
    assert!(durability.contains("memory only") && durability.contains("gone"), "{durability}");
    assert!(
        store["notices"][0]
            .as_str()
            .is_some_and(|notice| notice.contains("for lack of a better one") && !notice.contains("zbus")),
        "{store}"
    );
    assert!(run(&home, "status").await.stdout.contains(durability));
    assert!(daemon.log().contains("for lack of a better one") && daemon.log().contains(durability));
    assert_eq!(run(&home, "logout --all").await.code, Some(0));
    assert!(daemon.sigterm().await.success());
    Ok(())
}
