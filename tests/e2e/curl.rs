//! Does the LocalAPI answer a plain HTTP client, as the documentation says?

use serde_json::Value;

use crate::real_parts::skip;
use crate::stage::{PATIENCE, Stage, prompted};

/// Whether there is a curl; that there is none goes on record.
fn have_curl(test: &str) -> bool {
    let there = std::process::Command::new("curl").arg("--version").output().is_ok();
    if !there {
        skip(test, "there is no curl").expect("a record");
    }
    there
}

/// Runs curl on the daemon's socket and returns status, head and body.
async fn curl(stage: &Stage, arguments: &[&str]) -> (u16, String, String) {
    let socket = stage.home.socket();
    let mut command = stage.home.command("curl".as_ref());
    command.args(["--silent", "--show-error", "--include", "--max-time", "20", "--unix-socket"]).arg(socket);
    let output = tokio::time::timeout(PATIENCE, command.args(arguments).output()).await;
    let output = output.expect("curl ends by itself").expect("a process");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{output:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn every_get_endpoint_answers_curl() {
    let test = "curl::every_get_endpoint_answers_curl";
    if !have_curl(test) {
        return;
    }
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let gets = brokerd::localapi::ROUTES.iter().filter(|(_, methods)| methods.contains(&"GET"));
    for (path, _) in gets.filter(|(path, _)| *path != "/v1/events") {
        let url = format!("http://localhost{path}");
        let (status, head, body) = curl(&stage, &[&url]).await;
        assert_eq!(status, 200, "{path}: {body}");
        assert!(serde_json::from_str::<Value>(&body).is_ok_and(|body| body.is_object()), "{path}: {body}");
        assert!(head.contains("content-type: application/json"), "{path}: {head}");
        assert!(head.contains("cache-control: no-store") && head.contains("brokerd-version: "), "{path}: {head}");
    }
}

#[tokio::test]
async fn curl_gets_a_token_and_its_mistakes_are_named() {
    let test = "curl::curl_gets_a_token_and_its_mistakes_are_named";
    if !have_curl(test) {
        return;
    }
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let json = ["-H", "Content-Type: application/json"];
    let url = "http://localhost/v1/token";
    let post = [json[0], json[1], "-d", r#"{"profile":"work"}"#, url];
    let (status, head, body) = curl(&stage, &post).await;
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &answer["access_token"]), (200, &token.as_str().into()));
    assert!(head.contains("cache-control: no-store"), "{head}");

    for (arguments, expected, error) in [
        (&[json[0], json[1], "-d", r#"{"colour":"red"}"#, url][..], 400, "unsupported_field"),
        (&[json[0], json[1], "-d", "{", url], 400, "bad_request"),
        (&["-d", "{}", url], 400, "bad_request"),
        (&[json[0], json[1], "-d", r#"{"profile":"wrok"}"#, url], 404, "unknown_profile"),
        (&["-H", "Origin: https://evil.example", "http://localhost/v1/accounts"], 403, "forbidden"),
        (&["http://evil.example/v1/accounts"], 403, "forbidden"),
        (&["http://localhost/v2/accounts"], 404, "not_found"),
        (&["-X", "DELETE", "http://localhost/v1/accounts"], 405, "method_not_allowed"),
        (&["-X", "DELETE", "http://localhost/v1/accounts/nobody"], 404, "unknown_account"),
        (&["-X", "DELETE", "http://localhost/v1/prompts/none"], 404, "not_found"),
    ] {
        let (status, _, body) = curl(&stage, arguments).await;
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{arguments:?}: {body}"));
        assert_eq!((status, &answer["error"]), (expected, &error.into()), "{arguments:?}: {body}");
    }
}

#[tokio::test]
async fn curl_reads_a_prompt_and_then_the_token_as_lines() {
    let test = "curl::curl_reads_a_prompt_and_then_the_token_as_lines";
    if !have_curl(test) {
        return;
    }
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let approve = async {
        let code = stage.server.next_user_code().await;
        stage.server.approve(&code, "alice");
        code
    };
    let post = ["-N", "-H", "Content-Type: application/json", "-d", "{}", "http://localhost/v1/token"];
    let ((status, head, body), code) = tokio::join!(curl(&stage, &post), approve);
    assert_eq!(status, 202, "{body}");
    assert!(head.contains("content-type: application/x-ndjson"), "{head}");
    let lines: Vec<Value> = body.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(lines.iter().map(|line| &line["event"]).collect::<Vec<_>>(), ["device_prompt", "token"], "{body}");
    assert_eq!(lines[0]["user_code"], code.as_str());
    assert_eq!(lines[0]["requested_by"]["command"], "curl");
}

#[tokio::test]
async fn events_begin_with_the_prompts_that_are_pending() {
    let test = "curl::events_begin_with_the_prompts_that_are_pending";
    if !have_curl(test) {
        return;
    }
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let mut asked = stage.spawn("get-token");
    let code = prompted(&mut asked).await;
    let events = ["-N", "http://localhost/v1/events"];
    // The stream ends with the daemon, and well.
    let ((status, _, body), ()) = tokio::join!(curl(&stage, &events), async {
        daemon.log_until(|log| log.contains("path=\"/v1/events\"")).await;
        asked.kill9().await;
        assert!(daemon.sigterm().await.success());
    });
    assert_eq!(status, 200);
    assert!(body.contains("prompt_started") && body.contains(&code), "{body}");
}
