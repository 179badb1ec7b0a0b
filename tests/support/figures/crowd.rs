//! Clients in numbers, who write their bytes themselves.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{self, Instant};

use super::Set;
use crate::fake_as::Grant;

const ASK: &[u8] = b"POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\n\
    content-length: 23\r\n\r\n{\"interaction\":\"never\"}";
const FORCE: &[u8] = b"POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\n\
    content-length: 44\r\n\r\n{\"interaction\":\"never\",\"force_refresh\":true}";

/// A kept connection.
pub struct Kept {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Kept {
    pub(super) async fn connect(socket: &Path) -> anyhow::Result<Self> {
        let start = Instant::now();
        loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => return Ok(Self { stream, buffer: Vec::with_capacity(4096) }),
                // The backlog is full (EAGAIN): as the client does, a little later.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && start.elapsed().as_secs() < 30 => {
                    time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => return Err(error).context("connecting"),
            }
        }
    }

    /// Sends a request for a token, for a new one if that is wanted.
    pub async fn send(&mut self, new: bool) -> anyhow::Result<()> {
        Ok(self.stream.write_all(if new { FORCE } else { ASK }).await?)
    }

    /// Sends half a request.
    pub(super) async fn begin(&mut self) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&ASK[..ASK.len() - 4]).await?)
    }

    /// Reads an answer, and returns its status.
    pub async fn receive(&mut self) -> anyhow::Result<u16> {
        self.buffer.clear();
        loop {
            if let Some(status) = whole(&self.buffer)? {
                return Ok(status);
            }
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection ended");
        }
    }

    /// Asks, and returns the status.
    pub async fn ask(&mut self, new: bool) -> anyhow::Result<u16> {
        self.send(new).await?;
        self.receive().await
    }
}

/// The status of an answer that is there in full.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<u16>> {
    let text = std::str::from_utf8(bytes)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.context("an answer with a length")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a status")?;
    Ok((body.len() >= length).then_some(status))
}

/// Callers who all wait for one refresh; returns how many refreshes that took.
pub async fn wait_for_one_refresh(set: &Set, callers: usize) -> anyhow::Result<usize> {
    let before = set.server.count(Grant::RefreshToken);
    let gate = set.server.hold(Grant::RefreshToken);
    let mut waiting = Vec::with_capacity(callers);
    for _ in 0..callers {
        let mut client = set.connect().await?;
        client.send(true).await?;
        waiting.push(client);
    }
    gate.arrived().await;
    all_wait(set, callers).await?;
    gate.open();
    for client in &mut waiting {
        let status = client.receive().await?;
        ensure!(status == 200, "status {status}");
    }
    Ok(set.server.count(Grant::RefreshToken) - before)
}

/// Waits until the daemon counts all of them at what is in the air. Whoever asks for a new token when that has landed is right to
/// get another one.
async fn all_wait(set: &Set, callers: usize) -> anyhow::Result<()> {
    let (client, start) = (set.client()?, Instant::now());
    loop {
        let waiters: usize = client.status().await?.flights.iter().map(|flight| flight.waiters).sum();
        if waiters == callers {
            return Ok(());
        }
        ensure!(start.elapsed().as_secs() < 60, "{waiters} of {callers} wait");
        time::sleep(Duration::from_millis(20)).await;
    }
}
