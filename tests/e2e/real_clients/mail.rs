//! curl as a mail client: what it says for a token is what `helper sasl` says.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Desk, command, finish};
use crate::real_parts::skip;
use crate::stage::Stage;

/// An IMAP server that knows one mechanism and lets everybody in, and what it was told.
async fn imap(mechanism: &str) -> Result<(u16, Arc<Mutex<Vec<String>>>, JoinSet<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (port, told) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<String>>>::default());
    let (mut serving, heard) = (JoinSet::new(), Arc::clone(&told));
    let capability = format!("* CAPABILITY IMAP4rev1 SASL-IR AUTH={mechanism}\r\n");
    serving.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (from, mut to) = stream.into_split();
            let mut lines = BufReader::new(from).lines();
            let mut greeting = to.write_all(b"* OK ready\r\n").await;
            while let (Ok(()), Ok(Some(line))) = (&greeting, lines.next_line().await) {
                let (tag, command) = line.split_once(' ').unwrap_or((line.as_str(), ""));
                if let Some(response) = command.strip_prefix("AUTHENTICATE ") {
                    heard.lock().expect("no panic").push(response.to_owned());
                }
                let more = if command == "CAPABILITY" { capability.as_str() } else { "" };
                greeting = to.write_all(format!("{more}{tag} OK done\r\n").as_bytes()).await;
            }
        }
    });
    Ok((port, told, serving))
}

#[tokio::test]
async fn curl_says_the_same_as_the_helper() -> Result<()> {
    if !Path::new("/usr/bin/curl").exists() {
        return skip("real_clients::mail::curl_says_the_same_as_the_helper", "there is no curl");
    }
    let desk = Desk::at(Stage::new().await, "").await;
    for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
        let (port, told, _serving) = imap(mechanism).await?;
        let server = if mechanism == "XOAUTH2" { String::new() } else { format!("--host 127.0.0.1 --port {port}") };
        let ours = desk.stage.ok(&format!("helper sasl --mechanism {} {server}", mechanism.to_lowercase())).await;
        let mut curl = command(&desk.stage, "/bin/sh");
        let brokerctl = support::processes::binaries().brokerctl.display();
        curl.arg("-c").arg(format!(
            "{brokerctl} helper curl | curl --silent --show-error --config - --user alice@example.com --sasl-ir \
             imap://127.0.0.1:{port}/"
        ));
        let output = finish(&desk.stage, curl).await;
        assert_eq!(output.code, Some(0), "{mechanism}: {output:?}");
        let theirs = told.lock().expect("no panic").pop().context("an answer")?;
        assert_eq!(theirs, format!("{mechanism} {}", ours.trim_end()), "{mechanism}");
    }
    Ok(())
}
