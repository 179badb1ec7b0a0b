//! Do the two ends know each other through the walls of a user namespace, in which many users may have one number?

use std::process::{Output, Stdio};

use support::processes::{Home, binaries};
use tokio::process::Command;
use tokio::time;

use crate::real_parts::skip;
use crate::stage::{PATIENCE, Stage};

/// Returns whether this test can make a user namespace; if not, that is on record.
async fn can_make_one(test: &str, home: &Home) -> bool {
    let made = in_one(home, &["--map-root-user"]).arg("true").status().await;
    if made.is_ok_and(|status| status.success()) {
        return true;
    }
    skip(test, "this system lets nobody make a user namespace").expect("a record");
    false
}

/// Returns a command that runs what is added to it in a new user namespace.
fn in_one(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command("/usr/bin/unshare".as_ref());
    command.arg("--user").args(arguments).arg("--").stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

async fn finished(command: &mut Command) -> Output {
    time::timeout(PATIENCE, command.output()).await.expect("in time").expect("a process")
}

#[tokio::test]
async fn who_is_root_in_there_is_served_as_who_made_it() {
    let stage = Stage::new().await;
    if !can_make_one("namespaces::who_is_root_in_there_is_served_as_who_made_it", &stage.home).await {
        return;
    }
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let mut command = in_one(&stage.home, &["--map-root-user"]);
    let output = finished(command.arg(&binaries().brokerctl).arg("get-token")).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), token, "{output:?}");
    let uid = format!("uid={} ", rustix::process::geteuid().as_raw());
    daemon
        .log_until(|log| log.lines().filter(|line| line.contains("granted") && line.contains(&uid)).count() == 2)
        .await;
}

/// This user has the number of strangers in there, and strangers have it too.
#[tokio::test]
async fn who_has_no_number_in_there_takes_nobody_for_itself() {
    let stage = Stage::new().await;
    let home = &stage.home;
    if !can_make_one("namespaces::who_has_no_number_in_there_takes_nobody_for_itself", home).await {
        return;
    }
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let asked = daemon.log().matches("brokerd::audit").count();
    let mut command = in_one(home, &[]);
    let output = finished(command.arg(&binaries().brokerctl).args(["get-token", "--no-prompt"])).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 0), "{told}");
    assert!(told.contains("who may be anybody in this user namespace"), "{told}");
    assert_eq!(daemon.log().matches("brokerd::audit").count(), asked, "it was asked");

    let mut command = in_one(home, &[]);
    command.arg(&binaries().brokerd).args(["--store", "memory", "--socket"]).arg(home.path().join("other/s"));
    let output = finished(command.env("XDG_CONFIG_HOME", home.path().join("none"))).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("belongs to user"), "{told}");
}
