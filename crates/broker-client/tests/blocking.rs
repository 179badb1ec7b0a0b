//! The blocking client against a scripted daemon.
#![cfg(all(unix, feature = "blocking"))]

mod support;

use broker_client::blocking::Client;
use broker_client::{ClientError, Endpoint, ErrorCode, Event, TokenEvent, TokenRequest};
use secrecy::ExposeSecret;
use support::{GREASE, Server, TOKEN, failure, json, open_stream, prompt, stream};

fn ask(server: &Server) -> (Result<String, ClientError>, Vec<String>) {
    let client = Client::new(server.endpoint());
    let mut prompts = Vec::new();
    let token = client.access_token(&TokenRequest::default(), |p| prompts.push(p.id.clone()));
    (token.map(|token| token.access_token.expose_secret().to_owned()), prompts)
}

#[test]
fn a_token_at_hand_comes_at_once() {
    let server = Server::start(vec![vec![json(200, TOKEN)]]);
    let (token, prompts) = ask(&server);
    assert_eq!((token.unwrap().as_str(), prompts.len()), ("at-1", 0));
    assert_eq!(server.requests(), ["post /v1/token {}"]);
}

#[test]
fn prompts_come_before_the_token_and_grease_is_ignored() {
    let server = Server::start(vec![vec![stream(&[GREASE, &prompt("p1"), "", GREASE, &prompt("p2"), TOKEN])]]);
    let (token, prompts) = ask(&server);
    assert_eq!(token.unwrap(), "at-1");
    assert_eq!(prompts, ["p1", "p2"]);
}

#[test]
fn failures_are_what_the_daemon_said() {
    for code in ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::ShuttingDown) {
        let answers = [
            json(code.status(), &failure(code.as_str())),
            stream(&[&failure(code.as_str()).replacen('{', r#"{"event":"error","#, 1)]),
        ];
        for answer in answers {
            let server = Server::start(vec![vec![answer]]);
            let error = ask(&server).0.unwrap_err();
            assert_eq!((error.code(), error.exit_code()), (*code, code.exit_code()));
        }
    }
}

#[test]
fn a_lost_wait_is_taken_up_again_and_its_prompt_told_once() {
    let leaving = failure("shutting_down").replacen('{', r#"{"event":"error","#, 1);
    let server = Server::start(vec![
        vec![open_stream(&[&prompt("p1")])],
        vec![stream(&[&prompt("p1"), &leaving])],
        vec![json(503, &failure("shutting_down"))],
        vec![stream(&[&prompt("p1"), &prompt("p2"), TOKEN])],
    ]);
    let (token, prompts) = ask(&server);
    assert_eq!(token.unwrap(), "at-1");
    assert_eq!(prompts, ["p1", "p2"]);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn one_connection_serves_many_calls_and_a_closed_one_is_replaced() {
    let empty = || json(200, r#"{"accounts":[],"new":1}"#);
    let server = Server::start(vec![vec![empty(), json(404, &failure("not_found")), empty()], vec![empty()]]);
    let client = Client::new(server.endpoint());
    client.accounts().unwrap();
    assert_eq!(client.sign_out("a/b").unwrap_err().code(), ErrorCode::NotFound);
    client.accounts().unwrap();
    client.accounts().unwrap();
    let requests = server.requests();
    assert_eq!(requests[1], "delete /v1/accounts/a%2fb");
    assert_eq!(requests.len(), 4);
}

#[test]
fn clones_share_the_connection() {
    let empty = || json(200, r#"{"accounts":[]}"#);
    let server = Server::start(vec![vec![empty(), empty()]]);
    let client = Client::new(server.endpoint());
    client.clone().accounts().unwrap();
    client.accounts().unwrap();
    assert_eq!(server.requests().len(), 2);
}

/// The second time it would not find what it has removed.
#[test]
fn what_removes_is_not_asked_for_twice_unless_nobody_heard_it() {
    let empty = || json(200, r#"{"accounts":[]}"#);
    let server = Server::start(vec![vec![empty(), String::new()], vec![empty()]]);
    let client = Client::new(server.endpoint());
    client.accounts().unwrap();
    let error = client.sign_out("a").unwrap_err();
    assert!(matches!(error, ClientError::Io(_)), "{error}");
    client.accounts().unwrap();
    assert_eq!(server.requests(), ["get /v1/accounts", "delete /v1/accounts/a", "get /v1/accounts"]);

    let server = Server::start(vec![vec![empty()], vec![json(204, "")]]);
    let client = Client::new(server.endpoint());
    client.accounts().unwrap();
    server.closed();
    client.cancel_prompt("p").unwrap();
    assert_eq!(server.requests(), ["get /v1/accounts", "delete /v1/prompts/p"]);
}

#[test]
fn nobody_there_is_said_at_once() {
    let root = tempfile::tempdir().unwrap();
    let client = Client::new(Endpoint::from_path(root.path().join("none")));
    let error = client.access_token(&TokenRequest::default(), |_| {}).unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
    assert_eq!(error.exit_code(), 7);
}

#[test]
fn garbage_is_not_tried_again() {
    for answer in [json(200, "{}"), "SSH-2.0-x\r\n\r\n".to_owned(), json(500, "<html>")] {
        let server = Server::start(vec![vec![answer]]);
        let error = ask(&server).0.unwrap_err();
        assert!(matches!(error, ClientError::Protocol(_)), "{error}");
    }
}

#[test]
fn login_ends_with_who_signed_in() {
    let end = r#"{"event":"signed_in","account":{"id":"x","username":"ada"},"profile":"work"}"#;
    let server = Server::start(vec![vec![stream(&[&prompt("p1"), end])]]);
    let client = Client::new(server.endpoint());
    let mut events = client.login(&TokenRequest::default());
    assert!(matches!(events.next(), Some(Ok(TokenEvent::DevicePrompt(_)))));
    assert!(matches!(events.next(), Some(Ok(TokenEvent::SignedIn { .. }))));
    assert!(events.next().is_none());
    assert_eq!(server.requests(), ["post /v1/login {}"]);
}

#[test]
fn the_daemons_events_are_followed_to_its_end() {
    let ended = r#"{"event":"prompt_ended","id":"p1","outcome":"signed_in"}"#;
    let server = Server::start(vec![vec![stream(&[GREASE, ended])], vec![open_stream(&[ended])]]);
    let client = Client::new(server.endpoint());
    let events: Vec<_> = client.events().unwrap().collect();
    assert!(matches!(&events[..], [Ok(Event::PromptEnded { .. })]), "{events:?}");
    let events: Vec<_> = client.events().unwrap().collect();
    assert!(matches!(&events[..], [Ok(Event::PromptEnded { .. }), Err(_)]), "{events:?}");
}
