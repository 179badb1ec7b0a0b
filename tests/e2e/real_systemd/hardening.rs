//! What the units' sandboxes are worth, and what they must not cost.

use super::*;
use crate::descriptors;

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
