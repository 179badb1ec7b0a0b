//! `brokerctl service`, for programs that no package installed.

use super::machine::programs;
use super::*;

/// Where `cargo install` puts programs; it is not in the PATH of services.
const BIN: &str = "/home/ada/.cargo/bin";
const CTL: &str = "/home/ada/.cargo/bin/brokerctl";
const UNITS: &str = "/home/ada/.config/systemd/user";

#[tokio::test]
async fn service_install_is_enough_and_uninstall_takes_everything_back() -> Result<()> {
    let Some(stage) = Stage::bare("service_install_is_enough", &programs(BIN)).await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.prepare().await?;
    // The journal of a machine that keeps one on disk, which its users may read.
    machine.root_ok("mkdir -p /var/log/journal && journalctl --flush").await?;
    let before = machine.run(&format!("{CTL} service status")).await?;
    ensure!(before.code == Some(1) && before.stdout.contains("installed  no"), "{before:?}");

    let installed = machine.run(&format!("{CTL} service install")).await?;
    ensure!(installed.code == Some(0), "{installed:?}");
    for step in ["wrote /home/ada/.config/systemd/user/brokerd.socket", "enabled and started brokerd.socket"] {
        ensure!(installed.stderr.contains(step), "{step}: {installed:?}");
    }
    let unit = machine.ok(&format!("cat {UNITS}/brokerd.service")).await?;
    ensure!(unit.contains(&format!("\nExecStart={BIN}/brokerd\n")), "{unit}");
    stage.sign_in(&format!("{CTL} get-token")).await?;
    machine.ok("systemctl --user reload brokerd.service").await?;
    let pid = machine.property("MainPID").await?;

    let again = machine.run(&format!("{CTL} service install -o json")).await?;
    let told: Value = serde_json::from_str(&again.stdout)?;
    ensure!(again.code == Some(0) && told["done"].as_array().is_some_and(|done| done.len() == 1), "{again:?}");
    ensure!(machine.property("MainPID").await? == pid, "a second time changes nothing");
    let status = machine.ok(&format!("{CTL} service status")).await?;
    ensure!(status.contains("enabled    yes") && status.contains(&format!("as process {pid}")), "{status}");
    ensure!(machine.ok(&format!("{CTL} service logs -n 200")).await?.contains("listening"));

    uninstalled(machine).await?;
    let again = machine.run(&format!("{CTL} service uninstall")).await?;
    ensure!(again.code == Some(0) && !again.stderr.contains("removed"), "{again:?}");
    stage.end().await
}

/// Uninstalls it, and looks for what is left.
async fn uninstalled(machine: &Machine) -> Result<()> {
    let told = machine.run(&format!("{CTL} service uninstall")).await?;
    ensure!(told.code == Some(0) && told.stderr.contains("stopped and disabled"), "{told:?}");
    let left = machine.ok("find ~/.config/systemd ~/.local/state /run/user/1000/systemd ! -type d 2>/dev/null").await;
    let left = left.unwrap_or_default();
    ensure!(!left.contains("brokerd.s") && !left.contains("service.json"), "{left}");
    ensure!(machine.run("systemctl --user is-active brokerd.service").await?.stdout != "active\n");
    ensure!(machine.property("LoadState").await? == "not-found", "a unit is left");
    machine.ok("test -e ~/.config/brokerd/config.toml && test ! -e $XDG_RUNTIME_DIR/brokerd/brokerd.sock").await?;
    Ok(())
}

#[tokio::test]
async fn what_somebody_edited_is_neither_replaced_nor_removed_unasked() -> Result<()> {
    let Some(stage) = Stage::bare("what_somebody_edited", &programs(BIN)).await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.prepare().await?;
    machine.ok(&format!("{CTL} service install && echo '# mine' >>{UNITS}/brokerd.service")).await?;
    for change in ["install", "uninstall"] {
        let refused = machine.run(&format!("{CTL} service {change}")).await?;
        ensure!(refused.code == Some(6) && refused.stderr.contains("--force"), "{change}: {refused:?}");
        machine.ok(&format!("grep -q '# mine' {UNITS}/brokerd.service")).await?;
    }
    machine.ok(&format!("{CTL} service install --force && grep -q '# mine' {UNITS}/brokerd.service.old")).await?;
    machine.ok(&format!("! grep -q '# mine' {UNITS}/brokerd.service && rm {UNITS}/brokerd.service.old")).await?;
    uninstalled(machine).await?;

    // A session that does not reach the user's manager, such as su's, is told so, and nothing is written.
    let away = format!("env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR {CTL} service install");
    let away = machine.run(&away).await?;
    ensure!(away.code != Some(0) && away.stderr.contains("log in as the user"), "{away:?}");
    machine.ok(&format!("test ! -e {UNITS}/brokerd.service")).await?;
    stage.end().await
}
