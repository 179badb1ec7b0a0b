//! Accepting clients, and the time and room each of them gets.
//!
//! hyper's own header timeout counts the idle time between requests as well, so the deadlines are kept here: a
//! connection is idle, receiving a request, or being served, and each has its limit.

mod connection;
mod fairness;
pub mod restricted;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_ipc::listen::Listener;
use broker_ipc::peer::Peer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use self::connection::Served;
pub use self::connection::State;
use self::fairness::{Holder, Tally, Verdict, judge};
use crate::audit::Client;
use crate::broker::Broker;

/// How many clients, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, on all sockets together. When one more comes, the longest idle one goes; where none is, one of the
    /// process that holds the most.
    pub connections: usize,
    /// From the first byte of a request to its end.
    pub request: Duration,
    /// Without a byte between requests.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 16_384, request: Duration::from_secs(5), idle: Duration::from_secs(60) }
    }
}

/// Connections at once on one restricted socket, where descriptors are not short.
const RESTRICTED: usize = 256;

impl Limits {
    /// Those of the user's own endpoint beside so many restricted sockets: what these leave, and half at the least.
    fn own(self, sockets: usize) -> Self {
        let theirs = self.restricted(sockets).connections * sockets;
        Self { connections: self.connections.saturating_sub(theirs).max(self.connections.div_ceil(2)), ..self }
    }

    /// Those of one of so many restricted sockets: together a quarter of all at the most, and one for each.
    fn restricted(self, sockets: usize) -> Self {
        Self { connections: (self.connections / 4 / sockets.max(1)).clamp(1, RESTRICTED), ..self }
    }
}

/// Clients that are told why they are refused, at once.
const MAX_REFUSED: usize = 16;

/// Where clients come from.
pub enum Door {
    /// The endpoint.
    Socket(Box<Listener>),
    /// In-memory connections, for tests: each is this user's.
    Memory(mpsc::Receiver<DuplexStream>),
}

/// What a client whose user is not ours is told, before a byte of it is read.
const FORBIDDEN: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 75\r\nconnection: close\r\n\r\n\
{\"error\":\"forbidden\",\"error_description\":\"this brokerd is another user's\"}\n";

/// What a client is told whose process holds the most connections when all are taken.
const FULL: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: 156\r\nconnection: close\r\n\r\n\
{\"error\":\"throttled\",\"error_description\":\"all of brokerd's connections are taken, most of them by this process\",\
\"hint\":\"close some of them, and ask again\"}\n";

/// After this many microscopic disasters (no descriptors left) accepting rests a little.
const REST: Duration = Duration::from_millis(100);

/// Serves clients until the broker stops; requests under way then are finished by its tasks.
pub async fn serve(broker: Arc<Broker>, mut door: Door, limits: Limits) {
    let connections = Arc::new(Connections::default());
    let mut strangers = Tally::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = broker.stop.cancelled() => return,
            () = broker.accepting.beat() => continue,
            accepted = accept(&mut door) => accepted,
        };
        let limits = limits.own(broker.sockets.borrow().len());
        match accepted {
            Ok(Accepted::Socket(stream, peer)) if peer.same_user => {
                connections.welcome(&broker, stream, Client::new(peer), limits).await;
            }
            Ok(Accepted::Socket(stream, peer)) => {
                if let Some(times) = strangers.count() {
                    tracing::warn!(uid = peer.uid, pid = peer.pid, times, "another user's client refused");
                }
                connections.refuse_softly(&broker, stream, FORBIDDEN);
            }
            Ok(Accepted::Memory(stream)) => {
                let peer = Peer { uid: None, pid: None, same_user: true };
                connections.welcome(&broker, stream, Client::new(peer), limits).await;
            }
            Ok(Accepted::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                connections.shrink();
                tokio::time::sleep(REST).await;
            }
        }
    }
}

enum Accepted {
    Socket(broker_ipc::listen::Stream, Peer),
    Memory(DuplexStream),
    Closed,
}

async fn accept(door: &mut Door) -> io::Result<Accepted> {
    match door {
        Door::Socket(listener) => listener.accept().await.map(|(stream, peer)| Accepted::Socket(stream, peer)),
        Door::Memory(streams) => Ok(streams.recv().await.map_or(Accepted::Closed, Accepted::Memory)),
    }
}

/// Tells a client why not. What it sends is read and thrown away until it leaves, or it might find the connection broken
/// while it still writes, and never look at the answer.
async fn refuse<S>(mut stream: S, answer: &[u8], _permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let told = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    drop(tokio::time::timeout(Duration::from_secs(1), told).await);
}

/// The connections of one door.
struct Connections {
    open: Mutex<Open>,
    left: tokio::sync::Notify,
    refused: Arc<Semaphore>,
    /// The door closes, with everybody who came through it.
    close: CancellationToken,
}

impl Default for Connections {
    fn default() -> Self {
        let refused = Arc::new(Semaphore::new(MAX_REFUSED));
        Self { open: Mutex::default(), left: tokio::sync::Notify::new(), refused, close: CancellationToken::new() }
    }
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connection>,
    tally: Tally,
}

struct Connection {
    holder: Holder,
    state: Arc<State>,
    close: CancellationToken,
}

impl Connections {
    /// Serves a client; makes room first, or waits for it. One whose process holds the most when there is none is refused.
    async fn welcome<S>(self: &Arc<Self>, broker: &Arc<Broker>, stream: S, client: Client, limits: Limits)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let holder = Holder(client.peer.pid);
        while self.count() >= limits.connections {
            if !self.make_room(Some(holder), limits.connections) {
                return self.refuse_softly(broker, stream, FULL);
            }
            tokio::select! {
                () = self.left.notified() => {}
                () = broker.accepting.beat() => {}
                () = broker.stop.cancelled() => return,
                () = self.close.cancelled() => return,
            }
        }
        let (state, close) = (Arc::new(State::new()), self.close.child_token());
        let id = self.enter(Connection { holder, state: Arc::clone(&state), close: close.clone() });
        let connections = Arc::clone(self);
        let served = Served { broker: Arc::clone(broker), client: Arc::new(client), state, close, limits };
        broker.tasks.spawn(async move {
            served.serve(stream).await;
            connections.leave(id);
        });
    }

    /// Tells a client why not, unless there are too many to be told.
    fn refuse_softly<S>(&self, broker: &Broker, stream: S, answer: &'static [u8])
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        if let Ok(permit) = Arc::clone(&self.refused).try_acquire_owned() {
            broker.tasks.spawn(refuse(stream, answer, permit));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> usize {
        self.lock().connections.len()
    }

    fn enter(&self, connection: Connection) -> u64 {
        let mut open = self.lock();
        open.next += 1;
        let id = open.next;
        open.connections.insert(id, connection);
        id
    }

    fn leave(&self, id: u64) {
        self.lock().connections.remove(&id);
        self.left.notify_one();
    }

    /// Closes the connection that has been idle longest or, if none is, one that [must give way](fairness), unless fewer than
    /// `most` are to stay anyway. `false` if it is the newcomer that must.
    fn make_room(&self, newcomer: Option<Holder>, most: usize) -> bool {
        let open = &mut *self.lock();
        let staying = open.connections.iter().filter(|(_, connection)| !connection.close.is_cancelled());
        if staying.clone().count() < most {
            return true;
        }
        let idle =
            staying.clone().filter_map(|(id, connection)| Some((connection.state.idle_since()?, id, connection)));
        if let Some((.., longest)) = idle.min_by_key(|(since, id, _)| (*since, *id)) {
            longest.close.cancel();
            return true;
        }
        match judge(staying.map(|(id, connection)| (connection.holder, *id)), newcomer) {
            Verdict::Newest(id, holder) => {
                open.tally.gave_way(holder);
                open.connections[&id].close.cancel();
            }
            Verdict::Newcomer(holder) => {
                open.tally.gave_way(holder);
                return false;
            }
            Verdict::Nobody => {}
        }
        true
    }

    /// Makes room because the process has no descriptor left.
    fn shrink(&self) {
        self.make_room(None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restricted_sockets_and_the_users_own_endpoint_share_the_descriptors() {
        for (all, sockets, own, each) in [
            (16_384, 0, 16_384, 256),
            (16_384, 2, 15_872, 256),
            (16_384, 100, 12_384, 40),
            (960, 1, 720, 240),
            (960, 3, 720, 80),
            (36, 2, 28, 4),
            (16, 3, 13, 1),
            // More of them than can be served: the user's own endpoint has its half.
            (16, 12, 8, 1),
        ] {
            let limits = Limits { connections: all, ..Limits::default() };
            let got = (limits.own(sockets).connections, limits.restricted(sockets).connections);
            assert_eq!(got, (own, each), "{all} connections, {sockets} sockets");
        }
    }

    #[test]
    fn a_refusal_is_as_long_as_it_says() {
        for answer in [FORBIDDEN, FULL] {
            let (head, body) = std::str::from_utf8(answer).unwrap().split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
            serde_json::from_str::<broker_ipc::error::ErrorBody>(body).unwrap();
        }
    }
}
