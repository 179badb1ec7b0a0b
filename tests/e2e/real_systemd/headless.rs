//! Servers, where nobody has a desktop: sign-ins that survive a reboot.

use super::hardening::{WAYS, is_refused, steal};
use super::*;
use crate::documents::read;

/// What docs/OPERATING.md has root do for `brokerd@alice`, done for ada: an editor's work is to write her configuration.
fn prepare(config: &str) -> Result<String> {
    let page = read("docs/OPERATING.md");
    let commands = page.split("As root, for alice:\n\n```sh\n").nth(1).and_then(|rest| rest.split("\n```").next());
    let commands = commands.context("the commands")?.replace("alice", "ada");
    let line = |line: &str| match line.strip_prefix("$EDITOR ").and_then(|rest| rest.split(' ').next()) {
        Some(file) => format!("cat >{file} <<'END'\n{config}\nEND"),
        None => line.to_owned(),
    };
    Ok(format!("set -e\n{}", commands.lines().map(line).collect::<Vec<_>>().join("\n")))
}

/// Where that document has a restricted socket of alice's, with ada in her place.
fn restricted() -> Result<String> {
    let page = read("docs/OPERATING.md");
    let table = page.split("\n[[sockets]]\n").nth(1).context("the table")?;
    let path = table.lines().next().and_then(|line| line.split('"').nth(1)).context("its path")?;
    Ok(path.replace("alice", "ada"))
}

const SEALED: &str = "[store]\nkind = \"file\"\nkey_credential = \"store-key\"\n";

const ASK: &str = "BROKERD_SOCKET=/run/brokerd/ada/brokerd.sock brokerctl get-token";

#[tokio::test]
async fn the_system_template_keeps_a_sign_in_over_a_reboot_by_a_credential() -> Result<()> {
    const TEST: &str = "the_system_template_keeps_a_sign_in";
    let (server, disk) = (support::fake_as::FakeAs::listen(options()).await?, Disk::new()?);
    let Some(stage) = Stage::at(TEST, server.clone(), Some(&disk)).await? else { return Ok(()) };
    stage.machine.root_ok(&prepare(&format!("{SEALED}{}", stage.profile("work")))?).await?;
    stage.sign_in(ASK).await?;
    let unit = "systemctl show --value -p StatusText brokerd@ada.service";
    stage.machine.until(unit, |told| told == "1 profile, 1 account; store file\n").await?;
    let reload = stage.machine.root_ok("systemctl reload brokerd@ada.service").await;
    ensure!(reload.is_ok(), "{reload:?}");
    stage.end().await?;

    let Some(stage) = Stage::at(TEST, server, Some(&disk)).await? else { return Ok(()) };
    // The link that `enable` made is of a part of the disk that is new at each boot.
    stage.machine.root_ok("systemctl start brokerd@ada.socket").await?;
    let polls = stage.sign_ins();
    let token = stage.machine.ok(&format!("{ASK} --no-prompt")).await?;
    ensure!(stage.server.access_token(token.trim_end()).is_some() && stage.sign_ins() == polls, "somebody was asked");
    stage.end().await
}

/// Nothing outlives this machine, so nothing of brokerd was there before: no directory, no key.
#[tokio::test]
async fn on_a_fresh_machine_the_documents_commands_serve_each_kind_of_client() -> Result<()> {
    let Some(stage) = Stage::set("on_a_fresh_machine_the_documents_commands").await? else { return Ok(()) };
    let (machine, restricted) = (&stage.machine, restricted()?);
    let sockets = format!("[[sockets]]\npath = {restricted:?}\nprofiles = [\"work\"]\n");
    machine.root_ok(&prepare(&format!("{SEALED}{}{sockets}", stage.profile("work")))?).await?;
    let token = stage.sign_in(ASK).await?;

    // Here all of systemd's sandbox is in force, and no user namespace with it.
    let pid = machine.ok("systemctl show --value -p MainPID brokerd@ada.service").await?;
    let stolen = steal(&stage, pid.trim_end()).await?;
    ensure!(is_refused(&stolen), "{stolen}");
    println!("memory: brokerd@ada.service, refused by {WAYS} of {WAYS} ways");

    // systemd listens, as root, and brokerd serves: the small client knows that of a socket that is named.
    machine.write("client.py", &crate::small_clients::client("Python", "python")).await?;
    let client = |socket: &str| format!("BROKERD_SOCKET={socket} python3 client.py");
    ensure!(machine.ok(&client("/run/brokerd/ada/brokerd.sock")).await?.trim_end() == token);
    // Anybody's socket it may be, where root listens for somebody else.
    machine.root_ok("chown nobody: /run/brokerd/ada/brokerd.sock && chmod 666 /run/brokerd/ada/brokerd.sock").await?;
    let refused = machine.run(&client("/run/brokerd/ada/brokerd.sock")).await?;
    ensure!(refused.code != Some(0) && refused.stderr.contains("somebody else's"), "{refused:?}");
    machine.root_ok("chown ada: /run/brokerd/ada/brokerd.sock && chmod 600 /run/brokerd/ada/brokerd.sock").await?;

    // A place for sockets that give less, which outlives the service for those who have mounted it.
    let ask = format!("BROKERD_SOCKET={restricted} brokerctl get-token --no-prompt");
    ensure!(machine.ok(&ask).await?.trim_end() == token);
    let place = "stat -c '%A %U %i' /run/brokerd-ada";
    let before = machine.ok(place).await?;
    ensure!(before.starts_with("drwx--x--x ada "), "{before}");

    // What else runs as ada keeps what it has in common when the service stops, also where that is her last.
    machine.root_ok("systemctl stop user@1000.service").await?;
    machine.ok("ipcmk --shmem 1024").await?;
    machine.root_ok("systemctl stop brokerd@ada.service").await?;
    let shared = machine.ok("ipcs --shmems").await?;
    ensure!(shared.contains(" ada "), "{shared}");
    // The socket that gives less is there as soon as the service is, and that is from boot.
    machine.root_ok("systemctl enable --now --quiet brokerd@ada.service").await?;
    ensure!(machine.ok(&ask).await?.trim_end() != "" && machine.ok(place).await? == before);
    let wanted = "systemctl show --value -p WantedBy brokerd@ada.service";
    ensure!(machine.ok(wanted).await? == "multi-user.target\n");
    stage.end().await
}

#[tokio::test]
async fn a_passphrase_typed_at_the_terminal_opens_the_store_after_a_reboot() -> Result<()> {
    const TEST: &str = "a_passphrase_typed_at_the_terminal";
    const PASSPHRASE: &str = "correct horse battery staple";
    let (server, disk) = (support::fake_as::FakeAs::listen(options()).await?, Disk::new()?);
    let Some(stage) = Stage::at(TEST, server.clone(), Some(&disk)).await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.configure(&format!("[store]\nkind = \"file\"\npassphrase = true\n{}", stage.profile("work"))).await?;
    machine.ok("systemctl --user enable --now --quiet brokerd.socket").await?;
    let locked = machine.run("brokerctl get-token --no-prompt").await?;
    ensure!(locked.code == Some(9) && locked.stderr.contains("brokerctl unlock"), "{locked:?}");
    let told = unlock(machine, &[PASSPHRASE, PASSPHRASE]).await?;
    ensure!(told.contains("a new store"), "{told}");
    stage.sign_in("brokerctl get-token").await?;
    stage.end().await?;

    let Some(stage) = Stage::at(TEST, server, Some(&disk)).await? else { return Ok(()) };
    let machine = &stage.machine;
    machine.ok("systemctl --user start brokerd.socket").await?;
    let locked = machine.run("brokerctl get-token --no-prompt").await?;
    ensure!(locked.code == Some(9) && locked.stderr.contains("brokerctl unlock"), "{locked:?}");
    let wrong = unlock(machine, &["wrong"]).await;
    ensure!(wrong.is_err_and(|why| why.to_string().contains("not the passphrase")));
    let told = unlock(machine, &[PASSPHRASE]).await?;
    ensure!(!told.contains(PASSPHRASE) && told.contains("the store is unlocked"), "{told}");
    let polls = stage.sign_ins();
    stage.token("").await?;
    ensure!(stage.sign_ins() == polls, "somebody was asked");
    ensure!(!machine.journal().await?.contains(PASSPHRASE));
    stage.end().await
}

/// Types lines into `brokerctl unlock` on a terminal, and returns what that showed.
async fn unlock(machine: &Machine, lines: &[&str]) -> Result<String> {
    let script = format!(
        "python3 - {} <<'END'\n{TYPE}\nEND",
        lines.iter().map(|line| format!("'{line}'")).collect::<Vec<_>>().join(" ")
    );
    machine.ok(&script).await
}

/// A terminal, and somebody who types each line when asked for it.
const TYPE: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("brokerctl", ["brokerctl", "unlock"])
shown, lines = "", sys.argv[1:]
while True:
    try:
        piece = os.read(terminal, 1024).decode()
    except OSError:
        break
    shown += piece
    if lines and shown.rstrip(" ").endswith(":"):
        os.write(terminal, (lines.pop(0) + "\n").encode())
        shown += "<typed>"
print(shown)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stderr.write(shown if status else "")
sys.exit(status)
"#;
