//! An HTTP proxy that makes tunnels (RFC 9110 §9.3.6), with a map of its own in place of DNS: it leads an invented name to
//! a server on loopback, which is what no request to this machine itself could prove.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A running proxy; it ends when dropped.
pub struct ConnectProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _end: DropGuard,
}

#[derive(Default)]
struct State {
    /// Where names lead.
    names: Vec<(String, SocketAddr)>,
    /// The `Proxy-Authorization` it insists on.
    authorization: Option<String>,
    /// What it answers to everything.
    refusal: Option<u16>,
    /// Every request's target, served or not.
    asked: Vec<String>,
    tunnels: usize,
}

impl ConnectProxy {
    /// Starts one on a free loopback port.
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let end = CancellationToken::new();
        let state = Arc::new(Mutex::new(State::default()));
        let proxy = Self { address: listener.local_addr()?, state: Arc::clone(&state), _end: end.clone().drop_guard() };
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            let accept = async {
                loop {
                    if let Ok((client, _)) = listener.accept().await {
                        let (state, end) = (Arc::clone(&state), end.clone());
                        tasks.spawn(async move { end.run_until_cancelled(serve(client, state)).await });
                    }
                }
            };
            end.run_until_cancelled(accept).await
        });
        Ok(proxy)
    }

    /// Leads `host:port` to a server.
    pub fn lead(&self, target: &str, server: SocketAddr) {
        self.state().names.push((target.into(), server));
    }

    /// Insists on a user and a password.
    pub fn insist(&self, user: &str, password: &str) {
        self.state().authorization = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    }

    /// Answers with this status from now on; none: makes tunnels again.
    pub fn refuse(&self, status: Option<u16>) {
        self.state().refusal = status;
    }

    /// Returns where it is: `host:port`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Returns the targets it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Returns how many tunnels it has made.
    pub fn tunnels(&self) -> usize {
        self.state().tunnels
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) {
    let Some(head) = head(&mut client).await else { return };
    let decided = state.lock().unwrap_or_else(PoisonError::into_inner).decide(&head);
    let server = match decided {
        Ok(address) => TcpStream::connect(address).await.map_err(|_| 502),
        Err(status) => Err(status),
    };
    let said =
        |status: u16| format!("HTTP/1.1 {status} Said\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n");
    match server {
        Ok(mut server) => {
            state.lock().unwrap_or_else(PoisonError::into_inner).tunnels += 1;
            if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            }
        }
        Err(status) => drop(client.write_all(said(status).as_bytes()).await),
    }
}

impl State {
    fn decide(&mut self, head: &str) -> Result<SocketAddr, u16> {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        self.asked.push(target.to_owned());
        if method != "CONNECT" {
            return Err(405);
        }
        if let Some(status) = self.refusal {
            return Err(status);
        }
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
        };
        if self.authorization.is_some() && head.lines().find_map(header) != self.authorization {
            return Err(407);
        }
        let known = self.names.iter().find(|(name, _)| name == target);
        known.map(|(_, server)| *server).ok_or(502)
    }
}

/// Reads a request's head, and nothing of what comes after it.
async fn head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
        if head.len() > 16 * 1024 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}
