//! Is another user of the machine kept out, and does the client keep away from another user's daemon?
//!
//! Only root can become somebody else: without it these tests are skipped by name.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use support::processes::{Home, binaries};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time;

use crate::real_parts::skip;
use crate::stage::{PATIENCE, Stage};

pub(crate) const NOBODY: u32 = 65_534;

/// Returns whether this test can become somebody else; if not, that is on record.
pub(crate) fn can_become_another(test: &str) -> bool {
    let why = if !rustix::process::geteuid().is_root() {
        "becoming another user needs root"
    } else if !Path::new("/usr/bin/setpriv").exists() {
        "there is no setpriv"
    } else {
        return true;
    };
    skip(test, why).expect("a record");
    false
}

/// Returns a command that runs a program as nobody, in this home's environment.
fn as_nobody(home: &Home, program: &Path) -> Command {
    let mut command = home.command("/usr/bin/setpriv".as_ref());
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program).stdin(Stdio::null());
    command
}

/// Copies a program to where nobody may run it.
pub(crate) fn open_copy(home: &Home, program: &Path) -> PathBuf {
    let copy = home.path().join(program.file_name().expect("a name"));
    home.program(&copy, &fs::read(program).expect("the program")).expect("a copy");
    open(&copy, 0o755);
    copy
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
}

#[tokio::test]
async fn another_user_gets_nothing_even_through_open_doors() {
    let test = "strangers::another_user_gets_nothing_even_through_open_doors";
    if !can_become_another(test) {
        return;
    }
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let (home, socket) = (&stage.home, stage.home.socket());
    for directory in [home.path(), &home.runtime(), &home.runtime().join("brokerd")] {
        open(directory, 0o755);
    }
    open(&socket, 0o777);

    let brokerctl = open_copy(home, &binaries().brokerctl);
    for arguments in [&["get-token", "--no-prompt"][..], &["accounts", "-o", "json"], &["status"], &["logout", "--all"]]
    {
        let mut command = as_nobody(home, &brokerctl);
        let output = command.arg("--socket").arg(&socket).args(arguments).output();
        let output = time::timeout(PATIENCE, output).await.expect("in time").expect("a process");
        let (out, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), &*out), (Some(7), ""), "{arguments:?}: {told}");
        assert!(!told.contains("alice") && !told.contains(&token), "{told}");
    }
    if Path::new("/usr/bin/curl").exists() {
        let mut command = as_nobody(home, "/usr/bin/curl".as_ref());
        command.args(["--silent", "--max-time", "10", "--include", "--unix-socket"]).arg(&socket);
        let output = command.arg("http://localhost/v1/accounts").output();
        let output = time::timeout(PATIENCE, output).await.expect("in time").expect("a process");
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(r#""error":"forbidden""#), "{answer}");
        assert!(!answer.contains("alice"), "{answer}");
    }
    daemon.log_until(|log| log.contains("another user's client refused") && log.contains("uid=65534")).await;
    assert_eq!(stage.ok("get-token").await.trim_end(), token, "nothing happened to the sign-in");
}

#[tokio::test]
async fn the_client_tells_nothing_to_another_users_daemon() {
    let test = "strangers::the_client_tells_nothing_to_another_users_daemon";
    if !can_become_another(test) {
        return;
    }
    let stage = Stage::new().await;
    let home = &stage.home;
    open(home.path(), 0o755);
    let theirs = home.path().join("theirs");
    fs::create_dir(&theirs).expect("a directory");
    chown(&theirs, Some(NOBODY), Some(NOBODY)).expect("root may");
    open(&theirs, 0o700);
    let socket = theirs.join("brokerd.sock");
    let log = theirs.join("log");
    let brokerd = open_copy(home, &binaries().brokerd);
    let mut command = as_nobody(home, &brokerd);
    command.env("HOME", &theirs).env("BROKERD_LOG", "debug").arg("--socket").arg(&socket).args(["--store", "memory"]);
    let _daemon = command.stderr(fs::File::create(&log).expect("a log")).spawn().expect("a process");
    let started = async {
        while !fs::read_to_string(&log).is_ok_and(|log| log.contains("listening")) {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(PATIENCE, started).await.expect("it starts");

    for way in ["flag", "environment"] {
        let mut command = home.command(&binaries().brokerctl);
        match way {
            "flag" => command.arg("--socket").arg(&socket),
            _ => command.env("BROKERD_SOCKET", &socket),
        };
        let output = command.args(["get-token", "-a", "alice@example.com"]).output();
        let output = time::timeout(PATIENCE, output).await.expect("in time").expect("a process");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 0), "{told}");
        assert!(told.contains("is not this user's brokerd: user 65534 listens there"), "{told}");
    }
    let log = fs::read_to_string(&log).expect("a log");
    assert!(!log.contains("alice") && !log.contains("request"), "it was asked: {log}");

    // Nor does that one tell anything to this user, root though it is.
    // Not by a client of HTTP: who is answered before it asked may make nothing of that.
    let asking = async {
        let mut stream = UnixStream::connect(&socket).await?;
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    let answer = time::timeout(PATIENCE, asking).await.expect("in time").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(r#""error":"forbidden""#), "{answer}");
}
