//! What goes wrong: each a clear line, and never a hang.

use super::*;

/// A drop-in under which a watchdog can be waited for.
const IMPATIENT: &str = "[Service]\nWatchdogSec=2s\n";

#[tokio::test]
async fn a_wedged_daemon_is_restarted_by_the_watchdog_and_a_live_one_is_not() -> Result<()> {
    let Some(stage) = Stage::set("a_wedged_daemon_is_restarted").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    stage.drop_in(IMPATIENT).await?;
    stage.sign_in("brokerctl get-token").await?;
    let fed = || machine.property("WatchdogTimestampMonotonic");
    let first = fed().await?;
    time::sleep(Duration::from_secs(5)).await; // the watchdog's time, not ours
    ensure!(machine.property("NRestarts").await? == "0" && fed().await? != first, "a live one");

    machine.ok("systemctl --user kill --signal=STOP brokerd.service").await?;
    machine.until("systemctl --user show --value -p NRestarts brokerd.service", |told| told == "1\n").await?;
    let polls = stage.sign_ins();
    stage.token("--force-refresh").await?;
    ensure!(stage.sign_ins() == polls, "somebody was asked");
    ensure!(machine.journal().await?.contains("Watchdog timeout"), "the manager says why");
    stage.end().await
}

#[tokio::test]
async fn a_reload_takes_a_good_file_and_keeps_the_old_one_over_a_broken_one() -> Result<()> {
    let Some(stage) = Stage::set("a_reload_takes_a_good_file").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    let token = stage.sign_in("brokerctl get-token").await?;

    let good = format!("default_profile = \"work\"\n{STORE}{}{}", stage.profile("work"), stage.profile("home"));
    stage.configure(&good).await?;
    machine.ok("systemctl --user reload brokerd.service").await?;
    ensure!(machine.ok("brokerctl status -o json").await?.contains("\"home\""));
    ensure!(stage.token("work").await? == token, "an unchanged profile keeps its tokens");

    stage.configure(&good.replace("client_id", "clientid")).await?;
    let broken = machine.run("systemctl --user reload brokerd.service").await?;
    ensure!(broken.code != Some(0), "{broken:?}");
    for place in [machine.journal().await?, machine.ok("brokerctl status").await?] {
        ensure!(place.contains("\"clientid\" is no key of"), "{place}");
    }
    let status = "systemctl --user show --value -p StatusText brokerd.service";
    machine.until(status, |told| told.starts_with("configuration not in force: ")).await?;
    ensure!(stage.token("work").await? == token, "the old configuration is in force");
    ensure!(machine.property("ActiveState").await? == "active" && machine.property("NRestarts").await? == "0");

    stage.configure(&good).await?;
    machine.ok("systemctl --user reload brokerd.service").await?;
    machine.until(status, |told| told == "2 profiles, 1 account; store file\n").await?;
    stage.end().await
}

#[tokio::test]
async fn of_two_daemons_the_second_says_whose_the_endpoint_is() -> Result<()> {
    let Some(stage) = Stage::set("of_two_daemons").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    // Only systemd listens yet; asking who does starts the service.
    let second = machine.run("timeout 20 brokerd").await?;
    ensure!(second.code == Some(6) && second.stderr.contains("is taken by process"), "{second:?}");
    machine.ok("brokerctl status").await?;
    let second = machine.run("timeout 20 brokerd").await?;
    let process = format!("another brokerd is running (process {})", machine.property("MainPID").await?);
    ensure!(second.code == Some(6) && second.stderr.contains(&process), "{second:?}");

    // The other way round: somebody runs one by hand, elsewhere, with the same sign-ins.
    machine.ok("systemctl --user stop brokerd.service").await?;
    let by_hand = machine.ada("echo $$ >/tmp/by-hand; exec brokerd --socket /home/ada/by-hand.sock").spawn()?;
    machine.until("brokerctl --socket /home/ada/by-hand.sock status", |told| told.contains("work")).await?;
    let refused = machine.run("brokerctl get-token --no-prompt --timeout 10s").await?;
    ensure!(refused.code == Some(7) || refused.code == Some(5), "{refused:?}");
    ensure!(
        machine.journal().await?.contains("another brokerd of this user keeps its sign-ins"),
        "the journal says why"
    );
    machine.ok("kill $(cat /tmp/by-hand)").await?;
    drop(by_hand);
    // The service manager forgives ten seconds later.
    machine
        .until("systemctl --user restart brokerd.socket; brokerctl status; sleep 1", |told| told.contains("work"))
        .await?;
    stage.end().await
}

#[tokio::test]
async fn a_removed_socket_is_made_anew_by_what_the_hint_says() -> Result<()> {
    let Some(stage) = Stage::set("a_removed_socket_is_made_anew").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    stage.sign_in("brokerctl get-token").await?;
    let polls = stage.sign_ins();
    machine.ok("rm $XDG_RUNTIME_DIR/brokerd/brokerd.sock").await?;
    let lost = machine.run("brokerctl status").await?;
    let hint = lost.stderr.lines().find_map(|line| line.strip_prefix("hint: start it with `")?.strip_suffix('`'));
    let hint = hint.with_context(|| format!("no hint: {lost:?}"))?;
    ensure!(lost.code == Some(7) && machine.property("ActiveState").await? == "active", "{lost:?}");
    machine.ok(hint).await?;
    stage.token("").await?;
    ensure!(stage.sign_ins() == polls, "somebody was asked");
    stage.end().await
}

#[tokio::test]
async fn a_directory_that_others_could_use_is_refused_in_words() -> Result<()> {
    let Some(stage) = Stage::set("a_directory_that_others_could_use").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.configure(&format!("{STORE}{}", stage.profile("work"))).await?;
    machine.write("~/.config/brokerd/key", &"7".repeat(64)).await?;
    for (prepare, named) in [
        ("mkdir -m 755 $XDG_RUNTIME_DIR/brokerd", "is open to others"),
        ("mkdir -m 700 /tmp/elsewhere; ln -s /tmp/elsewhere $XDG_RUNTIME_DIR/brokerd", "is a symbolic link"),
    ] {
        machine.ok(prepare).await?;
        machine.ok("systemctl --user start brokerd.socket").await?;
        let refused =
            machine.run("brokerctl --socket $XDG_RUNTIME_DIR/brokerd/brokerd.sock get-token --timeout 10s").await?;
        ensure!(matches!(refused.code, Some(5 | 7)), "{named}: {refused:?}");
        let journal = machine.journal().await?;
        ensure!(journal.contains(named), "{named}: {journal}");
        machine
            .ok("systemctl --user stop brokerd.socket; rm -rf $XDG_RUNTIME_DIR/brokerd; systemctl --user reset-failed")
            .await?;
    }
    stage.end().await
}

#[tokio::test]
async fn what_is_missing_or_too_long_is_said_in_a_line_and_nothing_hangs() -> Result<()> {
    let Some(stage) = Stage::set("what_is_missing_or_too_long").await? else { return Ok(()) };
    let machine = &stage.machine;
    stage.enable().await?;
    let long = format!("timeout 20 brokerd --socket /home/ada/{}", "x".repeat(120));
    let long = machine.run(&long).await?;
    ensure!(
        long.code == Some(6)
            && long.stderr.contains("longer than the 107 bytes a socket may have: set BROKERD_SOCKET to"),
        "{long:?}"
    );

    // cron and su: both ends find the endpoint all the same.
    let bare = "env -u XDG_RUNTIME_DIR -u DBUS_SESSION_BUS_ADDRESS";
    let asked = machine.run(&format!("{bare} brokerctl get-token --no-prompt --timeout 20s")).await?;
    ensure!(asked.code == Some(3) && asked.stderr.contains("hint: "), "{asked:?}");

    // A keyring where there is no D-Bus.
    let elsewhere = "XDG_STATE_HOME=/home/ada/other DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere";
    let no_bus = format!(
        "{elsewhere} brokerd --store keyring --socket ~/b.sock 2>/dev/null & daemon=$!; \
         until [ -S ~/b.sock ]; do sleep 0.1; done; \
         brokerctl --socket ~/b.sock get-token --no-prompt --timeout 20s; code=$?; kill $daemon; exit $code"
    );
    let no_bus = machine.run(&no_bus).await?;
    ensure!(no_bus.code == Some(9) && no_bus.stderr.contains("hint: "), "{no_bus:?}");
    stage.end().await
}
