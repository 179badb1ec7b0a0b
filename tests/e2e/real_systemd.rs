//! Is it a service that one installs once and forgets, under a real systemd? The machine is `tests/real/systemd`.

mod hardening;
mod headless;
mod life;
mod machine;
mod package;
mod service;
mod trouble;
mod units;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use support::canary::Canary;
use support::fake_as::{FakeAs, Grant};
use tokio::process::Child;
use tokio::time;

use self::machine::{Disk, Machine, PATIENCE};
use crate::stage::options;

/// An authorization server on the loopback that both sides share, and ada's brokerd in a machine.
struct Stage {
    server: FakeAs,
    canary: Canary,
    machine: Machine,
}

/// Where ada's service finds its key: she has no desktop, and no keyring.
const STORE: &str = "[store]\nkind = \"file\"\nkey_file = \"/home/ada/.config/brokerd/key\"\n";

impl Stage {
    /// Boots a machine with ada's configuration in it, or skips the test. Nothing is enabled yet.
    async fn set(test: &str) -> Result<Option<Self>> {
        let server = FakeAs::listen(options()).await?;
        Self::at(test, server, None).await
    }

    /// The same with a server and a disk that outlive the machine.
    async fn at(test: &str, server: FakeAs, disk: Option<&Disk>) -> Result<Option<Self>> {
        let Some(machine) = Machine::boot(test, disk).await? else {
            return Ok(None);
        };
        Ok(Some(Self::around(machine, server)))
    }

    fn around(machine: Machine, server: FakeAs) -> Self {
        let canary = Canary::default();
        canary.watch(&server);
        Self { server, canary, machine }
    }

    /// The same with nothing of brokerd in it but what is shown.
    async fn bare(test: &str, shown: &[(PathBuf, PathBuf)]) -> Result<Option<Self>> {
        let server = FakeAs::listen(options()).await?;
        Ok(Machine::showing(test, None, shown).await?.map(|machine| Self::around(machine, server)))
    }

    /// Writes ada's configuration and enables the socket.
    async fn enable(&self) -> Result<()> {
        self.prepare().await?;
        self.machine.ok("systemctl --user enable --now --quiet brokerd.socket").await.map(drop)
    }

    /// Writes ada's configuration and her key.
    async fn prepare(&self) -> Result<()> {
        self.configure(&format!("{STORE}{}", self.profile("work"))).await?;
        self.machine.write("~/.config/brokerd/key", &"7".repeat(64)).await
    }

    async fn configure(&self, toml: &str) -> Result<()> {
        self.machine.write("~/.config/brokerd/config.toml", toml).await
    }

    fn profile(&self, name: &str) -> String {
        let issuer = self.server.issuer();
        format!(
            "[profiles.{name}]\nissuer = {issuer:?}\nclient_id = \"cli\"\n\
             scopes = [\"openid\", \"profile\", \"offline_access\"]\n"
        )
    }

    /// Changes ada's service by a drop-in.
    async fn drop_in(&self, text: &str) -> Result<()> {
        self.machine.write("~/.config/systemd/user/brokerd.service.d/test.conf", text).await?;
        self.machine.ok("systemctl --user daemon-reload").await.map(drop)
    }

    /// Gets a token by a device flow that alice confirms.
    async fn sign_in(&self, get_token: &str) -> Result<String> {
        let asked = self.machine.ada(get_token).spawn()?;
        let list = get_token.replacen("get-token", "prompts -o json", 1);
        self.confirm(asked, &list).await
    }

    /// Confirms the one prompt that `list` shows, and returns what whoever asked for it got.
    async fn confirm(&self, asked: Child, list: &str) -> Result<String> {
        let prompt = |told: &str| -> Option<String> {
            let list: Value = serde_json::from_str(told).ok()?;
            Some(list["prompts"][0]["user_code"].as_str()?.to_owned())
        };
        let told = self.machine.until(list, |told| prompt(told).is_some()).await?;
        self.server.approve(&prompt(&told).context("just seen")?, "alice");
        let output = time::timeout(PATIENCE, asked.wait_with_output()).await.context("no token")??;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {stderr}\n{}", output.status, self.machine.journal().await?);
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Gets a token that nobody is asked for.
    async fn token(&self, arguments: &str) -> Result<String> {
        let token = self.machine.ok(&format!("brokerctl get-token --no-prompt {arguments}")).await?;
        ensure!(self.server.access_token(token.trim_end()).is_some(), "no token of the server's");
        Ok(token.trim_end().to_owned())
    }

    fn sign_ins(&self) -> usize {
        self.server.count(Grant::DeviceCode)
    }

    /// Looks for secrets where they must not be, and powers off.
    async fn end(self) -> Result<()> {
        self.machine.check_journal(&self.canary).await?;
        self.machine.power_off().await
    }
}
