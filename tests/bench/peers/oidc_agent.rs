//! oidc-agent, as Debian packages it (`oidc-agent-cli`): signed in by the device flow.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep};

use super::{Peer, Raw};
use crate::stage::Server;

/// Starts an agent and loads an account into it.
pub(super) async fn start(server: &Server) -> anyhow::Result<Peer> {
    let directory = tempfile::Builder::new().prefix("oidc-").tempdir()?;
    let (home, socket) = (directory.path(), directory.path().join("agent"));
    let ca_file = home.join("ca.pem");
    std::fs::write(&ca_file, server.ca.pem())?;
    std::fs::create_dir(home.join(".oidc-agent"))?;
    let environment = vec![
        ("HOME", home.into()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
        ("OIDC_SOCK", socket.clone().into()),
        ("OIDC_ENCRYPTION_PW", "bench".into()),
    ];
    let mut agent = Command::new("oidc-agent");
    agent.args(["--console", "--no-autoload", "-a"]).arg(&socket).env_clear().envs(environment.clone());
    agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let agent = agent.spawn().context("oidc-agent (Debian: oidc-agent-cli)")?;
    let peer = Peer {
        name: "oidc-agent",
        every: 1,
        is_broker: true,
        fetch: vec!["oidc-token".into(), "bench".into()],
        environment,
        raw: Some(Raw {
            socket: socket.clone(),
            request: br#"{"request":"access_token","account":"bench","min_valid_period":0}"#.to_vec(),
            half_close: false,
        }),
        processes: vec![agent],
        _directory: directory,
    };
    let limit = Instant::now() + Duration::from_secs(10);
    while !socket.exists() {
        ensure!(Instant::now() < limit, "oidc-agent makes no socket");
        sleep(Duration::from_millis(20)).await;
    }
    let issuer = server.fake.issuer();
    let mut generate = peer.command(&"oidc-gen".into(), &[]);
    generate
        .args([
            "bench",
            "--issuer",
            &issuer,
            "--client-id",
            "confidential",
            "--client-secret",
            "client-secret-0f8c2b71",
        ])
        .arg("--cert-path")
        .arg(&ca_file)
        .args(["--scope", "openid profile offline_access", "--flow=device", "--pw-env", "--prompt=none"])
        .args(["--confirm-default", "--no-url-call"])
        .stdin(Stdio::null());
    let generated = server.confirm(generate).await?;
    let said = String::from_utf8_lossy(&generated.stderr);
    ensure!(generated.status.success(), "oidc-gen: {}", said.lines().last().unwrap_or_default());
    Ok(peer)
}
