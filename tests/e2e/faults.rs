//! Is a sign-in kept when what it is kept in breaks, and is there no prompt when that is mended?
//!
//! A trouble is a row of a table. It comes at each of the moments at which it matters: the caller is told what is wrong, no
//! refresh token is spent that could not be replaced, and once it is over the next request is answered silently.
//!
//! Elsewhere: `real_keyring` locks, kills and stops a keyring before a refresh and before the start; `kernel_quota` fills the
//! kernel's; `kills` and `kills_at_calls` end the daemon. That every cut and every flipped bit of a record is found is
//! shown where records are read: `store::frame`, `store::file::sealed`.

#[cfg(target_os = "linux")]
mod disk;
mod files;
mod keyring;

use anyhow::Result;
use serde_json::Value;
use support::fake_as::{Endpoint, Grant};
use support::processes::{Binaries, Daemon, Output};
use tokio::time;

use crate::stage::{PATIENCE, Stage, prompted};

/// Something breaks, and is mended.
struct Trouble<'t> {
    /// What callers are told meanwhile.
    code: &'static str,
    /// What they are told to do.
    hint: &'static str,
    comes: Box<dyn Fn() -> Result<()> + 't>,
    goes: Box<dyn Fn() -> Result<()> + 't>,
}

/// When it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Somebody has signed in, and the daemon is not there.
    BeforeTheStart,
    BeforeARefresh,
    /// The intent is written, the provider has rotated, and its answer is on the way.
    InARefresh,
    BeforeASignIn,
    /// The person has the code, and consents after it has come.
    InASignIn,
}

impl When {
    const ALL: [Self; 5] =
        [Self::BeforeTheStart, Self::BeforeARefresh, Self::InARefresh, Self::BeforeASignIn, Self::InASignIn];
}

/// A stage, and how its daemon is started.
struct Scene {
    stage: Stage,
    config: String,
    environment: Vec<(String, String)>,
    binaries: Binaries,
}

impl Scene {
    async fn daemon(&self) -> Daemon {
        let mut launch = Daemon::launch(&self.stage.home).config(&self.config);
        for (name, value) in &self.environment {
            launch = launch.env(name, value);
        }
        launch.try_start(&self.binaries).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Lets a trouble come and go, and looks at what is told meanwhile and at what is left.
    async fn survives(&self, trouble: &Trouble<'_>, when: When) -> Result<()> {
        let stage = &self.stage;
        let daemon = self.daemon().await;
        let daemon = match when {
            When::BeforeTheStart => {
                stage.sign_in("alice").await;
                assert!(daemon.sigterm().await.success());
                (trouble.comes)()?;
                let daemon = self.daemon().await;
                is_told(trouble, &stage.run("get-token --no-prompt -o json").await);
                assert_eq!(stage.refreshes(), 0, "nothing is spent that cannot be replaced");
                daemon
            }
            When::BeforeARefresh => {
                let token = stage.sign_in("alice").await;
                (trouble.comes)()?;
                is_told(trouble, &stage.run("get-token --force-refresh -o json").await);
                assert_eq!(stage.refreshes(), 0, "nothing is spent that cannot be replaced");
                assert_eq!(stage.ok("get-token").await.trim_end(), token, "what is in memory is served");
                daemon
            }
            When::InARefresh => {
                stage.sign_in("alice").await;
                let gate = stage.server.hold_answer(Grant::RefreshToken);
                let asked = stage.spawn("get-token --force-refresh -o json");
                time::timeout(PATIENCE, gate.arrived()).await?;
                (trouble.comes)()?;
                gate.open();
                is_told(trouble, &asked.finish().await);
                assert_eq!(stage.json("accounts -o json").await["accounts"][0]["state"], "unsaved");
                daemon
            }
            When::BeforeASignIn => {
                (trouble.comes)()?;
                is_told(trouble, &stage.run("get-token -o json").await);
                assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 0, "nobody is asked for nothing");
                (trouble.goes)()?;
                stage.sign_in("alice").await;
                return self.is_kept(daemon).await;
            }
            When::InASignIn => {
                let mut asked = stage.spawn("get-token -o json");
                let code = prompted(&mut asked).await;
                (trouble.comes)()?;
                stage.server.approve(&code, "alice");
                is_told(trouble, &asked.finish().await);
                daemon
            }
        };
        assert_ne!(stage.json("status -o json").await["store"]["state"], "ok");
        (trouble.goes)()?;
        self.is_kept(daemon).await
    }

    /// The sign-in serves the first request, within the patience of the stage, and the next daemon has it too.
    async fn is_kept(&self, daemon: Daemon) -> Result<()> {
        let stage = &self.stage;
        self.is_served("get-token --no-prompt --force-refresh").await;
        daemon.kill9().await;
        let daemon = self.daemon().await;
        self.is_served("get-token --no-prompt").await;
        assert_eq!((stage.server.reuse_detected(), stage.server.count(Endpoint::DeviceAuthorization)), (0, 1));
        assert!(daemon.sigterm().await.success());
        Ok(())
    }

    async fn is_served(&self, arguments: &str) {
        let output = self.stage.run(arguments).await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
        assert!(self.stage.server.access_token(output.stdout.trim_end()).is_some(), "the provider knows it");
    }
}

fn is_told(trouble: &Trouble<'_>, output: &Output) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(9), ""), "{output:?}");
    let body = output.stderr.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let body = body.unwrap_or_else(|| panic!("no error on the last line: {output:?}"));
    assert_eq!(body["error"], trouble.code, "{body}");
    let hint = body["hint"].as_str().unwrap_or_default();
    assert!(hint.contains(trouble.hint), "{body}");
}
