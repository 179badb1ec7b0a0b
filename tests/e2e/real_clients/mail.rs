//! Mail: curl and msmtp say for a token what `helper sasl` says.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use support::processes::{Output, binaries};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Desk, command, daemon, finish, link};
use crate::real_parts::{part, skip};
use crate::stage::Stage;

const MECHANISMS: [&str; 2] = ["XOAUTH2", "OAUTHBEARER"];

/// A mail server that lets everybody in: how it answers, and the SASL responses it was given.
struct MailServer {
    port: u16,
    responses: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

/// What a line is answered with; and whether the next one is a SASL response.
type Answers = fn(line: &str, mechanism: &str) -> (String, bool);

impl MailServer {
    async fn start(greeting: &'static str, answers: Answers, mechanism: &'static str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, responses) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<String>>>::default());
        let (mut serving, heard) = (JoinSet::new(), Arc::clone(&responses));
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (from, mut to) = stream.into_split();
                let mut lines = BufReader::new(from).lines();
                let mut said = to.write_all(greeting.as_bytes()).await;
                let mut is_response = false;
                while let (Ok(()), Ok(Some(line))) = (&said, lines.next_line().await) {
                    // With its command, or on a line of its own (RFC 4954 §4, RFC 4959).
                    let response = line.split_once(&format!("{mechanism} ")).map(|(_, response)| response);
                    if let Some(response) = response.or(is_response.then_some(&*line)) {
                        heard.lock().expect("no panic").push(response.to_owned());
                    }
                    let line = if is_response { "RESPONSE" } else { &line };
                    let (answer, response_is_next) = answers(line, mechanism);
                    is_response = response_is_next;
                    said = to.write_all(answer.as_bytes()).await;
                }
            }
        });
        Ok(Self { port, responses, _serving: serving })
    }

    /// Takes the response that was given last.
    fn response(&self) -> Option<String> {
        self.responses.lock().expect("no panic").pop()
    }
}

fn imap(line: &str, mechanism: &str) -> (String, bool) {
    let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
    let more = if command == "CAPABILITY" {
        format!("* CAPABILITY IMAP4rev1 SASL-IR AUTH={mechanism}\r\n")
    } else {
        String::new()
    };
    (format!("{more}{tag} OK done\r\n"), false)
}

fn smtp(line: &str, mechanism: &str) -> (String, bool) {
    let answer = match line.split(' ').next().unwrap_or_default() {
        "EHLO" => format!("250-here\r\n250 AUTH {mechanism}\r\n"),
        "AUTH" if line.ends_with(mechanism) => return ("334 \r\n".into(), true),
        "AUTH" | "RESPONSE" => "235 welcome\r\n".into(),
        "DATA" => "354 go on\r\n".into(),
        "MAIL" | "RCPT" | "." => "250 good\r\n".into(),
        "QUIT" => "221 bye\r\n".into(),
        // A line of the message.
        _ => String::new(),
    };
    (answer, false)
}

/// What `helper sasl` says for this mechanism at this server.
async fn ours(desk: &Desk, mechanism: &str, server: &MailServer) -> String {
    let at = if mechanism == "XOAUTH2" { String::new() } else { format!("--host 127.0.0.1 --port {}", server.port) };
    let said = desk.stage.ok(&format!("helper sasl --mechanism {} {at}", mechanism.to_lowercase())).await;
    said.trim_end().to_owned()
}

#[tokio::test]
async fn curl_says_the_same_as_the_helper() -> Result<()> {
    if !Path::new("/usr/bin/curl").exists() {
        return skip("real_clients::mail::curl_says_the_same_as_the_helper", "there is no curl");
    }
    let desk = Desk::at(Stage::new().await, "").await;
    for mechanism in MECHANISMS {
        let server = MailServer::start("* OK ready\r\n", imap, mechanism).await?;
        let mut curl = command(&desk.stage, "/bin/sh");
        curl.arg("-c").arg(format!(
            "{} helper curl | curl --silent --show-error --config - --user alice@example.com --sasl-ir imap://127.0.0.1:{}/",
            binaries().brokerctl.display(),
            server.port
        ));
        let output = finish(&desk.stage, curl).await;
        assert_eq!(output.code, Some(0), "{mechanism}: {output:?}");
        let theirs = server.response().context("a response")?;
        assert_eq!(theirs, ours(&desk, mechanism, &server).await, "{mechanism}");
    }
    Ok(())
}

/// Sends a mail whose password is what `brokerctl get-token` prints.
async fn send(stage: &Stage, mechanism: &str, server: &MailServer) -> Result<Output> {
    let config = format!(
        "account default\nhost 127.0.0.1\nport {}\nfrom alice@example.com\nuser alice@example.com\ntls off\nauth {}\n\
         passwordeval \"{} get-token work --no-prompt\"\n",
        server.port,
        mechanism.to_lowercase(),
        binaries().brokerctl.display()
    );
    let config = stage.home.write("msmtprc", config.as_bytes())?;
    let mut sh = command(stage, "/bin/sh");
    sh.arg("-c").arg(format!("echo hello | msmtp --file={} bob@example.com", config.display()));
    Ok(finish(stage, sh).await)
}

#[tokio::test]
async fn msmtp_has_its_password_from_get_token_and_none_without() -> Result<()> {
    let test = "real_clients::mail::msmtp_has_its_password_from_get_token_and_none_without";
    if part("BROKERD_TEST_MSMTP", test)?.is_none() {
        return Ok(());
    }
    let stage = Stage::new().await;
    link(&stage);
    let server = MailServer::start("220 ready\r\n", smtp, MECHANISMS[0]).await?;
    let away = send(&stage, MECHANISMS[0], &server).await?;
    let running = daemon(&stage, "").await;
    let nobody = send(&stage, MECHANISMS[0], &server).await?;
    for (output, why) in [(away, "brokerd is not running"), (nobody, "brokerctl login")] {
        assert!(output.code != Some(0) && output.stderr.contains(why), "{output:?}");
    }
    assert_eq!(server.response(), None);
    drop(running);

    let desk = Desk::at(Stage::new().await, "").await;
    for mechanism in MECHANISMS {
        let server = MailServer::start("220 ready\r\n", smtp, mechanism).await?;
        let output = send(&desk.stage, mechanism, &server).await?;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{mechanism}: {output:?}");
        let theirs = server.response().context("a response")?;
        assert_eq!(theirs, ours(&desk, mechanism, &server).await, "{mechanism}");
    }
    Ok(())
}
