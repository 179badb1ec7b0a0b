//! The async client against a scripted daemon, and over an in-memory connection.
#![cfg(all(unix, feature = "async"))]

mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_client::{Client, ClientError, Endpoint, ErrorCode, Event, TokenEvent, TokenRequest};
use secrecy::ExposeSecret;
use support::{GREASE, Server, TOKEN, failure, json, open_stream, prompt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

async fn ask(client: &Client) -> (Result<String, ClientError>, Vec<String>) {
    let mut prompts = Vec::new();
    let token = client.access_token(&TokenRequest::default(), |p| prompts.push(p.id.clone())).await;
    (token.map(|token| token.access_token.expose_secret().to_owned()), prompts)
}

#[tokio::test]
async fn prompts_come_before_the_token_and_grease_is_ignored() {
    let server = Server::start(vec![vec![stream(&[GREASE, &prompt("p1"), &prompt("p2"), TOKEN])]]);
    let (token, prompts) = ask(&Client::new(server.endpoint())).await;
    assert_eq!(token.unwrap(), "at-1");
    assert_eq!(prompts, ["p1", "p2"]);
    assert_eq!(server.requests(), ["post /v1/token {}"]);
}

#[tokio::test]
async fn failures_are_what_the_daemon_said() {
    for code in [ErrorCode::InteractionRequired, ErrorCode::Throttled, ErrorCode::NotFound] {
        let server = Server::start(vec![vec![json(code.status(), &failure(code.as_str()))]]);
        assert_eq!(ask(&Client::new(server.endpoint())).await.0.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_lost_wait_is_taken_up_again_and_its_prompt_told_once() {
    let leaving = failure("shutting_down").replacen('{', r#"{"event":"error","#, 1);
    let server = Server::start(vec![
        vec![open_stream(&[&prompt("p1")])],
        vec![stream(&[&prompt("p1"), &leaving])],
        vec![json(503, &failure("shutting_down"))],
        vec![stream(&[&prompt("p1"), &prompt("p2"), TOKEN])],
    ]);
    let (token, prompts) = ask(&Client::new(server.endpoint())).await;
    assert_eq!(token.unwrap(), "at-1");
    assert_eq!(prompts, ["p1", "p2"]);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn one_connection_serves_many_calls_and_a_closed_one_is_replaced() {
    let empty = || json(200, r#"{"accounts":[],"new":1}"#);
    let server = Server::start(vec![vec![empty(), json(200, TOKEN), empty()], vec![empty()]]);
    let client = Client::new(server.endpoint());
    client.accounts().await.unwrap();
    ask(&client).await.0.unwrap();
    client.accounts().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!(server.requests().len(), 4);
}

/// The second time it would not find what it has removed.
#[tokio::test]
async fn what_removes_is_not_asked_for_twice_unless_nobody_heard_it() {
    let empty = || json(200, r#"{"accounts":[]}"#);
    let server = Server::start(vec![vec![empty(), String::new()], vec![empty()]]);
    let client = Client::new(server.endpoint());
    client.accounts().await.unwrap();
    let error = client.sign_out("a").await.unwrap_err();
    assert!(matches!(error, ClientError::Io(_)), "{error}");
    client.accounts().await.unwrap();
    assert_eq!(server.requests(), ["get /v1/accounts", "delete /v1/accounts/a", "get /v1/accounts"]);

    let server = Server::start(vec![vec![empty()], vec![json(204, "")]]);
    let client = Client::new(server.endpoint());
    client.accounts().await.unwrap();
    server.closed();
    client.cancel_prompt("p").await.unwrap();
    assert_eq!(server.requests(), ["get /v1/accounts", "delete /v1/prompts/p"]);
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    let root = tempfile::tempdir().unwrap();
    let client = Client::new(Endpoint::from_path(root.path().join("none")));
    let error = ask(&client).await.0.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
}

#[tokio::test]
async fn the_daemons_events_are_followed() {
    let ended = r#"{"event":"prompt_ended","id":"p1","outcome":"signed_in"}"#;
    let server = Server::start(vec![vec![stream(&[GREASE, ended])]]);
    let client = Client::new(server.endpoint());
    let mut events = client.events().await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::PromptEnded { .. }))));
    assert!(events.next().await.is_none());
}

/// A client over an in-memory connection, and the daemon's end of it.
fn in_memory() -> (Client, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let ours = Arc::new(Mutex::new(Some(ours)));
    let client = Client::with_connector(move || {
        let taken = ours.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { taken.ok_or_else(|| std::io::ErrorKind::ConnectionRefused.into()) }
    });
    (client, theirs)
}

/// Reads the request, then answers it.
async fn answer(daemon: &mut DuplexStream, text: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"{}") {
        request.push(daemon.read_u8().await.unwrap_or_default());
    }
    daemon.write_all(text.as_bytes()).await.unwrap_or_default();
}

#[tokio::test]
async fn leaving_closes_the_connection() {
    let (client, mut daemon) = in_memory();
    let mut events = client.token(&TokenRequest::default());
    let text = open_stream(&[&prompt("p1")]);
    let (event, ()) = tokio::join!(events.next(), answer(&mut daemon, &text));
    assert!(matches!(event, Some(Ok(TokenEvent::DevicePrompt(_)))));
    drop(events);
    assert_eq!(daemon.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection_before_any_answer() {
    let (client, mut daemon) = in_memory();
    let mut byte = [0];
    tokio::select! {
        biased;
        _ = ask(&client) => panic!("nobody answered"),
        read = daemon.read_exact(&mut byte) => drop(read.unwrap()),
    }
    let mut rest = Vec::new();
    daemon.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"{}"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_by_its_deadline_and_a_prompt_lengthens_it() {
    let started = tokio::time::Instant::now();
    let (client, _silent) = in_memory();
    assert!(matches!(ask(&client).await.0, Err(ClientError::Timeout)));
    assert_eq!(started.elapsed().as_secs(), 65);

    let started = tokio::time::Instant::now();
    let (client, mut daemon) = in_memory();
    let text = open_stream(&[&prompt("p1")]);
    let ((token, prompts), ()) = tokio::join!(ask(&client), answer(&mut daemon, &text));
    assert!(matches!(token, Err(ClientError::Timeout)));
    assert_eq!(prompts, ["p1"]);
    assert_eq!(started.elapsed().as_secs(), 905);
}

#[tokio::test(start_paused = true)]
async fn another_call_ends_by_the_time_that_was_said() {
    for (said, seconds) in [(None, 60), (Some(Duration::from_secs(5)), 5)] {
        let started = tokio::time::Instant::now();
        let (client, _silent) = in_memory();
        let client = match said {
            Some(said) => client.with_call_timeout(said),
            None => client,
        };
        assert!(matches!(client.status().await, Err(ClientError::Timeout)));
        assert!(matches!(client.clone().events().await, Err(ClientError::NotRunning { .. })));
        assert_eq!(started.elapsed().as_secs(), seconds);
    }
    let (client, mut daemon) = in_memory();
    let client = client.with_call_timeout(Duration::MAX);
    drop(tokio::join!(client.status(), async { daemon.shutdown().await }));
    let endpoint = Endpoint::from_path("/run/x");
    assert_eq!(Client::new(endpoint.clone()).endpoint(), &endpoint);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stays_away_is_given_up() {
    let started = tokio::time::Instant::now();
    let (client, mut daemon) = in_memory();
    let mut events = client.token(&TokenRequest::default());
    let text = open_stream(&[&prompt("p1")]);
    let (event, ()) = tokio::join!(events.next(), answer(&mut daemon, &text));
    event.unwrap().unwrap();
    drop(daemon);
    let error = events.next().await.unwrap().unwrap_err();
    assert!(matches!(error, ClientError::Gone) && error.code() == ErrorCode::NotRunning, "{error}");
    assert_eq!(started.elapsed().as_secs(), 30);
    assert!(events.next().await.is_none());
}
