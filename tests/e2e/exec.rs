//! Does a command run by `brokerctl exec` have its tokens, and nobody else, and nothing longer than it runs?

use std::path::Path;

use serde_json::Value;
use support::processes::Output;

use crate::stage::{Stage, prompted};
#[cfg(target_os = "linux")]
use crate::strangers::can_become_another;

async fn sh(stage: &Stage, options: &str, script: &str) -> Output {
    let arguments = options.split_whitespace().chain(["--", "sh", "-c", script]);
    stage.ctl().run(["exec"].into_iter().chain(arguments)).await
}

async fn signed_in() -> (Stage, support::processes::Daemon, String) {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    (stage, daemon, token)
}

#[tokio::test]
async fn the_token_is_in_the_variable_and_the_exit_code_is_the_commands() {
    let (stage, _daemon, token) = signed_in().await;
    let output = sh(&stage, "--env A --env B=work:openid", r#"echo "$A"; test -n "$B"; exit 42"#).await;
    assert_eq!((output.code, output.stdout), (Some(42), format!("{token}\n")), "{}", output.stderr);
    let output = sh(&stage, "--env A", "kill -TERM $$").await;
    assert_eq!(output.code, Some(128 + 15), "{output:?}");
    let arguments = ["exec", "--env", "A", "--", "/nonexistent/command"];
    assert_eq!(stage.ctl().run(arguments).await.code, Some(127));
    assert_eq!(sh(&stage, "", "true").await.code, Some(2), "without anything to have there is no point");
    let output = sh(&stage, "--min-validity 24h --env A=work", r#"echo "$A""#).await;
    assert_eq!((output.code, output.stdout), (Some(0), format!("{token}\n")), "{}", output.stderr);
    assert!(output.stderr.contains("not for 86400"), "{}", output.stderr);
    // Nothing is run where there is no token.
    let output = sh(&stage, "--env A=nobody", "echo ran").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(6), ""), "{output:?}");
}

#[tokio::test]
async fn a_signal_reaches_the_command_and_its_end_is_waited_for() {
    let (stage, _daemon, _) = signed_in().await;
    let script = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let mut running = stage.ctl().spawn(["exec", "--env", "A", "--", "sh", "-c", script]);
    running.stdout_until(|seen| seen.contains("ready")).await;
    let pid = running.pid().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())).expect("it runs");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
    let output = running.finish().await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(7), "ready\ntold\n"), "{output:?}");
}

/// As `nohup` starts it: a command of its own has the same then.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_whoever_started_it_ignores_the_command_ignores() {
    let (stage, _daemon, _) = signed_in().await;
    let script = "trap '' HUP; exec brokerctl exec --env A -- sed -n s/SigIgn:.//p /proc/self/status";
    let directory = support::processes::binaries().brokerctl.parent().expect("a directory").display().to_string();
    let path = format!("{directory}:/usr/bin:/bin");
    let mut shell = stage.home.command("sh".as_ref());
    let output = shell.env("PATH", path).env("BROKERD_SOCKET", stage.home.socket()).args(["-c", script]).output().await;
    let output = output.expect("a shell");
    let ignored = String::from_utf8_lossy(&output.stdout);
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(ignored & 0b11, 0b01, "SIGHUP alone, of it and SIGINT: {ignored:x}");
}

#[tokio::test]
async fn the_token_file_is_private_fresh_and_gone_at_the_end() {
    let stage = Stage::with(support::fake_as::Options {
        access_token_lifetime: std::time::Duration::from_secs(4),
        ..crate::stage::options()
    })
    .await;
    let _daemon = stage.daemon().await;
    let first = stage.sign_in("alice").await;
    // It waits for the file to change, and shows what it and its directory are.
    let script = r#"
        old=$(cat "$BEARER_TOKEN_FILE")
        stat -c %a "$BEARER_TOKEN_FILE" "$(dirname "$BEARER_TOKEN_FILE")"
        for _ in $(seq 300); do new=$(cat "$BEARER_TOKEN_FILE"); [ "$new" = "$old" ] || break; sleep 0.1; done
        [ "$new" != "$old" ] && echo renewed
        echo "$BEARER_TOKEN_FILE"
    "#;
    let output = sh(&stage, "--token-file", script).await;
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[..3], ["600", "700", "renewed"], "{output:?}");
    assert!(!lines[3].is_empty() && !Path::new(lines[3]).exists(), "{output:?}");
    assert!(!Path::new(lines[3]).parent().expect("a directory").exists());
    stage.until_expired(&first).await;
}

#[tokio::test]
async fn an_azure_sdk_gets_a_token_and_a_browser_or_a_wrong_secret_none() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    // A sign-in at this server is for the scopes it was asked for.
    let mut asked = stage.spawn("get-token -s openid -s profile -s offline_access -s https://x.test/.default");
    let code = prompted(&mut asked).await;
    stage.server.approve(&code, "alice");
    assert_eq!(asked.finish().await.code, Some(0));
    let url = "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https%3A%2F%2Fx.test";
    let ask = |more: &str| format!("curl -s -w '\\n%{{http_code}}\\n' {more} \"{url}\"");
    let secret = "-H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\"";
    let output = sh(&stage, "--azure", &ask(secret)).await;
    let (body, status) = output.stdout.trim_end().rsplit_once('\n').expect("two lines");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(status, "200", "{output:?}");
    assert!(stage.server.access_token(body["access_token"].as_str().expect("a token")).is_some());
    assert!(body["expires_on"].as_str().is_some_and(|text| text.parse::<i64>().is_ok()), "{body}");
    assert_eq!((&body["resource"], &body["token_type"]), (&"https://x.test".into(), &"Bearer".into()));
    for (more, status) in [
        ("-H 'X-IDENTITY-HEADER: wrong'".to_owned(), "401"),
        (String::new(), "401"),
        (format!("{secret} -H 'Host: evil.test'"), "403"),
        (format!("{secret} -H 'Origin: http://evil.test'"), "403"),
        (format!("{secret} -H 'Sec-Fetch-Site: none'"), "403"),
        (format!("{secret} -X POST -d a=b"), "405"),
    ] {
        let output = sh(&stage, "--azure", &ask(&more)).await;
        assert!(output.stdout.ends_with(&format!("\n{status}\n")), "{more}: {output:?}");
        assert!(!output.stdout.contains("access_token"), "{more}: {output:?}");
    }
    // RFC 9110 §15.5.6: whoever is told that a method is not answered is told which is.
    let output = sh(&stage, "--azure", &ask(&format!("{secret} -X POST -o /dev/null -D -"))).await;
    assert!(output.stdout.lines().any(|line| line.eq_ignore_ascii_case("allow: GET")), "{output:?}");
    // It ends with the command.
    let output = sh(&stage, "--azure", "echo $IDENTITY_ENDPOINT").await;
    let address = output.stdout.trim_end().strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let connected = tokio::net::TcpStream::connect(address.expect("an address")).await;
    assert!(connected.is_err(), "nobody listens any more");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn googles_metadata_is_for_this_user_and_its_header_only() {
    let (stage, _daemon, _) = signed_in().await;
    let base = "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/service-accounts/default";
    let flavor = "-H 'Metadata-Flavor: Google'";
    let script = format!("curl -s -D - {flavor} {base}/token; echo; curl -s {flavor} {base}/email");
    let output = sh(&stage, "--gcp", &script).await;
    assert!(output.stdout.to_lowercase().contains("metadata-flavor: google\r\n"), "{output:?}");
    let token = output.stdout.lines().find(|line| line.starts_with('{')).expect("JSON");
    let token: Value = serde_json::from_str(token).expect("JSON");
    assert!(stage.server.access_token(token["access_token"].as_str().expect("a token")).is_some());
    assert!(token["expires_in"].as_i64().is_some_and(|seconds| seconds > 0), "{token}");
    assert!(output.stdout.ends_with("alice@example.com"), "{output:?}");
    // As gcp-metadata asks whether it is on Compute Engine.
    let v1 = "http://$GCE_METADATA_HOST/computeMetadata/v1";
    let script = format!("curl -sf {flavor} {v1}/instance; curl -sf {flavor} {v1}/project && echo .");
    let output = sh(&stage, "--gcp", &script).await;
    assert_eq!(output.stdout, "service-accounts/\n.\n", "{output:?}");
    let output = sh(&stage, "--gcp", &format!("curl -s -w '%{{http_code}}' {base}/token")).await;
    assert!(output.stdout.ends_with("403") && !output.stdout.contains("access_token"), "{output:?}");

    if can_become_another("exec::googles_metadata_is_for_this_user_and_its_header_only") {
        let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let script = format!("{nobody} curl -s -w '%{{http_code}}' {flavor} {base}/token");
        let output = sh(&stage, "--gcp", &script).await;
        assert!(output.stdout.ends_with("403") && output.stdout.contains("another user"), "{output:?}");
    }
}
