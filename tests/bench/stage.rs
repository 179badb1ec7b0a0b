//! brokerd as it is measured: signed in at the authorization server, a token at hand.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker_client::{Client, Endpoint, TokenEvent, TokenRequest};
use support::fake_as::{Ca, FakeAs, Options, Rotation};
use support::processes::{Binaries, Daemon, Home};

/// The stage.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) home: Home,
    pub(crate) daemon: Daemon,
}

/// The authorization server that everybody signs in at, over TLS.
pub(crate) struct Server {
    pub(crate) fake: FakeAs,
    pub(crate) ca: Ca,
}

impl Server {
    /// Tokens live for a day: nothing is refreshed while it is measured. A refresh token may be used by several peers' ways.
    pub(crate) async fn listen() -> anyhow::Result<Self> {
        let ca = Ca::new();
        let options = Options {
            access_token_lifetime: Duration::from_secs(86_400),
            interval: Some(Duration::from_secs(1)),
            enforce_interval: false,
            rotation: Rotation::Strict,
            ..Options::default()
        };
        Ok(Self { fake: FakeAs::listen_tls(options, &ca).await?, ca })
    }

    /// Runs a command that signs in by the device flow, and confirms on its user's behalf, unless it ends before.
    pub(crate) async fn confirm(&self, command: Command) -> anyhow::Result<Output> {
        let mut command = tokio::process::Command::from(command);
        let mut output = std::pin::pin!(command.output());
        tokio::select! {
            biased;
            output = &mut output => return Ok(output?),
            () = self.approve() => {}
        }
        Ok(output.await?)
    }

    /// Confirms the sign-in that is pending.
    pub(crate) async fn approve(&self) {
        let code = self.fake.next_user_code().await;
        self.fake.approve(&code, "alice");
    }
}

impl Stage {
    /// Starts a server and a brokerd, and signs alice in.
    pub(crate) async fn set(binaries: &Binaries) -> anyhow::Result<Self> {
        Self::set_logging(binaries, "info").await
    }

    /// The same, with this for `BROKERD_LOG`.
    pub(crate) async fn set_logging(binaries: &Binaries, filter: &str) -> anyhow::Result<Self> {
        let server = Server::listen().await?;
        let home = Home::create()?;
        let config = profile(&server, &home, "memory")?;
        let daemon = Daemon::launch(&home).config(&config).env("BROKERD_LOG", filter).try_start(binaries).await?;
        let stage = Self { server, home, daemon };
        stage.sign_in(&TokenRequest::default()).await?;
        Ok(stage)
    }

    /// Signs alice in by the device flow.
    pub(crate) async fn sign_in(&self, request: &TokenRequest) -> anyhow::Result<()> {
        sign_in(&self.server, self.home.socket().as_path(), request).await
    }

    /// A command with this home's environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        command(&self.home, program)
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon.pid().unwrap_or_default()
    }
}

/// Writes the configuration and starts a daemon.
pub(crate) async fn launch(home: &Home, config: &str, binaries: &Binaries) -> anyhow::Result<Daemon> {
    Ok(Daemon::launch(home).config(config).try_start(binaries).await?)
}

/// A configuration with one profile at the server and this store.
pub(crate) fn profile(server: &Server, home: &Home, store: &str) -> anyhow::Result<String> {
    let ca_file = home.write("ca.pem", server.ca.pem().as_bytes())?;
    Ok(format!(
        "[store]\nkind = {store:?}\n\n[profiles.work]\nissuer = {:?}\nclient_id = \"cli\"\nca_file = {:?}\n\
         scopes = [\"openid\", \"profile\", \"offline_access\"]\n",
        server.fake.issuer(),
        ca_file.display().to_string(),
    ))
}

/// Signs alice in at the daemon that listens at `socket`.
pub(crate) async fn sign_in(server: &Server, socket: &Path, request: &TokenRequest) -> anyhow::Result<()> {
    let client = Client::new(Endpoint::from_path(socket));
    let mut events = client.token(request);
    let prompt = events.next().await.context("an answer")??;
    ensure!(matches!(prompt, TokenEvent::DevicePrompt(_)), "no prompt, but {prompt:?}");
    server.approve().await;
    let token = events.next().await.context("an answer")??;
    ensure!(matches!(token, TokenEvent::Token(_)), "no token, but {token:?}");
    Ok(())
}

/// A command with a home's environment and nothing else; made by `posix_spawn`, as it sets neither directory nor ids.
pub(crate) fn command(home: &Home, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for (name, value) in home.command(program).as_std().get_envs() {
        command.envs(value.map(|value| (name, value)));
    }
    command
}
