//! Would a leak be found? The check stands in the teardown of every daemon here; this is the check of the check, and a
//! whole life in which there is none.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustix::process::Signal;
use support::canary::Canary;
use support::fake_as::{Client, Endpoint, Issued, Options};
use support::processes::{Daemon, Home, binaries};
use tempfile::TempDir;
use tokio::time;

use crate::real_parts::skip;
use crate::stage::{PATIENCE, Stage, options};

fn watching_for(value: &str) -> Canary {
    let canary = Canary::default();
    let secret = Issued { kind: "refresh_token", value: value.to_owned() };
    canary.watch_for(move || vec![secret.clone()]);
    canary
}

#[test]
fn a_secret_is_found_wherever_it_stands_in_a_text() {
    let canary = watching_for("rt-a_b.c");
    for text in ["rt-a_b.c", "token=rt-a_b.c&x", r#"{"t":"rt-a_b.c"}"#, "Bearer rt-a_b.c\n", "xxrt-a_b.cxx"] {
        assert!(canary.found(text.as_bytes(), &[]).is_some(), "{text}");
    }
    for text in ["", "rt-a_b", "rt-a_b.d", "[redacted]"] {
        assert!(canary.found(text.as_bytes(), &[]).is_none(), "{text}");
    }
    assert!(canary.found(b"rt-a_b.c", &["refresh_token"]).is_none(), "where it belongs");
    assert!(!Canary::default().is_awake());
}

/// Values whose encodings are special somewhere: base64's two letters that differ, what a form must escape, every length.
const PLANTED: &[&str] = &[
    "rt-a_b.c~d+e/f",
    "s3cret, with spaces & more?",
    "~~~???>>>",
    "0123456789ab",
    "0123456789abc",
    "rt-\u{e9}\u{20ac}",
];

#[test]
fn a_secret_is_found_in_every_encoding() {
    for value in PLANTED {
        let canary = watching_for(value);
        let each = |written: fn(u8) -> String| value.bytes().map(written).collect::<String>().into_bytes();
        let mut texts: Vec<(&str, Vec<u8>)> = vec![(
            "a query",
            url::form_urlencoded::Serializer::new(String::from("a=1")).append_pair("c", value).finish().into_bytes(),
        )];
        texts.push(("hex", each(|byte| format!("{byte:02x}"))));
        texts.push(("HEX", each(|byte| format!("{byte:02X}"))));
        texts.push(("every byte escaped", each(|byte| format!("%{byte:02X}"))));
        texts.push(("UTF-16 LE", value.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        texts.push(("UTF-16 BE", value.encode_utf16().flat_map(u16::to_be_bytes).collect()));
        let escaped: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        texts.push(("HTTP Basic", STANDARD.encode(format!("cli:{escaped}")).into()));
        for before in ["", "c", "cl", "cli:", "client:", "https"] {
            for after in ["", "\n", "&x=1"] {
                let whole = format!("{before}{value}{after}");
                texts.push(("base64", STANDARD.encode(&whole).into()));
                texts.push(("base64url", URL_SAFE_NO_PAD.encode(&whole).into()));
            }
        }
        for (encoding, mut text) in texts {
            assert!(canary.found(&text, &[]).is_some(), "{value} in {encoding}");
            text.splice(0..0, *b"DEBUG \0\xff sent=");
            text.extend_from_slice(b"\xfe at=1");
            assert!(canary.found(&text, &[]).is_some(), "{value} in {encoding}, in the middle");
            assert!(watching_for("rt-another-one").found(&text, &[]).is_none(), "{value} in {encoding}");
        }
    }
}

/// The key of a sealed file, raw: so each form that it may be printed in is looked for.
const KEY: &str = "the+sealed/file's key, 32 bytes~";

/// A stage whose client has a secret and proves itself by PKCE, and the daemon in which that is set. The store's key is in a directory
/// beside the home, whose files are all looked through.
async fn confidential() -> (Stage, Daemon, TempDir) {
    const SECRET: &str = "s3cret of cli+/~";
    let clients = vec![Client::confidential("cli", SECRET)];
    let stage = Stage::with(Options { clients, access_token_lifetime: Duration::from_secs(3), ..options() }).await;
    watch_for(&stage, "store_key", KEY);
    let beside = tempfile::tempdir().expect("a directory");
    let key = stage.home.write(beside.path().join("key"), KEY.as_bytes()).expect("a key");
    let store = format!("[store]\nkind = \"file\"\nkey_file = {:?}\n", key.display().to_string());
    let config = store + &stage.profile("work") + "client_secret = \"keyring\"\npkce = true\n";
    let dumping = ["sh", "-c", r#"ulimit -c "$(ulimit -H -c)" && exec "$@""#, "sh"];
    let daemon = Daemon::launch(&stage.home).config(&config).under(dumping).start().await;
    let set = stage.ctl().stdin(SECRET).run(["client-secret", "set", "work"]).await;
    assert_eq!(set.code, Some(0), "{set:?}");
    (stage, daemon, beside)
}

fn watch_for(stage: &Stage, kind: &'static str, value: &str) {
    let secret = Issued { kind, value: value.to_owned() };
    stage.home.canary().watch_for(move || vec![secret.clone()]);
}

#[tokio::test]
async fn a_whole_life_leaves_no_secret_anywhere_in_any_encoding() {
    let (stage, daemon, _beside) = confidential().await;
    let first = stage.sign_in("alice").await;
    stage.until_expired(&first).await;
    stage.ok("get-token --no-prompt").await;
    stage.ok("get-token --force-refresh").await;
    stage.ok("accounts -o json").await;
    stage.ok("status -o json").await;
    stage.ok("logout --all").await;
    let count = |endpoint: Endpoint| stage.server.count(endpoint);
    assert!(stage.refreshes() >= 2 && count(Endpoint::Revocation) >= 1, "it was a whole life");
    assert!(stage.server.secrets().iter().any(|secret| secret.kind == "code_verifier"), "it was a life with PKCE");
    assert!(daemon.sigterm().await.success());
    // The client's secret, the tokens, the codes and the store's key are on neither side of the socket, nor in any file of the home.
    stage.home.canary().check_directory(stage.home.path());
    println!("canaries: {} secrets, 0 found", stage.home.canary().count());
}

#[tokio::test]
async fn a_passphrase_is_left_nowhere_and_a_wrong_one_neither() {
    const PASSPHRASES: [&str; 2] = ["correct horse+battery/staple", "wrong horse+battery/staple"];
    let stage = Stage::new().await;
    for passphrase in PASSPHRASES {
        watch_for(&stage, "passphrase", passphrase);
    }
    let config = "[store]\nkind = \"file\"\npassphrase = true\n".to_owned() + &stage.profile("work");
    let unlock = async |passphrase: &str| stage.ctl().stdin(passphrase).run(["unlock"]).await;
    let daemon = Daemon::start(&stage.home, &config).await;
    let chosen = unlock(PASSPHRASES[0]).await;
    assert_eq!(chosen.code, Some(0), "{chosen:?}");
    stage.sign_in("alice").await;
    assert!(daemon.sigterm().await.success());

    let daemon = Daemon::start(&stage.home, &config).await;
    let refused = unlock(PASSPHRASES[1]).await;
    assert!(refused.code != Some(0) && refused.stderr.contains("not the passphrase"), "{refused:?}");
    let opened = unlock(PASSPHRASES[0]).await;
    assert_eq!(opened.code, Some(0), "{opened:?}");
    stage.ok("get-token --no-prompt").await;
    assert!(daemon.sigterm().await.success());
    for told in [chosen, refused, opened] {
        stage.home.canary().check("brokerctl", format!("{}{}", told.stdout, told.stderr).as_bytes(), &[]);
    }
    stage.home.canary().check_directory(&stage.home.state());
}

/// Whether a process that aborts in this directory leaves a core.
async fn cores_are_written(home: &Home) -> bool {
    let mut shell = home.command("/bin/sh".as_ref());
    shell.args(["-c", "ulimit -c \"$(ulimit -H -c)\"; kill -ABRT $$"]).stdin(Stdio::null()).stderr(Stdio::null());
    time::timeout(PATIENCE, shell.status()).await.expect("in time").expect("a process").core_dumped()
}

#[tokio::test]
async fn a_daemon_that_is_aborted_leaves_no_core() {
    if !cores_are_written(&Home::new()).await {
        skip("leaks::a_daemon_that_is_aborted_leaves_no_core", "this machine writes no core of anything")
            .expect("a record");
        return;
    }
    let (stage, mut daemon, _beside) = confidential().await;
    stage.sign_in("alice").await;
    daemon.signal(Signal::ABORT);
    let ended = daemon.exited().await;
    assert!(ended.signal() == Some(Signal::ABORT.as_raw()) && !ended.core_dumped(), "{ended:?}");
    stage.home.canary().check_directory(stage.home.path());
}

#[tokio::test]
async fn the_daemons_of_these_tests_log_all_there_is_and_the_server_knows_what_is_secret() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    stage.ok("get-token --force-refresh").await;
    let log = daemon.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "{log}");
    let kinds: Vec<_> = stage.server.secrets().iter().map(|secret| secret.kind).collect();
    for kind in ["access_token", "client_secret", "device_code", "id_token", "refresh_token", "user_code"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    // What is in the log is found in it.
    assert!(watching_for("alice").found(b"no a-l-i-c-e", &[]).is_none());
    assert!(watching_for("listening").found(log.as_bytes(), &[]).is_some());
}

#[tokio::test]
#[should_panic(expected = "brokerd's log has a secret in it: refresh_token listening")]
async fn a_leak_into_the_log_fails_the_test_it_happens_in() {
    let stage = Stage::new().await;
    let planted = Issued { kind: "refresh_token", value: "listening".to_owned() };
    stage.home.canary().watch_for(move || vec![planted.clone()]);
    drop(stage.daemon().await);
}

#[tokio::test]
#[should_panic(expected = "brokerd's log has a secret in it: refresh_token rt-printed")]
async fn a_leak_to_standard_output_fails_the_test_it_happens_in() {
    let stage = Stage::new().await;
    let planted = Issued { kind: "refresh_token", value: "rt-printed".to_owned() };
    stage.home.canary().watch_for(move || vec![planted.clone()]);
    let printing = ["sh", "-c", r#"echo rt-printed && exec "$@""#, "sh"];
    drop(Daemon::launch(&stage.home).config(&stage.config()).under(printing).start().await);
}

/// Its record says that in this run no canary has seen the environment of a daemon.
#[tokio::test]
async fn a_leak_into_the_environment_fails_the_test_it_happens_in() {
    const TEST: &str = "leaks::a_leak_into_the_environment_fails_the_test_it_happens_in";
    let stage = Stage::new().await;
    let planted = Issued { kind: "refresh_token", value: "rt-planted".to_owned() };
    stage.home.canary().watch_for(move || vec![planted.clone()]);
    let daemon = Daemon::launch(&stage.home).config(&stage.config()).env("PLANTED", "rt-planted").start().await;
    let environment = format!("/proc/{}/environ", daemon.pid().expect("it runs"));
    if std::fs::read(&environment).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        skip(TEST, "brokerd's environment is looked through by root alone: nobody else may read it").expect("a record");
        return;
    }
    let found = catch_unwind(AssertUnwindSafe(|| drop(daemon))).expect_err("it is found");
    let said = found.downcast_ref::<String>().expect("a message");
    assert_eq!(*said, format!("{environment} has a secret in it: refresh_token rt-planted"));
}

#[tokio::test]
#[should_panic(expected = "has a secret in it: refresh_token")]
async fn a_grant_in_clear_on_disk_fails_the_test_it_happens_in() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let secrets = stage.server.secrets();
    let token = secrets.iter().find(|secret| secret.kind == "refresh_token").expect("one was issued");
    std::fs::write(stage.sealed_file().with_extension("bak"), &token.value).expect("a file");
    drop(daemon);
}

/// `--edit-config` and `--check-config` read what the configuration names, secrets among it, and may fail over that.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_command_on_the_configuration_leaves_no_core_either() {
    let home = Home::new();
    let mut command = home.command(&binaries().brokerd);
    command.arg("--edit-config").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("brokerd");
    let limits = format!("/proc/{}/limits", child.id().expect("it waits for its request"));
    let no_core = |limits: &str| {
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        core.split_whitespace().skip(4).take(2).eq(["0", "0"])
    };
    // Polling: it says nothing before it has its request, which it then has answered.
    let hardened = async {
        while !no_core(&std::fs::read_to_string(&limits).expect("it waits")) {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(PATIENCE, hardened).await.expect("it is hardened before it reads");
}
