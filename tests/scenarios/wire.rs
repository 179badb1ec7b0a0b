//! What no good client sends, and what it gets.

use std::time::Duration;

use broker_client::TokenRequest;
use support::fake_as::Grant;
use support::rig::{Rig, interactive, never, s};

/// The daemon still answers others.
async fn assert_well(rig: &Rig) {
    rig.new_client().status().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_who_and_is_not_to_be_kept() {
    let rig = Rig::start();
    let answer = rig.raw("GET /v1/status HTTP/1.1\r\nHost: LocalHost\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    for header in ["cache-control: no-store", "content-type: application/json", "brokerd-version: 0.1.0"] {
        assert!(answer.has(header), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_is_refused_and_the_connection_closed() {
    let rig = Rig::start();
    for garbage in
        ["\0\u{1}\u{2}\r\n\r\n", "hello\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}", "GET / HTTP/9.9\r\n\r\n"]
    {
        let mut wire = rig.wire().await;
        wire.send(garbage).await;
        let (text, took) = wire.end().await;
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{garbage:?}: {text}");
        assert!(took <= s(5), "{garbage:?}: {took:?}");
        assert_well(&rig).await;
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_closed_after_five_seconds_and_a_drip_buys_no_time() {
    let rig = Rig::start();
    for half in ["G", "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\n", rig.post("/v1/token", "{}").trim_end_matches('}')]
    {
        let mut wire = rig.wire().await;
        wire.send(half).await;
        assert_eq!(wire.end().await.1, s(5), "{half:?}");
    }
    let mut wire = rig.wire().await;
    let start = tokio::time::Instant::now();
    while wire.try_send("G").await && start.elapsed() < s(60) {
        rig.pass(s(1)).await;
    }
    assert!((s(5)..=s(6)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_sixty_seconds() {
    let rig = Rig::start();
    assert_eq!(rig.wire().await.end().await.1, s(60));
    let mut wire = rig.wire().await;
    rig.pass(s(50)).await;
    wire.send("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.end().await.1, s(60), "a request begins the minute anew");
}

/// A connection comes to rest between requests, and to life again with a request's first byte.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_serves_after_any_pause() {
    let rig = Rig::start();
    let mut wire = rig.wire().await;
    for pause in [0, 1, 9, 10, 11, 500, 59_999].map(Duration::from_millis) {
        rig.pass(pause).await;
        wire.send("G").await;
        rig.pass(pause.min(s(2))).await;
        wire.send(format!("ET /v1/status HTTP/1.1\r\nhost: brokerd\r\nx: {}\r\n", "x".repeat(1000))).await;
        rig.pass(pause.min(s(2))).await;
        wire.send("\r\n").await;
        assert_eq!(wire.answer().await.status, 200, "after {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_late_arrives_whole() {
    let rig = Rig::start();
    let mut wire = rig.narrow_wire(64).await;
    for late in [0, 20, 59_000].map(Duration::from_millis) {
        wire.send("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n").await;
        rig.pass(late).await;
        let answer = wire.answer().await;
        assert!(answer.json()["version"].is_string(), "{late:?} late: {answer:?}");
    }
    wire.send("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n").await;
    rig.pass(s(61)).await;
    let (cut, took) = wire.end().await;
    assert!(cut.len() <= 64 && took == s(0), "whoever does not read for a minute has left: {cut}");
}

#[tokio::test(start_paused = true)]
async fn too_large_a_head_or_body_is_too_large() {
    let rig = Rig::start();
    let large = format!("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\nx: {}\r\n\r\n", "a".repeat(17 * 1024));
    let mut wire = rig.wire().await;
    wire.try_send(&large).await;
    let (text, _) = wire.end().await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("too_large"), "{text}");
    let mut wire = rig.wire().await;
    wire.try_send(large.replace("x: ", &format!("x: {}", "a".repeat(128 * 1024)))).await;
    let (text, _) = wire.end().await;
    assert!(text.starts_with("HTTP/1.1 431"), "no end of it is in sight: {text}");

    let answer = rig.raw(&rig.post("/v1/token", &format!("{{\"locale\":\"{}\"}}", "a".repeat(65 * 1024)))).await;
    assert_eq!((answer.status, answer.error().as_str()), (413, "too_large"));
    let chunked = "POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut wire = rig.wire().await;
    wire.send(chunked).await;
    for _ in 0..66 {
        wire.try_send(format!("400\r\n{}\r\n", "a".repeat(1024))).await;
    }
    assert_eq!(wire.answer().await.status, 413);
    assert_well(&rig).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_has_a_bare_answer() {
    let rig = Rig::start();
    let fields = |count: usize| {
        let more = "x: a\r\n".repeat(count - 2);
        format!("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\nconnection: close\r\n{more}\r\n")
    };
    for (request, status) in [(fields(64), "200"), (fields(65), "431"), ("hello there\r\n\r\n".to_owned(), "400")] {
        let mut wire = rig.wire().await;
        wire.send(&request).await;
        let (text, _) = wire.end().await;
        let bare = text.ends_with("\r\n\r\n") && !text.contains("brokerd-version");
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && bare == (status != "200"), "{text}");
    }
    assert_well(&rig).await;
}

#[tokio::test(start_paused = true)]
async fn web_pages_are_refused() {
    let rig = Rig::start();
    for header in ["origin: https://evil.example", "origin: null", "referer: https://evil.example/"] {
        let answer = rig.raw(&format!("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n{header}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "forbidden"), "{header}");
        assert!(answer.has("connection: close"), "{answer:?}");
    }
    for host in ["host: evil.example", "host: localhost.evil.example", "host: brokerd\r\nhost: brokerd", "x: y"] {
        let answer = rig.raw(&format!("GET /v1/status HTTP/1.1\r\n{host}\r\n\r\n")).await;
        assert_eq!((answer.status, answer.error().as_str()), (403, "forbidden"), "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_path_has_its_methods_and_no_others() {
    let rig = Rig::start();
    for (pattern, methods) in brokerd::localapi::ROUTES {
        let path = pattern.replace("{id}", "x");
        for method in ["GET", "POST", "DELETE", "PUT"].into_iter().filter(|method| !methods.contains(method)) {
            let answer = rig.raw(&format!("{method} {path} HTTP/1.1\r\nhost: brokerd\r\n\r\n")).await;
            assert_eq!((answer.status, answer.error().as_str()), (405, "method_not_allowed"), "{method} {path}");
            assert!(answer.has(&format!("allow: {}", methods.join(", ").to_lowercase())), "{answer:?}");
            assert!(answer.body.contains(methods[0]), "{answer:?}");
        }
    }
    for path in ["/", "/v1", "/v1/", "/v2/token", "/v1/token/", "/v1/accounts/a/b", "//v1/token"] {
        let answer = rig.raw(&format!("GET {path} HTTP/1.1\r\nhost: brokerd\r\n\r\n")).await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_field_is_refused_by_name() {
    let rig = Rig::start();
    let answer = rig.raw(&rig.post("/v1/token", r#"{"interaction":"never","shiny":true}"#)).await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "unsupported_field"));
    assert!(answer.body.contains("shiny"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn bodies_are_json_or_empty() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    for body in ["", "{}", " \n"] {
        assert_eq!(rig.raw(&rig.post("/v1/token", body)).await.status, 200, "{body:?}");
    }
    assert_eq!(rig.raw("POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-length: 0\r\n\r\n").await.status, 200);
    assert_eq!(rig.raw("POST /v1/token HTTP/1.1\r\nhost: brokerd\r\n\r\n").await.status, 200);
    for body in ["{", "[]", "7", r#"{"timeout":"secret-7"}"#, r#"{"scopes":["a b"]}"#] {
        let answer = rig.raw(&rig.post("/v1/token", body)).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "bad_request"), "{body}");
        assert!(!answer.body.contains("secret-7"), "{answer:?}");
    }
    let form = rig.post("/v1/token", "{}").replace("application/json", "application/x-www-form-urlencoded");
    assert_eq!(rig.raw(&form).await.error(), "bad_request");
    let charset = rig.post("/v1/token", "{}").replace("application/json", "Application/JSON; charset=utf-8");
    assert_eq!(rig.raw(&charset).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn more_bytes_while_waiting_cancel_that_caller_and_no_other() {
    let rig = Rig::start();
    let mut patient = rig.call(&interactive());
    let prompt = patient.prompt().await;
    let mut pushing = rig.wire().await;
    pushing.send(rig.post("/v1/token", "{}")).await;
    assert!(pushing.answer().await.body.contains(&prompt.id));
    assert_eq!(rig.client.status().await.unwrap().flights[0].waiters, 2);

    pushing.send("GET /v1/status HTTP/1.1\r\n").await;
    let (_, took) = pushing.end().await;
    assert_eq!(took, s(0));
    assert_eq!(rig.client.status().await.unwrap().flights[0].waiters, 1);
    rig.fake.approve(&prompt.user_code, "alice");
    patient.token().await;
}

#[tokio::test(start_paused = true)]
async fn a_half_close_while_waiting_cancels_that_caller_and_no_other() {
    let rig = Rig::start();
    let mut leaving = rig.wire().await;
    leaving.send(rig.post("/v1/token", "{}")).await;
    let answer = leaving.answer().await;
    assert_eq!((answer.status, answer.has("content-type: application/x-ndjson")), (202, true));
    let mut patient = rig.call(&interactive());
    let prompt = patient.prompt().await;

    leaving.half_close().await;
    rig.pass(s(1)).await;
    assert_eq!(rig.client.status().await.unwrap().flights[0].waiters, 1);
    rig.fake.approve(&prompt.user_code, "alice");
    patient.token().await;
}

#[tokio::test(start_paused = true)]
async fn a_half_close_of_the_only_waiter_ends_the_polling() {
    let rig = Rig::start();
    let mut only = rig.wire().await;
    only.send(rig.post("/v1/token", "{}")).await;
    only.answer().await;
    only.half_close().await;
    rig.pass(s(3600)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), 0);
    assert!(rig.client.prompts().await.unwrap().prompts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_refused() {
    let rig = Rig::start();
    let request = rig.post("/v1/token", r#"{"interaction":"never"}"#);
    let answer = rig.raw(&format!("{request}{request}")).await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "bad_request"));
    assert!(answer.has("connection: close"));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let rig = Rig::setup().limits(|limits| limits.connections = 8).start();
    let mut first = rig.wire().await;
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(rig.wire().await);
        tokio::task::yield_now().await;
    }
    let start = tokio::time::Instant::now();
    rig.sign_in("alice").await;
    assert!(start.elapsed() < s(10));
    assert_eq!(first.end().await.1, s(0), "the longest idle one was closed first");
    let newest = crowd.last_mut().unwrap();
    newest.send("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n").await;
    assert_eq!(newest.answer().await.status, 200, "the newest one was not");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_does_not_read_holds_up_nobody() {
    let rig = Rig::start();
    let mut deaf = rig.wire().await;
    deaf.send("GET /v1/events HTTP/1.1\r\nhost: brokerd\r\n\r\n").await;
    for _ in 0..150 {
        let mut call = rig.call(&TokenRequest { timeout: Some(1), ..interactive() });
        call.prompt().await;
        call.failure().await;
    }
    rig.sign_in("alice").await;
    rig.token(&never()).await;
    assert_well(&rig).await;
}
