//! Does the doctor say at which step the way to a provider ends: the name, the connection, TLS?

use std::net::TcpListener;

use serde_json::Value;
use support::fake_as::{Ca, FakeAs};
use support::processes::Daemon;

use crate::stage::{Stage, options};

/// The doctor's findings about a profile.
async fn findings(stage: &Stage) -> Vec<Value> {
    let output = stage.run("doctor -o json").await;
    let all: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let all = all["findings"].as_array().expect("findings").clone();
    all.into_iter().filter(|finding| finding["subject"] == "work").collect()
}

/// What was looked at, and whether it was well.
fn steps(findings: &[Value]) -> Vec<(&str, bool)> {
    let step = |finding: &'_ Value| finding["ok"].as_bool().expect("ok");
    findings.iter().map(|finding| (finding["check"].as_str().expect("a check"), step(finding))).collect()
}

/// The configuration, with a provider that is not there.
fn elsewhere(stage: &Stage, issuer: &str) -> String {
    let config = stage.config().replace(stage.server.issuer().as_str(), issuer);
    assert!(config.contains(issuer), "{config}");
    config
}

fn says(finding: &Value, field: &str, words: &[&str]) {
    let text = finding[field].as_str().unwrap_or_default();
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} are not in {field} of {finding}");
}

#[tokio::test]
async fn a_way_that_is_well_is_told_step_by_step() {
    let ca = Ca::new();
    let stage = Stage::at(FakeAs::listen_tls(options(), &ca).await.expect("a server on loopback"));
    let file = stage.home.write("ca.pem", ca.pem().as_bytes()).expect("a file");
    let config = format!("{}ca_file = {:?}\n", stage.config(), file.display().to_string());
    let _daemon = Daemon::start(&stage.home, &config).await;
    let found = findings(&stage).await;
    let all = ["dns", "tls", "provider", "device flow", "clock"].map(|check| (check, true));
    assert_eq!(steps(&found), all, "{found:?}");
    says(&found[0], "detail", &["localhost is ", "127.0.0.1"]);
    says(&found[1], "detail", &["TLS 1.3", &file.display().to_string(), "the system's authorities"]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_ends_it_at_tls() {
    let stage = Stage::at(FakeAs::listen_tls(options(), &Ca::new()).await.expect("a server on loopback"));
    let _daemon = stage.daemon().await;
    let found = findings(&stage).await;
    assert_eq!(steps(&found), [("dns", true), ("tls", false)], "{found:?}");
    says(&found[1], "detail", &["certificate", "unknown issuer"]);
    says(&found[1], "hint", &["ca_file"]);
    assert!(stage.server.log().is_empty(), "{:?}", stage.server.log());
}

#[tokio::test]
async fn a_port_that_nobody_listens_at_ends_it_at_the_connection() {
    let stage = Stage::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let _daemon = Daemon::start(&stage.home, &elsewhere(&stage, &format!("http://{nobody}"))).await;
    let found = findings(&stage).await;
    assert_eq!(steps(&found), [("connection", false)], "{found:?}");
    says(&found[0], "detail", &["refused"]);
    says(&found[0], "hint", &["check"]);
}

/// RFC 6761 §6.4: `.invalid` is a name that no resolver knows.
#[tokio::test]
async fn a_name_without_an_address_ends_it_at_dns() {
    let stage = Stage::new().await;
    let _daemon = Daemon::start(&stage.home, &elsewhere(&stage, "https://as.invalid")).await;
    let found = findings(&stage).await;
    assert_eq!(steps(&found), [("dns", false)], "{found:?}");
    says(&found[0], "detail", &["as.invalid has no address"]);
    says(&found[0], "hint", &["resolver"]);
}
