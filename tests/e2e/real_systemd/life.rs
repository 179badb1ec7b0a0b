//! From the first client to the last, over restarts, kills and logouts.

use super::*;

#[tokio::test]
async fn the_first_client_starts_it_and_uninstalling_leaves_what_is_the_users() -> Result<()> {
    let Some(stage) = Stage::set("the_first_client_starts_it").await? else { return Ok(()) };
    let machine = &stage.machine;
    // All that it can say, for the secrets that nobody may find there in the end.
    machine.ok("systemctl --user set-environment BROKERD_LOG=trace").await?;
    stage.enable().await?;
    ensure!(machine.property("ActiveState").await? == "inactive");
    let socket = machine.ok("stat -c '%a %U' $XDG_RUNTIME_DIR/brokerd $XDG_RUNTIME_DIR/brokerd/brokerd.sock").await?;
    ensure!(socket == "700 ada\n600 ada\n", "{socket}");

    let token = stage.sign_in("brokerctl get-token").await?;
    ensure!(stage.server.access_token(&token).is_some());
    ensure!(machine.property("ActiveState").await? == "active");
    machine.until(SHOW_STATUS, |told| told == "1 profile, 1 account; store file\n").await?;

    // Its log is the journal's, its fields fields.
    let entry = machine.root_ok("journalctl -o json _UID=1000 SYSLOG_IDENTIFIER=brokerd | grep listening").await?;
    let entry: Value = serde_json::from_str(entry.lines().next().context("an entry")?)?;
    ensure!(entry["BROKERD_ENDPOINT"] == "/run/user/1000/brokerd/brokerd.sock", "{entry}");
    machine.root_ok("journalctl -o cat _UID=1000 SYSLOG_IDENTIFIER=brokerd PRIORITY=7 | grep -q .").await?;
    ensure!(entry["PRIORITY"] == "6" && entry["_SYSTEMD_USER_UNIT"] == "brokerd.service", "{entry}");

    machine.ok("systemctl --user disable --now --quiet brokerd.socket brokerd.service").await?;
    let left =
        machine.ok("cd; find . /run/user/1000/brokerd -type f -newer /usr/bin/brokerd -o -type s | sort").await?;
    let users = ["./.config/brokerd/config.toml", "./.config/brokerd/key", "./.local/state/brokerd/"];
    // The lock beside the socket is empty, and gone with the user's last session.
    let of_the_user = |path: &str| users.iter().any(|users| path.starts_with(users)) || path.ends_with(".sock.lock");
    ensure!(left.lines().all(of_the_user), "{left}");
    stage.end().await
}

/// How the service says that it is.
const SHOW_STATUS: &str = "systemctl --user show --value -p StatusText brokerd.service";

#[tokio::test]
async fn a_restart_under_load_fails_no_request() -> Result<()> {
    const CLIENTS: usize = 8;
    const RESTARTS: usize = 5;
    let Some(stage) = Stage::set("a_restart_under_load_fails_no_request").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    stage.sign_in("brokerctl get-token").await?;
    // Each says how many it got, and stops at the first that failed.
    let load = "n=0; while [ ! -e /tmp/stop ]; do \
                brokerctl get-token --no-prompt --timeout 30s >/dev/null || exit 1; n=$((n+1)); done; echo $n";
    let clients: Vec<_> = (0..CLIENTS).map(|_| machine.ada(load).spawn()).collect::<Result<_, _>>()?;
    for _ in 0..RESTARTS {
        machine.ok("systemctl --user restart brokerd.service").await?;
    }
    machine.ok("touch /tmp/stop").await?;
    let mut served = 0;
    for client in clients {
        let output = time::timeout(PATIENCE, client.wait_with_output()).await??;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && stderr.is_empty(), "{stderr}\n{}", machine.journal().await?);
        served += String::from_utf8(output.stdout)?.trim().parse::<usize>()?;
    }
    ensure!(served >= CLIENTS * RESTARTS, "{served}: hardly a load");
    ensure!(machine.property("NRestarts").await? == "0", "a restart that was asked for is none of a crash");
    eprintln!("{served} requests over {RESTARTS} restarts, none failed");
    stage.end().await
}

#[tokio::test]
async fn killed_it_is_back_by_itself_with_the_sign_in() -> Result<()> {
    let Some(stage) = Stage::set("killed_it_is_back_by_itself").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    stage.sign_in("brokerctl get-token").await?;
    let first = machine.property("MainPID").await?;
    machine.ok("systemctl --user kill --signal=KILL brokerd.service").await?;
    // Nobody asks for it, and it is there.
    machine.until("systemctl --user show --value -p NRestarts brokerd.service", |told| told == "1\n").await?;
    machine.until("systemctl --user is-active brokerd.service", |told| told == "active\n").await?;
    ensure!(machine.property("MainPID").await? != first);
    let polls = stage.sign_ins();
    stage.token("--force-refresh").await?;
    ensure!(stage.sign_ins() == polls, "somebody was asked");
    stage.end().await
}

#[tokio::test]
async fn a_sign_in_outlives_logout_and_login() -> Result<()> {
    let Some(stage) = Stage::set("a_sign_in_outlives_logout_and_login").await? else { return Ok(()) };
    let machine = &stage.machine;
    // Without lingering, a user's services end with the last session; at once, as configured here.
    machine.root_ok("mkdir -p /etc/systemd/logind.conf.d; printf '[Login]\\nUserStopDelaySec=0\\n' >/etc/systemd/logind.conf.d/test.conf; systemctl restart systemd-logind").await?;
    let log_in = "systemd-run --quiet --unit=login -p User=ada -p PAMName=su-l sleep infinity";
    machine.root_ok(log_in).await?;
    let sessions = "loginctl list-sessions --no-legend | grep -c background";
    machine.until(sessions, |told| told == "1\n").await?;
    // As a service: whom logind does not find in the machine's control group it does not serve.
    machine.root_ok("systemd-run --quiet --wait --pipe loginctl disable-linger ada").await?;
    machine.until("systemctl --user is-system-running", |told| told == "running\n").await?;
    stage.enable().await?;
    stage.sign_in("brokerctl get-token").await?;

    machine.root_ok("systemctl stop login.service").await?;
    // Asked by root: to ask as ada would be a session of hers, and keep it.
    machine.root_ok("timeout 30 sh -c 'while test -e /run/user/1000; do sleep 0.1; done'").await?;
    machine.root_ok(log_in).await?;
    machine.until("systemctl --user is-active brokerd.socket", |told| told == "active\n").await?;
    ensure!(machine.property("ActiveState").await? == "inactive");
    let polls = stage.sign_ins();
    stage.token("").await?;
    ensure!(stage.sign_ins() == polls, "somebody was asked");
    stage.end().await
}
