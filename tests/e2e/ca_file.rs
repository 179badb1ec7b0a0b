//! Is a provider with a private certificate authority trusted when `ca_file` says so, and only then?

use support::fake_as::{Ca, FakeAs};
use support::processes::Daemon;

use crate::stage::{Stage, options};

/// A provider behind TLS, by an authority that no system trusts.
async fn stage(ca: &Ca) -> Stage {
    Stage::at(FakeAs::listen_tls(options(), ca).await.expect("a server on loopback"))
}

/// The configuration, with a CA file in the profile.
fn trusting(stage: &Stage, ca: &Ca) -> String {
    let file = stage.home.write("ca.pem", ca.pem().as_bytes()).expect("a file");
    format!("{}ca_file = {:?}\n", stage.config(), file.display().to_string())
}

/// The provider is out of reach, the certificate is why, and no request got through.
async fn refused(stage: &Stage) {
    let output = stage.run("get-token -o json").await;
    let body: serde_json::Value = serde_json::from_str(&output.stderr).expect("one line of JSON");
    assert_eq!((output.code, &body["error"]), (Some(8), &"provider_unreachable".into()), "{output:?}");
    let description = body["error_description"].as_str().expect("a description");
    assert!(description.contains("certificate"), "{description}");
    assert!(stage.server.log().is_empty(), "{:?}", stage.server.log());
}

#[tokio::test]
async fn with_the_authority_in_ca_file_a_person_signs_in_and_tokens_are_refreshed() {
    let ca = Ca::new();
    let stage = stage(&ca).await;
    assert!(stage.server.issuer().starts_with("https://localhost:"));
    let _daemon = Daemon::start(&stage.home, &trusting(&stage, &ca)).await;
    let token = stage.sign_in("alice").await;
    assert_ne!(stage.ok("get-token --force-refresh").await.trim_end(), token);
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn without_it_the_provider_is_refused_until_a_reload_brings_it() {
    let ca = Ca::new();
    let stage = stage(&ca).await;
    let _daemon = stage.daemon().await;
    refused(&stage).await;
    let config = trusting(&stage, &ca);
    stage.home.write(stage.home.config_file(), config.as_bytes()).expect("a configuration");
    stage.ok("reload").await;
    stage.sign_in("alice").await;
}

#[tokio::test]
async fn another_authority_is_not_good_enough() {
    let stage = stage(&Ca::new()).await;
    let _daemon = Daemon::start(&stage.home, &trusting(&stage, &Ca::new())).await;
    refused(&stage).await;
}
