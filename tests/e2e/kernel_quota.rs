//! What happens when the kernel's keyring of an ordinary user, 20,000 bytes for everything, is full?
//!
//! Root has a thousand times as much, and only root can become the ordinary user this needs.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;
use support::fake_as::{FakeAs, Grant};
use support::processes::{Binaries, Ctl, Daemon, Home, Output, binaries};
use tokio::time;

use crate::real_parts::kernel_session;
use crate::stage::{PATIENCE, options, prompted};
use crate::strangers::{can_become_another, open_copy};

/// Nobody's id, in the hope that none of its keys are in use.
const USER: u32 = 54_321;

/// Adds keys to the user's own keyring until not one byte more fits.
const FILL: &str = "n=0
for size in 16000 8000 4000 2000 1000 500 250 120 60 30 15 8 4 2 1; do
	while head -c $size /dev/zero | keyctl padd user brokerd-test-$n @u >/dev/null 2>&1; do n=$((n + 1)); done
done";

struct Stage {
    server: FakeAs,
    home: Home,
    binaries: Binaries,
}

impl Stage {
    async fn new() -> Result<Self> {
        let server = FakeAs::listen(options()).await?;
        let home = Home::create()?;
        home.canary().watch(&server);
        let issuer = server.issuer();
        let config = format!(
            "[store]\nkind = \"kernel\"\n[profiles.work]\nissuer = {issuer:?}\nclient_id = \"cli\"\n\
             scopes = [\"openid\", \"profile\", \"offline_access\"]\n"
        );
        home.write(home.config_file(), config.as_bytes())?;
        let wrapped = |name: &str, program: &Path| -> Result<_> {
            let program = open_copy(&home, program);
            let become_user = format!("/usr/bin/setpriv --reuid={USER} --regid={USER} --clear-groups --");
            let script = format!("#!/bin/sh\nexec {become_user} keyctl session - '{}' \"$@\"\n", program.display());
            Ok(home.program(name, script.as_bytes())?)
        };
        let brokerd = wrapped("brokerd-as-user", &binaries().brokerd)?;
        let brokerctl = wrapped("brokerctl-as-user", &binaries().brokerctl)?;
        let binaries = Binaries { brokerd, brokerctl };
        give(home.path())?;
        Ok(Self { server, home, binaries })
    }

    /// Runs a script as the user.
    async fn script(&self, script: &str) -> Result<()> {
        let mut command = self.home.command("/usr/bin/setpriv".as_ref());
        command.arg(format!("--reuid={USER}")).arg(format!("--regid={USER}")).args(["--clear-groups", "--"]);
        command.args(["keyctl", "session", "-", "sh", "-c", script]).stdin(Stdio::null());
        let output = time::timeout(PATIENCE, command.output()).await.context("in time")??;
        anyhow::ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    async fn run(&self, arguments: &str) -> Output {
        Ctl::with(&self.home, &self.binaries).limit(PATIENCE).run(arguments.split_whitespace()).await
    }
}

/// Makes the user the owner of a directory and all that is in it.
fn give(path: &Path) -> Result<()> {
    chown(path, Some(USER), Some(USER))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path())?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_full_kernel_keyring_spends_no_refresh_token() -> Result<()> {
    let test = "kernel_quota::a_full_kernel_keyring_spends_no_refresh_token";
    if !can_become_another(test) || kernel_session(test, Path::new("true"))?.is_none() {
        return Ok(());
    }
    let stage = Stage::new().await?;
    stage.script("keyctl clear @u").await?;
    let daemon = Daemon::launch(&stage.home).spawn(&stage.binaries)?;
    daemon.log_until(|log| log.contains("listening")).await;
    let mut asked = Ctl::with(&stage.home, &stage.binaries).limit(PATIENCE).spawn(["get-token"]);
    stage.server.approve(&prompted(&mut asked).await, "alice");
    let first = asked.finish().await;
    assert_eq!(first.code, Some(0), "{first:?}");

    // The kernel gives room back when it has collected the keys, which is soon but not at once: that of the prompt's too.
    let mut served = first.stdout;
    let full = time::timeout(PATIENCE, async {
        loop {
            stage.script(FILL).await?;
            let output = stage.run("get-token --force-refresh").await;
            if output.code != Some(0) {
                return anyhow::Ok(output);
            }
            served = output.stdout;
        }
    });
    let full = full.await??;
    let spent = stage.server.count(Grant::RefreshToken);
    assert_eq!((full.code, full.stdout.as_str()), (Some(9), ""), "{full:?}");
    assert!(full.stderr.contains("hint: make room there, or choose another store.kind"), "{}", full.stderr);
    stage.run("get-token --force-refresh").await;
    assert_eq!(stage.server.count(Grant::RefreshToken), spent, "nothing is spent that cannot be replaced");
    assert_eq!(stage.run("get-token").await.stdout, served, "what is in memory is served");
    let status: Value = serde_json::from_str(&stage.run("status -o json").await.stdout)?;
    assert_eq!(status["store"]["state"], "unavailable", "{status}");

    stage.script("keyctl clear @u").await?;
    let again = time::timeout(PATIENCE, async {
        loop {
            let output = stage.run("get-token --force-refresh").await;
            if output.code != Some(9) {
                return output;
            }
        }
    });
    let again = again.await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!((stage.server.count(Grant::RefreshToken), stage.server.reuse_detected()), (spent + 1, 0));
    assert_eq!(stage.run("logout").await.code, Some(0));
    Ok(())
}
