//! Would a leak be found? The check stands in the teardown of every daemon here; this is the check of the check.

use support::fake_as::Issued;
use support::processes::{Canary, Daemon};

use crate::stage::Stage;

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
#[should_panic(expected = "/environ has a secret in it: refresh_token rt-planted")]
async fn a_leak_into_the_environment_fails_the_test_it_happens_in() {
    let stage = Stage::new().await;
    let planted = Issued { kind: "refresh_token", value: "rt-planted".to_owned() };
    stage.home.canary().watch_for(move || vec![planted.clone()]);
    assert!(
        rustix::process::geteuid().is_root(),
        "/environ has a secret in it: refresh_token rt-planted (only root sees it)"
    );
    drop(Daemon::launch(&stage.home).config(&stage.config()).env("PLANTED", "rt-planted").start().await);
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
