//! A request for a token at hand that comes in one piece is answered without hyper. Nobody may be able to tell.

use broker_client::TokenRequest;
use support::rig::{Answer, Rig, never, s, scopes};

/// The same request in one piece, and in two, which is hyper's to read.
async fn both(rig: &Rig, request: &str) -> [Answer; 2] {
    let whole = rig.raw(request).await;
    let mut wire = rig.wire().await;
    let (first, rest) = request.split_at(10);
    wire.send(first).await;
    rig.pass(s(1)).await;
    wire.send(rest).await;
    [whole, wire.answer().await]
}

/// The lines of a head, sorted, without the date: on a paused clock hyper has another.
fn lines(answer: &Answer) -> Vec<&str> {
    let mut lines: Vec<_> = answer.head.lines().filter(|line| !line.starts_with("date: ")).collect();
    lines.sort_unstable();
    lines
}

fn date(answer: &Answer) -> Option<&str> {
    answer.head.lines().find_map(|line| line.strip_prefix("date: "))
}

/// The audit lines, without the time.
fn audit(rig: &Rig) -> Vec<String> {
    let log = rig.log();
    let lines = log.lines().filter_map(|line| line.split_once("INFO brokerd::audit:"));
    lines.map(|(_, line)| line.to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_the_same_byte_for_byte() {
    let rig = Rig::start();
    let account = rig.sign_in("alice").await.account;
    let extra = TokenRequest { interaction: None, ..scopes(&["extra"]) };
    rig.sign_in_with(&extra, "alice").await;
    let body = |request: &TokenRequest| serde_json::to_string(request).unwrap();
    for request in [
        never(),
        TokenRequest::default(),
        TokenRequest { account: Some(account.username.to_uppercase()), ..never() },
        TokenRequest { profile: Some("work".into()), scopes: vec!["extra".into()], ..never() },
        TokenRequest { min_validity: Some(60), timeout: Some(0), ..never() },
        TokenRequest { include: vec![broker_client::Include::IdToken], ..never() },
    ] {
        let post = rig.post("/v1/token", &body(&request));
        for post in [post.replace("\r\ncontent-type", "\r\nConnection: close\r\ncontent-type"), post] {
            let before = audit(&rig).len();
            let [plain, hypers] = both(&rig, &post).await;
            assert_eq!(plain.status, 200, "{post}");
            assert_eq!((lines(&plain), &plain.body), (lines(&hypers), &hypers.body), "{post}");
            assert_ne!(date(&plain), date(&hypers), "the first was hyper's as well: {post}");
            assert!(date(&plain).is_some_and(|date| date.ends_with(" gmt")), "{plain:?}");
            let lines = audit(&rig);
            assert_eq!(lines.len() - before, 2, "{post}");
            assert_eq!(lines[before], lines[before + 1], "{post}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_granted_at_once_is_answered_as_ever() {
    let rig = Rig::start();
    let nobody = rig.post("/v1/token", &serde_json::to_string(&never()).unwrap());
    let mut before = 0;
    for (request, status) in [
        (nobody.clone(), 401),
        (rig.post("/v1/token", "{\"profil\":1}"), 400),
        (rig.post("/v1/token", "{\"profile\":\"none\",\"interaction\":\"never\"}"), 404),
        (nobody.replace("host: brokerd", "host: evil.example"), 403),
        (nobody.replace("application/json", "text/plain"), 400),
        (format!("{nobody}{nobody}"), 400),
        (format!("\r\n\r\n{nobody}"), 400),
    ] {
        let [whole, parts] = both(&rig, &request).await;
        assert_eq!((whole.status, parts.status), (status, status), "{request}: {whole:?} {parts:?}");
        assert_eq!((lines(&whole), &whole.body), (lines(&parts), &parts.body), "{request}");
        let lines = audit(&rig);
        assert_eq!(lines.len() - before, 2, "one line each: {lines:#?}");
        before = lines.len();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_goes_on_from_one_kind_to_the_other() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let token = rig.post("/v1/token", "{}");
    let status = "GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n";
    let mut wire = rig.wire().await;
    for request in [&token, status, &token, &token, status, status, &token] {
        rig.pass(s(59)).await;
        wire.send(request).await;
        assert_eq!(wire.answer().await.status, 200);
    }
    assert_eq!(wire.end().await, (String::new(), s(60)), "a plain request begins the minute anew as well");

    let mut wire = rig.wire().await;
    wire.send(token.replace("\r\ncontent-type", "\r\nConnection: close\r\ncontent-type")).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.end().await, (String::new(), s(0)), "the last one");
}

/// A caller leaves by its end, or by more than its request (`docs/PROTOCOL.md`).
#[tokio::test(start_paused = true)]
async fn who_has_left_with_the_request_is_given_nothing() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let before = audit(&rig);
    let token = rig.post("/v1/token", "{}");
    let mut wire = rig.wire().await;
    wire.send(&token).await;
    wire.half_close().await;
    assert_eq!(wire.end().await, (String::new(), s(0)), "the end came with it");
    assert_eq!(audit(&rig), before);

    // The first one fills what is read at first.
    let agent =
        format!("\r\nuser-agent: {}\r\ncontent-type", "a".repeat(1024 - token.len() - "\r\nuser-agent: ".len()));
    let first = token.replace("\r\ncontent-type", &agent);
    assert_eq!(first.len(), 1024);
    let mut wire = rig.wire().await;
    wire.send(format!("{first}{token}")).await;
    let (text, _) = wire.end().await;
    assert!(text.starts_with("HTTP/1.1 400") && text.matches("HTTP/1.1").count() == 1, "{text}");
    assert_eq!(rig.raw(&first).await.status, 200);
}

/// What is left of a refused request must not be taken for another.
#[tokio::test(start_paused = true)]
async fn the_body_of_a_refused_request_is_no_request() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let inner = rig.post("/v1/token", "{}");
    let rest = format!("{}{inner}", "x".repeat(2000 - inner.len()));
    for (head, status) in [
        ("host: brokerd\r\norigin: https://evil.example\r\ncontent-length: 2000\r\n", 403),
        ("host: evil.example\r\ncontent-length: 2000\r\n", 403),
        ("host: evil.example\r\nexpect: 100-continue\r\ncontent-length: 2000\r\n", 403),
        ("host: evil.example\r\ntransfer-encoding: chunked\r\n", 403),
        ("host: brokerd\r\ncontent-length: 70000\r\n", 413),
    ] {
        let head = format!("POST /v1/token HTTP/1.1\r\ncontent-type: application/json\r\n{head}");
        // As far as what is read at first, or to the end of the head; then what could be a request.
        let pad = format!("x: {}\r\n\r\n", "a".repeat(1024 - head.len() - "x: \r\n\r\n".len()));
        for (first, rest) in
            [(format!("{head}{pad}"), inner.as_str()), (format!("{head}\r\n"), &inner), (format!("{head}\r\n"), &rest)]
        {
            for together in [true, false] {
                let mut wire = rig.wire().await;
                if together {
                    wire.try_send(format!("{first}{rest}")).await;
                } else {
                    wire.try_send(&first).await;
                    rig.pass(std::time::Duration::from_millis(1)).await;
                    wire.try_send(rest).await;
                }
                let (text, took) = wire.end().await;
                assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{first}: {text}");
                assert_eq!(text.matches("HTTP/1.1").count(), 1, "{first}: {text}");
                assert_eq!(took, s(0), "{first}: {text}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_late_arrives_whole() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let token = rig.post("/v1/token", "{}");
    let mut wire = rig.narrow_wire(64).await;
    for late in [0, 20, 59] {
        wire.send(&token).await;
        rig.pass(s(late)).await;
        assert!(wire.answer().await.json()["access_token"].is_string(), "{late} s late");
    }
    wire.send(&token).await;
    rig.pass(s(61)).await;
    let (cut, took) = wire.end().await;
    assert!(cut.len() <= 64 && took == s(0), "whoever does not read for a minute has left");
}
