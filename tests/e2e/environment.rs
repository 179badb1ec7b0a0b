//! What stands between brokerd and a provider: a proxy, by its environment or its configuration, and certificates.
//!
//! The provider is called `as.test`, a name that leads nowhere but through the proxy: a sign-in proves the way it went.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use support::fake_as::{Ca, FakeAs, Issued};
use support::processes::{Daemon, Output};
use support::proxy::ConnectProxy;
use tokio::time;

use crate::stage::{Stage, options};

const PASSWORD: &str = "kestrel-4471-drum";

/// A provider behind a proxy, and the configuration that trusts its certificate.
struct Behind {
    stage: Stage,
    proxy: ConnectProxy,
    config: String,
}

async fn behind() -> Behind {
    let ca = Ca::new();
    let server = FakeAs::listen_tls(options(), &ca).await.expect("a server on loopback");
    let port: u16 = server.issuer().rsplit_once(':').expect("a port").1.parse().expect("a port");
    server.reconfigure(|options| options.issuer = "https://as.test".into());
    let proxy = ConnectProxy::listen().await.expect("a proxy on loopback");
    proxy.lead("as.test:443", SocketAddr::from(([127, 0, 0, 1], port)));
    let stage = Stage::at(server);
    let file = stage.home.write("ca.pem", ca.pem().as_bytes()).expect("a file");
    let config = format!("{}ca_file = {:?}\n", stage.config(), file.display().to_string());
    Behind { stage, proxy, config }
}

impl Behind {
    fn url(&self) -> String {
        format!("http://{}", self.proxy.authority())
    }

    /// Starts a daemon with these variables, and these lines more in the profile.
    async fn daemon(&self, variables: &[(&str, &str)], lines: &str) -> Daemon {
        let launch = Daemon::launch(&self.stage.home).config(&format!("{}{lines}\n", self.config));
        variables.iter().fold(launch, |launch, (name, value)| launch.env(name, value)).start().await
    }

    /// How the profile's provider is reached, as `status` has it.
    async fn way(&self) -> Value {
        self.stage.json("status -o json").await["profiles"][0]["proxy"].clone()
    }

    /// Asks for a token that must not come, and returns the error.
    async fn refused(&self) -> Value {
        refusal(&self.stage.run("get-token -o json").await)
    }
}

fn refusal(output: &Output) -> Value {
    let body: Value = serde_json::from_str(&output.stderr).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!((output.code, &body["error"]), (Some(8), &json!("provider_unreachable")), "{output:?}");
    body
}

fn says(body: &Value, field: &str, words: &[&str]) {
    let text = body[field].as_str().unwrap_or_default();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {field} of {body}");
    }
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_shown_and_kept_connected() {
    let behind = behind().await;
    let daemon = behind.daemon(&[("HTTPS_PROXY", &behind.url()), ("NO_PROXY", "other.test,10.0.0.0/8")], "").await;
    let token = behind.stage.sign_in("alice").await;
    for _ in 0..3 {
        assert_ne!(behind.stage.ok("get-token --force-refresh").await.trim_end(), token);
    }
    assert_eq!(behind.way().await, json!({"from": "environment", "address": behind.url()}));
    assert_eq!(behind.stage.refreshes(), 3);
    assert_eq!((behind.proxy.tunnels(), behind.proxy.asked()), (1, vec!["as.test:443".to_owned()]));

    let findings = behind.stage.json("doctor -o json").await;
    let finding = |check: &str| {
        let mut all = findings["findings"].as_array().expect("findings").iter();
        all.find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check} in {findings}")).clone()
    };
    says(&finding("environment"), "detail", &["HTTPS_PROXY", "NO_PROXY"]);
    says(&finding("provider"), "detail", &["https://as.test", &behind.url(), "environment"]);
    drop(daemon);
}

#[tokio::test]
async fn the_configuration_wins_and_its_password_is_shown_nowhere() {
    let behind = behind().await;
    behind.proxy.insist("ada", PASSWORD);
    // ada:kestrel-4471-drum, as it is sent.
    for value in [PASSWORD, "YWRhOmtlc3RyZWwtNDQ3MS1kcnVt"] {
        let secret = Issued { kind: "proxy_password", value: value.into() };
        behind.stage.home.canary().watch_for(move || vec![secret.clone()]);
    }
    let line = format!("proxy = \"http://ada:{PASSWORD}@{}\"", behind.proxy.authority());
    let daemon = behind.daemon(&[("HTTPS_PROXY", "http://127.0.0.1:1")], &line).await;
    behind.stage.sign_in("alice").await;
    assert_eq!(behind.proxy.tunnels(), 1);
    assert_eq!(behind.way().await, json!({"from": "configuration", "address": behind.url()}));
    // Told to people, who may show it around: a refusal of the password.
    behind.proxy.insist("ada", "another");
    behind.stage.server.drop_connections();
    // By its answer the daemon has seen that they ended.
    behind.stage.run("status").await;
    let output = behind.stage.run("get-token --force-refresh -o json").await;
    says(&refusal(&output), "error_description", &[&behind.url(), "407", "does not accept"]);
    for place in [output.stderr, behind.stage.ok("status").await, behind.stage.run("doctor").await.stdout] {
        assert!(!place.contains(PASSWORD), "{place}");
    }
    // The log is looked through as the daemon ends.
    drop(daemon);
}

#[tokio::test]
async fn a_password_in_a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let behind = behind().await;
    let config = format!("{}proxy = \"http://ada:{PASSWORD}@127.0.0.1:1\"\n", behind.config);
    let file = behind.stage.home.write(behind.stage.home.config_file(), config.as_bytes()).expect("a configuration");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let daemon = Daemon::launch(&behind.stage.home).start().await;
    let error = behind.stage.json("status -o json").await["configuration"].clone();
    says(&error, "error", &["password", "others may read it"]);
    assert!(!daemon.log().contains(PASSWORD));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_status_and_what_to_do() {
    let behind = behind().await;
    let daemon =
        behind.daemon(&[("https_proxy", &format!("http://ada:{PASSWORD}@{}", behind.proxy.authority()))], "").await;
    for (status, said, hint) in [
        (407, "407", "http://user:password@host:port"),
        (403, "403", "administrator"),
        (502, "502", "check proxy"),
        (302, "302", "check proxy"),
    ] {
        behind.proxy.refuse(Some(status));
        behind.stage.ok("reload").await;
        let body = behind.refused().await;
        says(&body, "error_description", &["https://as.test", &behind.url(), said]);
        says(&body, "hint", &[hint]);
        assert!(!body.to_string().contains(PASSWORD), "{body}");
    }
    assert_eq!(behind.proxy.tunnels(), 0);
    behind.proxy.refuse(None);
    behind.stage.ok("reload").await;
    behind.stage.sign_in("alice").await;
    assert!(!daemon.log().contains(PASSWORD), "{}", daemon.log());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let behind = behind().await;
    // A port that was free a moment ago: nobody listens.
    let gone = ConnectProxy::listen().await.expect("a proxy").authority();
    let _daemon = behind.daemon(&[("ALL_PROXY", &gone)], "").await;
    let body = behind.refused().await;
    says(&body, "error_description", &[&format!("the proxy http://{gone} cannot be reached")]);
    says(&body, "hint", &["proxy"]);
}

#[tokio::test]
async fn exceptions_and_none_lead_past_the_proxy() {
    for (variables, line) in [(vec![("NO_PROXY", ".test:443")], ""), (vec![], "proxy = \"none\"")] {
        let behind = behind().await;
        let url = behind.url();
        let variables: Vec<_> = variables.into_iter().chain([("HTTPS_PROXY", url.as_str())]).collect();
        let _daemon = behind.daemon(&variables, line).await;
        assert_eq!(behind.way().await, json!({"from": "none"}));
        // The name leads nowhere then.
        assert_ne!(behind.stage.run("get-token --timeout 5s").await.code, Some(0));
        assert_eq!(behind.proxy.asked(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn this_machine_is_never_behind_a_proxy() {
    let stage = Stage::new().await;
    let proxy = ConnectProxy::listen().await.expect("a proxy");
    let url = format!("http://{}", proxy.authority());
    let config = format!("{}proxy = {url:?}\n", stage.config());
    let launch = Daemon::launch(&stage.home).config(&config);
    let _daemon = launch.env("HTTP_PROXY", &url).env("ALL_PROXY", &url).start().await;
    stage.sign_in("alice").await;
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_brokerd_cannot_speak_to_is_an_error_and_not_passed_over() {
    let behind = behind().await;
    let _daemon = behind.daemon(&[("ALL_PROXY", &format!("socks5h://ada:{PASSWORD}@127.0.0.1:1080"))], "").await;
    let output = behind.stage.run("get-token -o json").await;
    let body: Value = serde_json::from_str(&output.stderr).expect("one line of JSON");
    assert_eq!((output.code, &body["error"]), (Some(6), &json!("configuration")), "{output:?}");
    says(&body, "error_description", &["ALL_PROXY", "SOCKS"]);
    says(&behind.way().await, "error", &["ALL_PROXY", "SOCKS"]);
    assert!(!output.stderr.contains(PASSWORD));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ssl_cert_file_stands_in_for_the_systems_authorities() {
    let ca = Ca::new();
    let stage = Stage::at(FakeAs::listen_tls(options(), &ca).await.expect("a server on loopback"));
    let file = stage.home.write("ca.pem", ca.pem().as_bytes()).expect("a file");
    let _daemon = Daemon::launch(&stage.home).config(&stage.config()).env("SSL_CERT_FILE", &file).start().await;
    stage.sign_in("alice").await;
}

#[tokio::test]
async fn a_ca_file_is_read_again_when_it_changes() {
    let (ca, other) = (Ca::new(), Ca::new());
    let stage = Stage::at(FakeAs::listen_tls(options(), &ca).await.expect("a server on loopback"));
    let write = |ca: &Ca| stage.home.write("ca.pem", ca.pem().as_bytes()).expect("a file");
    let _daemon = stage.daemon().await;
    let refused = async |words: &[&str]| {
        // What was said last stands for a second or more.
        let body = stage
            .until("get-token --force-refresh -o json", |output| words.iter().all(|word| output.stderr.contains(word)));
        let body = refusal(&body.await);
        says(&body, "hint", &["ca_file"]);
        body["retry_after"].as_u64().expect("it says when to ask again")
    };
    refused(&["certificate", "unknown issuer"]).await;
    let config = format!("{}ca_file = {:?}\n", stage.config(), write(&other).display().to_string());
    stage.home.write(stage.home.config_file(), config.as_bytes()).expect("a configuration");
    stage.ok("reload").await;
    // Both authorities bear the same name.
    let pause = refused(&["certificate", "another authority"]).await;
    write(&ca);
    time::sleep(Duration::from_secs(pause)).await;
    stage.sign_in("alice").await;
    // And back: who is trusted no more is spoken to no more.
    write(&other);
    refused(&["certificate"]).await;
    std::fs::remove_file(stage.home.path().join("ca.pem")).expect("it is there");
    let output = stage.until("get-token --force-refresh -o json", |output| output.code == Some(6)).await;
    assert!(output.stderr.contains("ca.pem"), "{output:?}");
}
