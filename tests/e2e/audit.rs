//! Does the audit line name the process that the kernel names?

use support::processes::binaries;

use crate::stage::Stage;

#[tokio::test]
async fn a_line_names_who_got_the_token() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    stage.ok("get-token").await;
    stage.run("get-token nonesuch").await;
    let log = daemon.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(" brokerd::audit: ")).collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let uid = format!("uid={}", rustix::process::geteuid().as_raw());
    let executable = format!("executable={:?}", binaries().brokerctl.display().to_string());
    for (line, outcome) in lines.iter().zip(["granted", "granted", "refused"]) {
        for part in [&uid, "pid=", &executable, &format!("outcome={outcome:?}")] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
    assert!(lines[2].contains(r#"profile="nonesuch" error="unknown_profile""#), "{}", lines[2]);
}
