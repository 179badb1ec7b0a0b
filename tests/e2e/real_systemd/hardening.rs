//! What the units' sandboxes are worth, and what they must not cost.

use super::*;
use crate::descriptors;
use crate::real_parts::skip;

/// How many ways ada has to what another process of hers holds: its memory, its descriptors, its environment.
pub(super) const WAYS: usize = 5;

/// What each of them says, one line each.
pub(super) async fn steal(stage: &Stage, pid: &str) -> Result<String> {
    stage.machine.ok(&format!("python3 - {pid} <<'END'\n{}\nEND", include_str!("steal.py"))).await
}

/// Whether all of them are refused.
pub(super) fn is_refused(stolen: &str) -> bool {
    stolen.lines().count() == WAYS && stolen.lines().all(|line| line.contains(" refused "))
}

#[tokio::test]
async fn under_the_shipped_unit_nobody_reads_its_memory_and_clients_have_names() -> Result<()> {
    let Some(stage) = Stage::set("under_the_shipped_unit_nobody_reads").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    let asked = machine.ada("brokerctl get-token").spawn()?;
    let prompts = machine.until("brokerctl prompts -o json", |told| told.contains("user_code")).await?;
    ensure!(
        prompts.contains("\"command\": \"brokerctl\"") || prompts.contains("\"command\":\"brokerctl\""),
        "{prompts}"
    );
    stage.confirm(asked, "brokerctl prompts -o json").await?;

    let stolen = steal(&stage, &machine.property("MainPID").await?).await?;
    ensure!(is_refused(&stolen), "{stolen}");
    // A process that does not hide shows that the ways are ways.
    let control = "sleep 60 & python3 - $! <<'END'\n".to_owned() + include_str!("steal.py") + "\nEND\nkill $!";
    let control = machine.ok(&control).await?;
    ensure!(control.lines().filter(|line| line.ends_with(" read")).count() == WAYS, "{control}");
    println!("memory: brokerd.service, refused by {WAYS} of {WAYS} ways");

    // Why the unit has no ProtectSystem= and its like: they bring a user namespace, and there hiding does not help.
    stage.drop_in("[Service]\nPrivateTmp=yes\n").await?;
    machine.ok("systemctl --user restart brokerd.service").await?;
    let stolen = steal(&stage, &machine.property("MainPID").await?).await?;
    let read: Vec<_> = stolen.lines().filter_map(|line| line.strip_suffix(" read")).collect();
    ensure!(read == ["process_vm_readv", "ptrace", "pidfd_getfd"], "{stolen}");
    stage.end().await
}

/// Starts `brokerd@ada` with a store that needs nothing, and returns its process.
async fn system_service(machine: &Machine) -> Result<String> {
    let start = "mkdir -p /etc/brokerd && printf '[store]\\nkind = \"memory\"\\n' >/etc/brokerd/ada.toml && \
                 systemctl start brokerd@ada.service && systemctl show --value -p MainPID brokerd@ada.service";
    Ok(machine.root_ok(start).await?.trim_end().to_owned())
}

#[tokio::test]
async fn neither_shipped_unit_may_swap() -> Result<()> {
    const TEST: &str = "real_systemd::hardening::neither_shipped_unit_may_swap";
    let Some(stage) = Stage::set(TEST).await? else { return Ok(()) };
    let machine = &stage.machine;
    let controllers = machine.ok("cat /sys/fs/cgroup/cgroup.controllers").await?;
    if !controllers.split_whitespace().any(|name| name == "memory") {
        stage.end().await?;
        return skip(TEST, "cgroup v2 has no memory controller here, and MemorySwapMax= does nothing without it");
    }
    stage.enable().await?;
    machine.ok("systemctl --user start brokerd.service").await?;
    for pid in [machine.property("MainPID").await?, system_service(machine).await?] {
        let group = format!("/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/{pid}/cgroup)");
        let most = machine.root_ok(&format!("cat {group}/memory.swap.max")).await?;
        ensure!(most == "0\n", "process {pid}: {most}");
    }
    stage.end().await
}

#[tokio::test]
async fn the_memory_of_the_system_service_is_locked() -> Result<()> {
    const TEST: &str = "real_systemd::hardening::the_memory_of_the_system_service_is_locked";
    let Some(stage) = Stage::set(TEST).await? else { return Ok(()) };
    let pid = system_service(&stage.machine).await?;
    let limits = stage.machine.root_ok(&format!("grep '^Max locked memory' /proc/{pid}/limits")).await?;
    let locked = stage.machine.root_ok(&format!("grep ^VmLck: /proc/{pid}/status")).await?;
    stage.end().await?;
    if !limits.contains("unlimited") {
        return skip(TEST, "this machine's systemd may not lift limits, and LimitMEMLOCK= does nothing then");
    }
    ensure!(!locked.trim_end().ends_with(" 0 kB"), "{locked}");
    Ok(())
}

/// The socket that systemd hands over is not one that brokerd opened.
#[tokio::test]
async fn what_it_starts_does_not_get_the_socket_that_systemd_handed_over() -> Result<()> {
    let Some(stage) = Stage::set("what_it_starts_does_not_get_the_socket").await? else { return Ok(()) };
    let machine = &stage.machine;
    let files = ["/home/ada/key-command", "/home/ada/prompt"];
    stage.configure(&descriptors::config(files[0].as_ref(), files[1].as_ref(), &stage.profile("work"))).await?;
    machine.ok("systemctl --user enable --now --quiet brokerd.socket").await?;
    machine.until("brokerctl helper npm", |told| told.contains("brokerctl prompts")).await?;
    for file in files {
        let list = machine.until(&format!("cat {file}"), |told| !told.contains("No such file")).await?;
        ensure!(list == "0\n1\n2\n", "{file}: {list}");
    }
    stage.end().await
}
