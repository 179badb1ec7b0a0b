//! Does a script learn from the exit code what went wrong, and its user from one line what to mend?

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use support::fake_as::{ENTRA_CLIENT_ID, Endpoint, Options};
use support::processes::{Daemon, Home, Output, binaries};
use tokio::time::Instant;

use crate::stage::{Stage, options, prompted};

/// A failure: this code, nothing on stdout, and these words on stderr.
#[track_caller]
fn failed(output: &Output, code: i32, words: &[&str]) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
    assert!(output.stderr.starts_with("brokerctl: "), "{}", output.stderr);
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is not in: {}", output.stderr);
    }
}

#[tokio::test]
async fn no_prompt_is_3_at_once_without_a_device_request() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let output = stage.run("get-token --no-prompt").await;
    failed(&output, 3, &["nobody is signed in under profile work", "hint: run: brokerctl login"]);
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 0);
    let output = stage.run("get-token --no-prompt -o json").await;
    let body: serde_json::Value = serde_json::from_str(&output.stderr).expect("one line of JSON");
    assert_eq!((output.code, &body["error"]), (Some(3), &"interaction_required".into()));
    assert_eq!(output.stderr.lines().count(), 1);
}

#[tokio::test]
async fn a_declined_sign_in_is_4() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut asked = stage.spawn("get-token");
    let code = prompted(&mut asked).await;
    stage.server.deny(&code);
    let output = asked.finish().await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""), "{output:?}");
    assert!(output.stderr.contains("brokerctl: the sign-in was declined in the browser\n"), "{}", output.stderr);
}

#[tokio::test]
async fn somebody_else_signing_in_is_4_and_stores_nothing() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut asked = stage.spawn("get-token -a alice@example.com");
    let code = prompted(&mut asked).await;
    stage.server.approve(&code, "bob");
    let output = asked.finish().await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""), "{output:?}");
    assert!(output.stderr.contains("bob@example.com signed in, and alice@example.com was asked for"));
    // The grant is given back, for which nobody waits.
    stage
        .server
        .wait_for(|log| log.iter().any(|request| request.is(Endpoint::Revocation) && request.status.is_some()))
        .await;
    assert_eq!(stage.server.revoked_families().len(), 1);
    assert_eq!(stage.json("accounts -o json").await["accounts"], serde_json::json!([]));
}

#[tokio::test]
async fn a_code_that_runs_out_and_a_timeout_are_5() {
    let stage = Stage::with(Options { device_code_lifetime: Duration::from_secs(2), ..options() }).await;
    let _daemon = stage.daemon().await;
    let output = stage.run("get-token").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(5), ""), "{output:?}");
    assert!(output.stderr.contains("brokerctl: the code ran out"), "{}", output.stderr);

    stage.server.reconfigure(|options| options.device_code_lifetime = Duration::from_secs(900));
    let start = Instant::now();
    let output = stage.run("get-token --timeout 1s").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(5), ""), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(output.stderr.contains("hint: ask again, with a longer timeout"), "{}", output.stderr);
}

/// Each row: what is wrong with the file, and what the user is told about it.
#[tokio::test]
async fn a_configuration_that_is_wrong_is_6_and_names_what_to_mend() {
    let stage = Stage::new().await;
    let good = stage.config();
    let path = stage.home.config_file();
    let told = path.display().to_string();
    for (wrong, words) in [
        (good.replace("client_id", "clientid"), &["line 6", "clientid", "client_id"][..]),
        (good.replace("[profiles.work]", "[profiles.work"), &["line 4", &told]),
        (good.replace("http://127.0.0.1", "http://idp.example"), &["line 5", "issuer", "https"]),
    ] {
        let daemon = Daemon::launch(&stage.home).config(&wrong).arg("--store").arg("memory").start().await;
        failed(&stage.run("get-token").await, 6, words);
        let status = stage.json("status -o json").await;
        assert_eq!(status["pid"], daemon.pid().expect("it runs on"));
        assert!(status["configuration"]["error"].is_string(), "{status}");
        assert!(daemon.sigterm().await.success());
    }
}

#[tokio::test]
async fn a_missing_file_and_one_that_others_may_write_are_6() {
    let stage = Stage::new().await;
    let daemon = Daemon::launch(&stage.home).arg("--store").arg("memory").start().await;
    let path = stage.home.config_file();
    let told = path.display().to_string();
    failed(
        &stage.run("get-token").await,
        6,
        &[&told, "no configuration file", "brokerctl login", "brokerctl profile add"],
    );

    stage.home.write(&path, stage.config().as_bytes()).expect("a configuration");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o660)).expect("a mode");
    daemon.signal(rustix::process::Signal::HUP);
    daemon.log_until(|log| log.contains("others may write it")).await;
    failed(&stage.run("get-token").await, 6, &[&told, "mode 660", "chmod go-w"]);

    // The daemon went on, and needs no restart once the file is right.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("a mode");
    daemon.signal(rustix::process::Signal::HUP);
    daemon.log_until(|log| log.contains("configuration reloaded")).await;
    stage.sign_in("alice").await;
    // Where sign-ins are kept was decided without the file; who wrote another place into it is told.
    let status = stage.json("status -o json").await;
    assert_eq!(status["store"]["kind"], "memory");
    assert!(status["notices"].to_string().contains("restart brokerd to use it"), "{status}");
}

#[tokio::test]
async fn an_unknown_profile_or_account_is_6() {
    let stage = Stage::new().await;
    let _daemon = Daemon::start(&stage.home, &(stage.config() + &stage.profile("home"))).await;
    failed(&stage.run("get-token wrok").await, 6, &["\"wrok\"", "did you mean \"work\"?"]);
    failed(&stage.run("get-token").await, 6, &["which profile?", "home, work", "default_profile"]);
    failed(&stage.run("logout nobody@example.com").await, 6, &["nobody@example.com", "brokerctl accounts"]);
}

#[tokio::test]
async fn a_client_or_tenant_the_provider_does_not_know_is_6() {
    let stage = Stage::new().await;
    let authority = stage.server.authority();
    let entra = |name: &str, tenant: &str, client: &str| {
        format!(
            "[profiles.{name}]\nprovider = \"entra\"\nauthority = {authority:?}\ntenant = {tenant:?}\n\
             client_id = {client:?}\nscopes = [\"User.Read\"]\n"
        )
    };
    let nobodys = "99999999-2222-3333-4444-555555555555";
    let config = stage.store()
        + &stage.profile("stranger").replace("\"cli\"", "\"nobodys\"")
        + &entra("lost", "nowhere.example", ENTRA_CLIENT_ID)
        + &entra("unknown", "contoso.onmicrosoft.com", nobodys);
    let _daemon = Daemon::start(&stage.home, &config).await;
    failed(&stage.run("get-token stranger").await, 6, &["profile stranger", "client_id nobodys", "check client_id"]);
    failed(&stage.run("get-token lost").await, 6, &["profile lost", "nowhere.example", "check tenant"]);
    failed(&stage.run("get-token unknown").await, 6, &["profile unknown", nobodys, "check client_id"]);
}

#[tokio::test]
async fn no_daemon_is_7_with_one_line_how_to_start_it() {
    let stage = Stage::new().await;
    // The socket of a stage is at the usual place of Linux.
    let hint = if cfg!(target_os = "linux") { "hint: start it with `" } else { "hint: check that address" };
    for command in ["get-token", "status", "accounts", "login", "logout --all", "prompts", "watch"] {
        let output = stage.run(command).await;
        failed(&output, 7, &["brokerd is not running", hint]);
        assert!(output.stderr.ends_with("see: docs/ERRORS.md#not_running\n"), "{}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 3, "{}", output.stderr);
    }
    // The doctor's findings are its answer.
    let output = stage.run("doctor").await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(7), ""), "{output:?}");
    assert!(output.stdout.contains("brokerd is not running") && output.stdout.contains("hint: "), "{output:?}");
}

#[tokio::test]
async fn a_provider_that_is_away_is_8_at_once() {
    let stage = Stage::new().await;
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let config = stage.config().replace(&stage.server.issuer(), &format!("http://127.0.0.1:{port}"));
    let _daemon = Daemon::start(&stage.home, &config).await;
    let start = Instant::now();
    let output = stage.run("get-token").await;
    failed(&output, 8, &["profile work", &format!("127.0.0.1:{port}"), "hint: "]);
    assert!(start.elapsed() < Duration::from_secs(5), "a refused connection takes {:?}", start.elapsed());
}

#[tokio::test]
async fn a_provider_that_answers_nonsense_is_8_and_keeps_the_sign_in() {
    use support::fake_as::{Fault, Grant};

    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    stage.server.always(Grant::RefreshToken, Fault::Html);
    failed(&stage.run("get-token --force-refresh").await, 8, &["profile work"]);
    assert_eq!(stage.ok("get-token").await.trim_end(), token, "the token at hand is good");
    stage.server.clear();
    stage.until("get-token --force-refresh", |output| output.code == Some(0)).await;
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_9_before_anybody_is_asked() {
    let stage = Stage::new().await;
    let open_key = stage.home.path().join("key");
    std::fs::set_permissions(&open_key, PermissionsExt::from_mode(0o644)).expect("a mode");
    let daemon = stage.daemon().await;
    failed(&stage.run("get-token").await, 9, &["key", "0644", "chmod 600", "hint: correct [store]"]);
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 0, "nobody signs in for nothing");
    assert_eq!(stage.json("status -o json").await["store"]["state"], "unavailable");
    daemon.kill9().await;

    // No session bus, no Secret Service.
    let _daemon = Daemon::launch(&stage.home).arg("--store").arg("keyring").start().await;
    failed(&stage.run("get-token").await, 9, &["hint: start the keyring service"]);
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 0);
}

/// As in a container: what there is to do instead has a page of its own.
#[tokio::test]
async fn no_service_manager_is_1_and_says_what_to_do_without() -> anyhow::Result<()> {
    let test = "exit_codes::no_service_manager_is_1";
    if std::path::Path::new("/run/systemd/system").exists() || !cfg!(target_os = "linux") {
        return crate::real_parts::skip(test, "there is a service manager here");
    }
    let stage = Stage::new().await;
    for command in ["service install", "service status", "service uninstall"] {
        let output = stage.run(command).await;
        failed(&output, 1, &["there is no service manager here", "hint: run it without one", "brokerd &"]);
        assert!(output.stderr.ends_with("see: docs/ERRORS.md#no_service_manager\n"), "{}", output.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn wrong_usage_is_2() {
    let stage = Stage::new().await;
    for arguments in ["get-tokn", "get-token --timeout soon", "get-token --claims [", "logout a --all"] {
        let output = stage.run(arguments).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{arguments}: {output:?}");
    }
}

#[tokio::test]
async fn check_config_is_0_or_6() {
    let stage = Stage::new().await;
    let check = async |home: &Home, path: &PathBuf| {
        let mut command = home.command(&binaries().brokerd);
        let output = command.arg("--check-config").arg("--config").arg(path).output();
        tokio::time::timeout(Duration::from_secs(10), output).await.expect("an end").expect("a process")
    };
    let good = stage.home.write("good.toml", stage.config().as_bytes()).expect("a file");
    let output = check(&stage.home, &good).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("profile work, the default: oidc at") && told.contains("client cli"), "{told}");
    let bad = stage.config().replace("client_id", "cleint_id");
    let bad = stage.home.write("bad.toml", bad.as_bytes()).expect("a file");
    for (path, word) in [(bad, "did you mean \"client_id\"?"), (stage.home.path().join("none.toml"), "none.toml")] {
        let output = check(&stage.home, &path).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{told}");
        assert!(told.starts_with("brokerd: ") && told.contains(word) && told.contains("hint: "), "{told}");
    }
    // What only its use would show.
    let (config, profile) = (stage.config(), stage.profile("work"));
    let ca = stage.home.write("no-ca.pem", b"nothing").expect("a file");
    for (text, word) in [
        (config.replace("key_file", "#"), "needs store.key_file, store.key_command"),
        (config.replace("/key\"", "/nokey\""), "nokey cannot be read"),
        (config.replace("kind = \"file\"", "kind = \"auto\""), "that is for \"file\""),
        (format!("{profile}ca_file = {:?}\n", ca.display().to_string()), "no certificate in it"),
        (
            "[profiles.work]\nclient_id = \"c\"\ntoken_endpoint = \"https://a.example/t\"\n".into(),
            "device_authorization_endpoint",
        ),
    ] {
        let path = stage.home.write("odd.toml", text.as_bytes()).expect("a file");
        let output = check(&stage.home, &path).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{word}: {told}");
        assert!(told.contains(word) && told.contains("hint: "), "{word}: {told}");
    }
    assert!(stage.server.log().is_empty(), "it contacts nobody");
}
