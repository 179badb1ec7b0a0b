//! What the units' sandboxes are worth, and what they must not cost.

use super::*;

/// What every way of ada's to another process's memory says, one line each.
pub(super) async fn steal(stage: &Stage, pid: &str) -> Result<String> {
    stage.machine.ok(&format!("python3 - {pid} <<'END'\n{}\nEND", include_str!("steal.py"))).await
}

/// Whether all of them are refused.
pub(super) fn is_refused(stolen: &str) -> bool {
    stolen.lines().count() == 3 && stolen.lines().all(|line| line.contains(" refused "))
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
    ensure!(control.lines().filter(|line| line.ends_with(" read")).count() == 3, "{control}");
    println!("memory: brokerd.service, refused by 3 of 3 ways");

    // Why the unit has no ProtectSystem= and its like: they bring a user namespace, and there hiding does not help.
    stage.drop_in("[Service]\nPrivateTmp=yes\n").await?;
    machine.ok("systemctl --user restart brokerd.service").await?;
    let stolen = steal(&stage, &machine.property("MainPID").await?).await?;
    ensure!(stolen.contains("ptrace read") && stolen.contains("process_vm_readv read"), "{stolen}");
    stage.end().await
}
