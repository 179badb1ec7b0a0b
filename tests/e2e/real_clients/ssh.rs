//! OpenSSH, forwarding a restricted socket to a machine on which nobody has signed in.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::processes::{Output, binaries};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time;

use super::finish;
use crate::real_parts::part;
use crate::sockets::Restricted;
use crate::stage::{PATIENCE, Stage, codes};

/// sshd on loopback with keys of its own, started for each connection as inetd does. It lets this user in and nobody else.
struct FarSide {
    directory: PathBuf,
    port: u16,
    user: String,
    _serving: JoinSet<()>,
}

impl FarSide {
    async fn start(stage: &Stage, sshd: &Path) -> Result<Self> {
        let directory = stage.home.path().join("ssh");
        std::fs::create_dir(&directory)?;
        for name in ["host", "user"] {
            let mut keygen = stage.home.command("/usr/bin/ssh-keygen".as_ref());
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(name));
            ensure!(keygen.status().await?.success(), "ssh-keygen");
        }
        let at = |name: &str| directory.join(name).display().to_string();
        // The keys are in a temporary directory, which sshd would mistrust.
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nStreamLocalBindUnlink yes\nPidFile none\n",
            at("host"),
            at("user.pub")
        );
        std::fs::write(directory.join("sshd_config"), config)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let host_key = std::fs::read_to_string(directory.join("host.pub"))?;
        std::fs::write(directory.join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}"))?;
        let user = Command::new("id").arg("-un").output().await?.stdout;
        let user = String::from_utf8(user)?.trim_end().to_owned();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, sshd.to_owned(), directory.join("sshd_config")));
        Ok(Self { directory, port, user, _serving: serving })
    }

    /// Prepares a command over there, with the restricted socket forwarded to where it looks.
    fn command(&self, stage: &Stage, socket: &Path, command: &str) -> Command {
        let far = self.directory.join("far.sock");
        let mut ssh = stage.home.command("/usr/bin/ssh".as_ref());
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "IdentitiesOnly=yes"]);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", self.directory.join("known_hosts").display()));
        ssh.arg("-i").arg(self.directory.join("user")).args(["-p", &self.port.to_string()]);
        ssh.arg("-R").arg(format!("{}:{}", far.display(), socket.display()));
        ssh.arg(format!("{}@127.0.0.1", self.user));
        let brokerctl = binaries().brokerctl.display();
        ssh.arg(format!("env -i BROKERD_SOCKET={} {brokerctl} {command}", far.display()));
        ssh.stdin(Stdio::null());
        ssh
    }

    async fn run(&self, restricted: &Restricted, command: &str) -> Output {
        finish(&restricted.stage, self.command(&restricted.stage, &restricted.socket, command)).await
    }
}

/// Starts an sshd for each connection, which is its stdin and stdout.
async fn serve(listener: TcpListener, sshd: PathBuf, config: PathBuf) {
    let mut running = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let started = stream.into_std().and_then(|stream| {
            stream.set_nonblocking(false)?;
            let other = stream.try_clone()?;
            let mut sshd = Command::new(&sshd);
            sshd.args(["-i", "-f"]).arg(&config).kill_on_drop(true);
            sshd.stdin(OwnedFd::from(stream)).stdout(OwnedFd::from(other)).stderr(Stdio::null()).spawn()
        });
        if let Ok(mut child) = started {
            running.spawn(async move { drop(child.wait().await) });
        }
    }
}

#[tokio::test]
async fn a_token_goes_to_the_far_side_and_nothing_else_does() -> Result<()> {
    let test = "real_clients::ssh::a_token_goes_to_the_far_side_and_nothing_else_does";
    let Some(sshd) = part("BROKERD_TEST_SSHD", test)? else { return Ok(()) };
    let restricted = Restricted::new("").await;
    let far = FarSide::start(&restricted.stage, &sshd).await?;
    let output = far.run(&restricted, "get-token").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "nobody is asked over there: {output:?}");
    assert!(output.stderr.contains("interaction_required") || output.stderr.contains("sign in"), "{output:?}");

    let token = restricted.sign_in().await;
    let output = far.run(&restricted, "get-token").await;
    assert_eq!((output.code, output.stdout.trim_end()), (Some(0), token.as_str()), "{output:?}");
    for refused in ["get-token other", "accounts", "status", "logout --all", "login work", "prompts"] {
        let output = far.run(&restricted, refused).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(7), ""), "{refused}: {output:?}");
        assert!(output.stderr.contains("restricted socket"), "{refused}: {output:?}");
    }
    // Whoever asked is on record by the socket: the process the kernel names is the ssh on this side.
    let named = format!("socket={:?}", restricted.socket.display().to_string());
    let log = restricted.daemon.log();
    assert!(log.lines().any(|line| line.contains("granted") && line.contains(&named)), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_prompt_is_relayed_to_the_far_side() -> Result<()> {
    let test = "real_clients::ssh::a_prompt_is_relayed_to_the_far_side";
    let Some(sshd) = part("BROKERD_TEST_SSHD", test)? else { return Ok(()) };
    let restricted = Restricted::new("interaction = \"relay\"").await;
    let far = FarSide::start(&restricted.stage, &sshd).await?;
    let asked = far.command(&restricted.stage, &restricted.socket, "get-token");
    let person = async {
        let prompts = restricted.stage.until("prompts -o json", |output| output.stdout.contains("user_code")).await;
        let prompts: Value = serde_json::from_str(&prompts.stdout).expect("JSON");
        let code = prompts["prompts"][0]["user_code"].as_str().expect("a code").to_owned();
        restricted.stage.server.approve(&code, "alice");
        (code, prompts)
    };
    let both = async { tokio::join!(finish(&restricted.stage, asked), person) };
    let (output, (code, prompts)) = time::timeout(PATIENCE, both).await.context("it takes too long")?;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(codes(&output.stderr), [code], "the code is shown over there");
    assert!(restricted.stage.server.access_token(output.stdout.trim_end()).is_some(), "{output:?}");
    assert_eq!(prompts["prompts"][0]["requested_by"]["via"], restricted.socket.to_str().context("UTF-8")?);
    Ok(())
}
