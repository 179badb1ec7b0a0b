//! Do sign-ins, sockets and waiting callers survive what happens to a daemon?

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use support::fake_as::{Endpoint, Fault, Gate, Grant, Options, Rotation};
use support::processes::{Daemon, binaries};
use tokio::time::{self, Instant};

use crate::stage::{PATIENCE, Stage, codes, options, prompted};

#[tokio::test]
async fn a_killed_daemon_goes_on_with_the_rotated_refresh_token() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    stage.ok("get-token --force-refresh").await;
    daemon.kill9().await;
    let left_behind = std::fs::symlink_metadata(stage.home.socket()).expect("the dead daemon's socket");
    assert!(left_behind.file_type().is_socket());

    let daemon = stage.daemon().await;
    let output = stage.run("get-token").await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    assert!(stage.server.access_token(output.stdout.trim_end()).is_some());
    assert_eq!((stage.refreshes(), stage.server.reuse_detected()), (2, 0));
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1);
    daemon.kill9().await;
}

#[tokio::test]
async fn a_daemon_killed_in_a_refresh_finishes_it_after_its_start() {
    // The server never served it; or it did, its answer was lost, and it forgives that for a while.
    for fault in [Fault::Hang, Fault::HoldAnswer(Gate::new())] {
        let rotation = Rotation::Grace(Duration::from_secs(60));
        let stage = Stage::with(Options { rotation, ..options() }).await;
        let daemon = stage.daemon().await;
        stage.sign_in("alice").await;
        stage.server.script(Grant::RefreshToken, fault);
        let asked = stage.spawn("get-token --force-refresh --timeout 20s");
        stage.server.wait_for_count(Grant::RefreshToken, 1).await;
        daemon.kill9().await;
        let daemon = stage.daemon().await;
        // The caller noticed, came back, and is served.
        let output = asked.finish().await;
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!((stage.server.reuse_detected(), stage.server.count(Endpoint::DeviceAuthorization)), (0, 1));
        daemon.log_until(|log| log.contains("a refresh was cut off")).await;
    }
}

#[tokio::test]
async fn a_refresh_in_the_air_lands_and_is_saved_before_the_exit() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let gate = stage.server.hold_answer(Grant::RefreshToken);
    let asked = stage.spawn("get-token --force-refresh");
    time::timeout(PATIENCE, gate.arrived()).await.expect("a refresh");
    let flights = &stage.json("status -o json").await["flights"];
    let refresh = serde_json::json!([
        {"kind": "refresh", "profile": "work", "account": "alice@example.com", "waiters": 1}
    ]);
    assert_eq!(*flights, refresh);
    daemon.signal(Signal::TERM);
    daemon.log_until(|log| log.contains("leaving")).await;
    let start = Instant::now();
    gate.open();
    let output = asked.finish().await;
    assert_eq!(output.code, Some(0), "the caller who waited for it gets its token: {output:?}");
    let mut daemon = daemon;
    assert_eq!(daemon.exited().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(!stage.home.socket().exists(), "a daemon that leaves takes its socket along");

    let _daemon = stage.daemon().await;
    stage.ok("get-token").await;
    assert_eq!((stage.refreshes(), stage.server.reuse_detected()), (2, 0));
}

#[tokio::test]
async fn a_provider_that_hangs_does_not_hold_up_the_exit() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    stage.server.script(Grant::RefreshToken, Fault::Hang);
    let asked = stage.spawn("get-token --force-refresh --timeout 5s");
    stage.server.wait_for_count(Grant::RefreshToken, 1).await;
    let start = Instant::now();
    assert_eq!(daemon.sigterm().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let output = asked.finish().await;
    assert!(matches!(output.code, Some(5 | 7)), "{output:?}");
}

#[tokio::test]
async fn a_second_daemon_refuses_and_says_who_is_there() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let pid = daemon.pid().expect("it runs");
    let mut second = Daemon::launch(&stage.home).spawn(binaries()).expect("a process");
    let status = second.exited().await;
    assert!(!status.success(), "{status}");
    let told = second.log();
    let told = told.lines().last().unwrap_or_default();
    assert!(told.contains("ERROR") && told.contains(&format!("process {pid}")), "{told}");
    // The first was not disturbed, nor was its socket taken away by the one that left.
    assert_eq!(stage.json("status -o json").await["pid"], pid);
}

/// With one store they would spend each other's refresh tokens.
#[tokio::test]
async fn a_second_daemon_at_another_endpoint_refuses_to_share_the_store() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let elsewhere = stage.home.socket().with_file_name("other.sock");
    let mut second = stage.home.command(&binaries().brokerd);
    second.arg("--store").arg("kernel").arg("--socket").arg(elsewhere);
    let output = tokio::time::timeout(PATIENCE, second.output()).await.expect("it ends").expect("a process");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("another brokerd of this user"), "{told}");
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_anything_else_is_not() {
    let stage = Stage::new().await;
    let path = stage.home.socket();
    drop(UnixListener::bind(&path).expect("a socket that nobody will answer"));
    assert!(path.exists(), "it stays behind");
    let daemon = stage.daemon().await;
    assert!(daemon.sigterm().await.success());

    std::fs::write(&path, b"precious").expect("a file");
    let mut refused = Daemon::launch(&stage.home).spawn(binaries()).expect("a process");
    assert!(!refused.exited().await.success());
    assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
}

#[tokio::test]
async fn only_the_user_can_reach_the_socket_and_the_files() {
    let stage = Stage::new().await;
    std::fs::remove_dir(stage.home.runtime().join("brokerd")).expect("made by the home, to be made by the daemon");
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let mode = |path: &Path| std::fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777;
    assert_eq!(mode(&stage.home.socket()), 0o600);
    assert_eq!(mode(&stage.home.runtime().join("brokerd")), 0o700);
    assert_eq!(mode(&stage.sealed_file()), 0o600);
    assert_eq!(mode(&stage.home.state().join("brokerd")), 0o700);
    assert_eq!(mode(&stage.home.state().join("brokerd").join("accounts.json")), 0o600);
}

#[tokio::test]
async fn a_hangup_reloads_the_configuration() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let path = stage.home.config_file();
    let two = stage.config() + &stage.profile("second") + "default_account = \"alice@example.com\"\n";
    stage.home.write(&path, format!("default_profile = \"work\"\n{two}").as_bytes()).expect("a configuration");
    daemon.signal(Signal::HUP);
    daemon.log_until(|log| log.contains("configuration reloaded")).await;
    let status = stage.json("status -o json").await;
    let names: Vec<_> = status["profiles"].as_array().expect("a list").iter().map(|profile| &profile["name"]).collect();
    assert_eq!(names, ["second", "work"]);
    assert_eq!(stage.ok("get-token").await.trim_end(), token, "an unchanged profile keeps its tokens");

    // A bad one leaves the good one in force, and the reason is in the status.
    stage.home.write(&path, b"default_profile = 7\n").expect("a configuration");
    daemon.signal(Signal::HUP);
    daemon.log_until(|log| log.contains("the configuration is not in force")).await;
    let status = stage.json("status -o json").await;
    assert!(status["configuration"]["error"].as_str().is_some_and(|why| why.contains("line 1")), "{status}");
    assert_eq!(stage.ok("get-token work").await.trim_end(), token);
}

#[tokio::test]
async fn a_prompt_outlives_the_daemon_that_showed_it() {
    for kill in [true, false] {
        let stage = Stage::new().await;
        let daemon = stage.daemon().await;
        let mut asked = stage.spawn("get-token");
        let code = prompted(&mut asked).await;
        stage.server.wait_for_count(Grant::DeviceCode, 1).await;
        if kill {
            daemon.kill9().await;
        } else {
            assert!(daemon.sigterm().await.success());
        }
        let daemon = stage.daemon().await;
        stage.server.approve(&code, "alice");
        let output = asked.finish().await;
        assert_eq!((output.code, codes(&output.stderr)), (Some(0), vec![code]), "{output:?}");
        assert!(stage.server.access_token(output.stdout.trim_end()).is_some());
        assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1);
        stage.ok("get-token --force-refresh").await;
        assert!(daemon.sigterm().await.success());
    }
}

#[tokio::test]
async fn a_lost_index_is_made_again_from_the_store() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    daemon.kill9().await;
    std::fs::remove_file(stage.home.state().join("brokerd").join("accounts.json")).expect("an index");
    let _daemon = stage.daemon().await;
    let output = stage.run("get-token --no-prompt").await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let status = stage.json("status -o json").await;
    assert!(status["notices"][0].as_str().is_some_and(|notice| notice.contains("repaired")), "{status}");
}
