//! The command as scripts see it: stdout, stderr and the exit code, against a scripted daemon.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

const TOKEN: &str = r#"{"event":"token","access_token":"at-1","token_type":"Bearer","expires_on":1,"scope":"a","profile":"work","account":{"id":"x","username":"ada"},"new":1}"#;
const PROMPT: &str = r#"{"event":"device_prompt","id":"p1","user_code":"AB-CD","verification_uri":"https://x.test/d","expires_at":"2026-01-01T00:00:00Z","expires_in":900,"interval":5,"profile":"work","scopes":["a"],"requested_by":{"pid":1,"command":"git"}}"#;

struct Daemon {
    root: tempfile::TempDir,
    listener: UnixListener,
}

impl Daemon {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(root.path().join("s")).unwrap();
        Self { root, listener }
    }

    /// Runs the command while the daemon gives these answers, one a connection; returns its output and the requests.
    fn run(&self, arguments: &[&str], answers: &[String]) -> (Output, String) {
        let command = self.command(arguments).spawn().unwrap();
        let mut requests = String::new();
        for answer in answers {
            let (mut connection, _) = self.listener.accept().unwrap();
            let mut request = [0; 4096];
            let count = connection.read(&mut request).unwrap_or_default();
            requests.push_str(&String::from_utf8_lossy(&request[..count]));
            connection.write_all(answer.as_bytes()).unwrap_or_default();
        }
        (command.wait_with_output().unwrap(), requests)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brokerctl"));
        command
            .args(arguments)
            .env("BROKERD_SOCKET", self.root.path().join("s"))
            .env("LC_ALL", "de_DE.UTF-8")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

fn json(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// A stream that ends with its connection.
fn stream(lines: &[&str]) -> String {
    let body = lines.join("\n");
    format!("HTTP/1.1 202 X\r\ncontent-type: application/x-ndjson\r\n\r\n{body}\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_token_is_all_there_is_on_stdout() {
    let daemon = Daemon::new();
    let (output, request) = daemon.run(&["get-token", "work", "-s", "a"], &[json(200, TOKEN)]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("at-1\n".into(), String::new()));
    assert!(output.status.success());
    assert!(request.ends_with(r#"{"profile":"work","scopes":["a"],"locale":"de-DE"}"#), "{request}");

    let (output, request) = daemon.run(&["get-token", "--no-prompt", "-o", "header"], &[json(200, TOKEN)]);
    assert_eq!(text(&output.stdout), "Authorization: Bearer at-1\n");
    assert!(request.ends_with(r#"{"interaction":"never"}"#), "{request}");

    let (output, _) = daemon.run(&["get-token", "-o", "json"], &[json(200, TOKEN)]);
    assert_eq!(
        text(&output.stdout),
        "{\"access_token\":\"at-1\",\"token_type\":\"Bearer\",\"expires_on\":1,\"scope\":\"a\",\
         \"profile\":\"work\",\"account\":{\"id\":\"x\",\"username\":\"ada\"}}\n"
    );
}

#[test]
fn a_prompt_goes_to_stderr_once_even_if_the_daemon_restarts() {
    let daemon = Daemon::new();
    let answers = [stream(&[PROMPT]), stream(&[PROMPT, TOKEN])];
    let (output, _) = daemon.run(&["get-token"], &answers);
    assert_eq!(text(&output.stdout), "at-1\n");
    let told = text(&output.stderr);
    assert_eq!(told.matches("AB-CD").count(), 1, "{told}");
    assert!(told.starts_with("brokerctl: git (process 1) asks to sign in to work\n"), "{told}");
    assert!(told.ends_with("brokerctl: signed in as ada (work)\n"), "{told}");
}

#[test]
fn a_prompt_for_programs_is_events_and_ends_like_the_answer() {
    const WHO: &str = r#"{"account":{"id":"x","username":"ada"},"event":"signed_in","profile":"work"}"#;
    let daemon = Daemon::new();
    for arguments in [&["get-token", "--prompt", "json"][..], &["get-token", "-o", "json"]] {
        let (output, _) = daemon.run(arguments, &[stream(&[PROMPT, TOKEN])]);
        let told = text(&output.stderr);
        let lines: Vec<&str> = told.lines().collect();
        let [prompt, end] = lines.as_slice() else { panic!("{told}") };
        let prompt: serde_json::Value = serde_json::from_str(prompt).unwrap();
        assert_eq!((prompt["event"].as_str(), prompt["user_code"].as_str()), (Some("device_prompt"), Some("AB-CD")));
        assert_eq!(*end, WHO, "and no token");
        assert!(text(&output.stdout).contains("at-1"));
    }
    let refused = r#"{"event":"error","error":"access_denied","error_description":"declined"}"#;
    for arguments in [&["get-token", "--prompt", "json"][..], &["login", "-o", "json"]] {
        let (output, _) = daemon.run(arguments, &[stream(&[PROMPT, refused])]);
        let told = text(&output.stderr);
        let end: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!((end["error"].as_str(), output.status.code()), (Some("access_denied"), Some(4)));
    }
    // A person who asked for JSON and for plain lines gets both.
    let (output, _) = daemon.run(&["--plain", "get-token", "-o", "json"], &[stream(&[PROMPT, TOKEN])]);
    assert!(text(&output.stderr).contains("go on only if you started this; never enter a code"), "{output:?}");
}

/// Nobody reads stderr, and its pipe is full: the token comes all the same.
#[test]
fn a_full_pipe_does_not_hold_the_answer_up() {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let daemon = Daemon::new();
    let (_unread, mut full) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&full).unwrap();
    fcntl_setfl(&full, flags | OFlags::NONBLOCK).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    while full.write(b"x").is_ok() {}
    fcntl_setfl(&full, flags).unwrap();
    let command = daemon.command(&["get-token"]).stderr(full).spawn().unwrap();
    let (mut connection, _) = daemon.listener.accept().unwrap();
    // An end that leaves with the request unread takes its answer with it.
    let mut request = [0; 4096];
    assert!(connection.read(&mut request).unwrap() > 0);
    connection.write_all(stream(&[PROMPT, TOKEN]).as_bytes()).unwrap();
    drop(connection);
    let output = command.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "at-1\n".into()));
}

#[test]
fn a_daemon_that_is_away_is_told_of() {
    let daemon = Daemon::new();
    let mut command = daemon.command(&["login", "--timeout", "5"]).spawn().unwrap();
    let (mut connection, _) = daemon.listener.accept().unwrap();
    let mut request = [0; 4096];
    assert!(connection.read(&mut request).unwrap() > 0);
    connection.write_all(stream(&[PROMPT]).as_bytes()).unwrap();
    let path = daemon.root.path().join("s");
    std::fs::remove_file(&path).unwrap();
    drop(connection);
    let mut told = String::new();
    let mut stderr = std::io::BufReader::new(command.stderr.take().unwrap());
    while !told.contains("went away") {
        assert!(std::io::BufRead::read_line(&mut stderr, &mut told).unwrap() > 0, "{told}");
    }
    let back = UnixListener::bind(&path).unwrap();
    let (mut connection, _) = back.accept().unwrap();
    assert!(connection.read(&mut request).unwrap() > 0);
    let signed_in = r#"{"event":"signed_in","account":{"id":"x","username":"ada"},"profile":"work"}"#;
    connection.write_all(stream(&[PROMPT, signed_in]).as_bytes()).unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert!(command.wait().unwrap().success());
    assert!(told.ends_with("brokerctl: brokerd is back\nbrokerctl: signed in as ada (work)\n"), "{told}");
}

#[test]
fn failures_have_their_exit_codes_and_shapes() {
    let daemon = Daemon::new();
    let body = r#"{"error":"interaction_required","error_description":"sign in first.","hint":"brokerctl login"}"#;
    let (output, _) = daemon.run(&["get-token", "--no-prompt"], &[json(401, body)]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        text(&output.stderr),
        "brokerctl: sign in first\nhint: brokerctl login\nsee: docs/ERRORS.md#interaction_required\n"
    );
    assert!(output.stdout.is_empty());

    let (output, _) = daemon.run(&["get-token", "-o", "json"], &[json(401, body)]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), format!("{body}\n")));

    let body = r#"{"error":"unsupported_field","error_description":"unknown field `audience`"}"#;
    let (output, _) = daemon.run(&["get-token", "--audience", "x"], &[json(400, body)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hint: restart brokerd"), "{output:?}");

    let (output, _) = daemon.run(&["get-tokn"], &[]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_code_of_a_newer_daemon_is_told_as_it_came_and_ends_by_its_status() {
    let daemon = Daemon::new();
    let body = r#"{"error":"x_grease","error_description":"no"}"#;
    let (output, _) = daemon.run(&["get-token", "-o", "json"], &[json(401, body)]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), format!("{body}\n")));
    let (output, _) = daemon.run(&["get-token"], &[json(504, body)]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(5), "brokerctl: no\n".into()));
}

#[test]
fn no_daemon_is_exit_code_7_with_what_to_do() {
    let daemon = Daemon::new();
    let arguments = ["--socket", "/nonexistent/s", "status"];
    let (output, _) = daemon.run(&arguments, &[]);
    assert_eq!(output.status.code(), Some(7));
    let told = text(&output.stderr);
    assert!(told.starts_with("brokerctl: brokerd is not running"), "{told}");
    assert!(told.lines().nth(1).is_some_and(|line| line.starts_with("hint: check that address")), "{told}");
    let (output, _) = daemon.run(&["--socket", "/nonexistent/s", "accounts", "-o", "json"], &[]);
    assert!(text(&output.stderr).starts_with(r#"{"error":"not_running","#), "{output:?}");
    // At its own place it can be started.
    let mut command = daemon.command(&["status"]);
    command.env_remove("BROKERD_SOCKET").env("XDG_RUNTIME_DIR", daemon.root.path()).env("HOME", daemon.root.path());
    let told = text(&command.output().unwrap().stderr);
    assert!(told.lines().nth(1).is_some_and(|line| line.starts_with("hint: start it with `")), "{told}");
}

#[test]
fn a_reader_that_has_left_is_no_failure() {
    let daemon = Daemon::new();
    let mut command = daemon.command(&["get-token"]).spawn().unwrap();
    drop(command.stdout.take());
    let (mut connection, _) = daemon.listener.accept().unwrap();
    connection.write_all(json(200, TOKEN).as_bytes()).unwrap_or_default();
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_client_secret_goes_from_stdin_to_the_daemon_and_nowhere_else() {
    let daemon = Daemon::new();
    let mut command = daemon.command(&["client-secret", "set", "google"]).stdin(Stdio::piped()).spawn().unwrap();
    command.stdin.take().unwrap().write_all(b"hunter2\r\n").unwrap();
    let (mut connection, _) = daemon.listener.accept().unwrap();
    let mut request = [0; 4096];
    let count = connection.read(&mut request).unwrap();
    connection.write_all(b"HTTP/1.1 204 X\r\n\r\n").unwrap();
    let output = command.wait_with_output().unwrap();
    let request = text(&request[..count]);
    assert!(request.starts_with("PUT /v1/client-secrets/google HTTP/1.1"), "{request}");
    assert!(request.ends_with(r#"{"client_secret":"hunter2"}"#), "{request}");
    assert_eq!(text(&output.stderr), "brokerctl: client secret of google kept\n");
    assert!(output.stdout.is_empty() && output.status.success());

    let command = daemon.command(&["client-secret", "set", "google"]).stdin(Stdio::null()).spawn().unwrap();
    let output = command.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no secret on stdin"), "{output:?}");
}

#[test]
fn extra_parameters_are_sent_as_they_were_written() {
    let daemon = Daemon::new();
    let arguments = ["get-token", "--no-prompt", "--param", "hd=a=b"];
    let (_, request) = daemon.run(&arguments, &[json(200, TOKEN)]);
    assert!(request.contains(r#""extra_parameters":{"hd":"a=b"}"#), "{request}");
}

#[test]
fn signing_out_names_the_account_by_its_id() {
    let daemon = Daemon::new();
    let accounts = r#"{"accounts":[{"id":"x/1","username":"Ada","profile":"work","state":"x_grease"}]}"#;
    let done = r#"{"account":{"id":"x/1","username":"Ada"},"profile":"work","revocation":"revoked"}"#;
    let last = json(200, accounts).replacen("HTTP/1.1 200 X", "HTTP/1.1 200 X\r\nconnection: close", 1);
    let (output, requests) = daemon.run(&["logout", "ada"], &[last, json(200, done)]);
    assert!(requests.contains("DELETE /v1/accounts/x%2F1 HTTP/1.1"), "{requests}");
    assert_eq!(text(&output.stderr), "brokerctl: signed out Ada (work); at the provider: revoked\n");
    assert!(output.stdout.is_empty() && output.status.success());
}

/// An answer with an ID token of that life, after which the next question comes on a connection of its own.
fn with_id_token(iat: i64, exp: i64) -> (String, String) {
    use base64::Engine as _;
    let payload = format!(r#"{{"iat":{iat},"exp":{exp}}}"#);
    let id_token = format!("e30.{}.s", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload));
    let token = TOKEN.replace(r#""new":1"#, &format!(r#""id_token":"{id_token}""#));
    (json(200, &token).replacen("200 X", "200 X\r\nconnection: close", 1), id_token)
}

const LATE: i64 = 4_102_444_800;

#[test]
fn an_id_token_that_is_too_old_is_asked_for_again_once() {
    let daemon = Daemon::new();
    let (old, _) = with_id_token(0, 3600);
    let (new, id_token) = with_id_token(LATE - 3600, LATE);
    let arguments = ["get-token", "--no-prompt", "--id-token"];
    let (output, requests) = daemon.run(&arguments, &[old.clone(), new.clone()]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), (format!("{id_token}\n"), String::new()));
    assert!(requests.contains(r#"{"interaction":"never","include":["id_token"]}"#), "{requests}");
    assert!(requests.ends_with(r#"{"force_refresh":true,"interaction":"never","include":["id_token"]}"#), "{requests}");

    let (output, _) = daemon.run(&arguments, &[new]);
    assert_eq!(text(&output.stdout), format!("{id_token}\n"), "one that lives is served as it is");
    let (output, _) = daemon.run(&[&arguments[..], &["-o", "json"]].concat(), &[old.clone(), old]);
    let both: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(both["access_token"] == "at-1" && both["id_token"].is_string(), "{both}");
}

/// The provider is away, or its refresh brings none: what would do is not lost by that.
#[test]
fn an_id_token_that_still_lives_is_better_than_none() {
    let daemon = Daemon::new();
    let away = json(502, r#"{"error":"provider_unreachable","error_description":"away"}"#);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
    let (soon, id_token) = with_id_token(now - 3500, now + 100);
    for second in [away.clone(), json(200, TOKEN)] {
        let (output, requests) = daemon.run(&["get-token", "--id-token"], &[soon.clone(), second]);
        assert_eq!((text(&output.stdout), text(&output.stderr)), (format!("{id_token}\n"), String::new()));
        assert!(requests.contains(r#""force_refresh":true,"interaction":"never""#), "nobody is asked: {requests}");
    }
    let (output, _) = daemon.run(&["get-token", "--id-token", "--min-validity", "5m"], &[soon, away]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(8), String::new()), "that is asked for");
}

#[test]
fn no_id_token_is_said_with_what_to_do() {
    let daemon = Daemon::new();
    let none = json(200, TOKEN).replacen("200 X", "200 X\r\nconnection: close", 1);
    for form in ["token", "json"] {
        let (output, _) = daemon.run(&["get-token", "--id-token", "-o", form], &[none.clone(), none.clone()]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), String::new()));
        let told = text(&output.stderr);
        assert!(
            told.contains("no ID token with the access token of profile work") && told.contains("openid"),
            "{told}"
        );
    }
}

#[test]
fn a_cluster_is_given_the_id_token_with_its_own_end() {
    let daemon = Daemon::new();
    let (answer, id_token) = with_id_token(LATE - 3600, LATE);
    let arguments = ["helper", "kubernetes", "-p", "work", "--tenant", "guest.example", "--id-token"];
    let (output, request) = daemon.run(&arguments, &[answer]);
    let credential: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({"token": id_token, "expirationTimestamp": "2100-01-01T00:00:00Z"});
    assert_eq!(credential["status"], expected, "{output:?}");
    assert!(request.contains(r#""tenant":"guest.example""#), "{request}");
}

/// Whoever reads events reads each line as one.
#[test]
fn what_is_said_beside_is_an_event_among_events() {
    let daemon = Daemon::new();
    let note = |output: &Output| {
        let told = text(&output.stderr);
        let events = told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{told}")));
        let events: Vec<serde_json::Value> = events.collect();
        assert!(events.len() == 1 && events[0]["event"] == "note", "{told}");
        events[0]["text"].as_str().unwrap().to_owned()
    };
    let short = ["get-token", "--min-validity", "5m"];
    for json_mode in [&["--prompt", "json"][..], &["-o", "json"]] {
        let (output, _) = daemon.run(&[&short[..], json_mode].concat(), &[json(200, TOKEN)]);
        assert_eq!((output.status.code(), note(&output).contains("not for 300")), (Some(0), true), "{output:?}");
    }
    let (output, _) = daemon.run(&short, &[json(200, TOKEN)]);
    assert!(text(&output.stderr).starts_with("brokerctl: the token lives for 0 s"), "{output:?}");

    let kept = "HTTP/1.1 204 X\r\n\r\n".to_owned();
    let mut command = daemon.command(&["--prompt", "json", "client-secret", "set", "google"]);
    let mut command = command.stdin(Stdio::piped()).spawn().unwrap();
    command.stdin.take().unwrap().write_all(b"hunter2").unwrap();
    let (mut connection, _) = daemon.listener.accept().unwrap();
    assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
    connection.write_all(kept.as_bytes()).unwrap();
    assert_eq!(note(&command.wait_with_output().unwrap()), "client secret of google kept");
}

#[test]
fn a_way_to_ask_that_there_is_not_is_said() {
    let daemon = Daemon::new();
    let told = |arguments: &[&str], named: &str| {
        let command = daemon.command(arguments).env("BROKERCTL_PROMPT", named).spawn().unwrap();
        let (mut connection, _) = daemon.listener.accept().unwrap();
        assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
        connection.write_all(json(200, TOKEN).as_bytes()).unwrap();
        let output = command.wait_with_output().unwrap();
        assert_eq!(text(&output.stdout), "at-1\n", "the answer comes all the same");
        text(&output.stderr)
    };
    let why = "brokerctl: BROKERCTL_PROMPT=jsn is none of auto, plain and json: taken for auto\n";
    assert_eq!(told(&["get-token"], "jsn"), why);
    for named in ["", "JSON", "plain", "auto"] {
        assert_eq!(told(&["get-token"], named), "", "{named}");
    }
    assert_eq!(told(&["get-token", "--plain"], "jsn"), "", "what is not heeded is not looked at");
}
