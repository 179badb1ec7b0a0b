//! Accepting clients, and the time and room each of them gets.
//!
//! hyper's own header timeout counts the idle time between requests as well, so the deadlines are kept here: a
//! connection is idle, receiving a request, or being served, and each has its limit.

mod connection;
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
use crate::audit::Client;
use crate::broker::Broker;

/// How many clients, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; the longest idle one goes when one more comes.
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

/// Other users' clients that are told why they are refused, at once.
const MAX_STRANGERS: usize = 16;

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

/// After this many microscopic disasters (no descriptors left) accepting rests a little.
const REST: Duration = Duration::from_millis(100);

/// Serves clients until the broker stops; requests under way then are finished by its tasks.
pub async fn serve(broker: Arc<Broker>, mut door: Door, limits: Limits) {
    let connections = Arc::new(Connections::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = broker.stop.cancelled() => return,
            () = broker.accepting.beat() => continue,
            accepted = accept(&mut door) => accepted,
        };
        match accepted {
            Ok(Accepted::Socket(stream, peer)) if peer.same_user => {
                connections.welcome(&broker, stream, Client::new(peer), limits).await;
            }
            Ok(Accepted::Socket(stream, peer)) => {
                tracing::warn!(uid = peer.uid, pid = peer.pid, "another user's client refused");
                refuse_softly(&broker, &connections, stream);
            }
            Ok(Accepted::Memory(stream)) => {
                let peer = Peer { uid: None, pid: None, same_user: true };
                connections.welcome(&broker, stream, Client::new(peer), limits).await;
            }
            Ok(Accepted::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                connections.evict();
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

/// Tells a stranger why not, unless there are too many to be told.
fn refuse_softly(broker: &Broker, connections: &Connections, stream: broker_ipc::listen::Stream) {
    if let Ok(permit) = Arc::clone(&connections.strangers).try_acquire_owned() {
        broker.tasks.spawn(refuse(stream, permit));
    }
}

/// Tells a stranger why not. What it sends is read and thrown away until it leaves, or it might find the connection broken
/// while it still writes, and never look at the answer.
async fn refuse(mut stream: broker_ipc::listen::Stream, _permit: OwnedSemaphorePermit) {
    let told = async {
        stream.write_all(FORBIDDEN).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    drop(tokio::time::timeout(Duration::from_secs(1), told).await);
}

/// The connections of one door.
struct Connections {
    open: Mutex<Open>,
    left: tokio::sync::Notify,
    strangers: Arc<Semaphore>,
    /// The door closes, with everybody who came through it.
    close: CancellationToken,
}

impl Default for Connections {
    fn default() -> Self {
        let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
        Self { open: Mutex::default(), left: tokio::sync::Notify::new(), strangers, close: CancellationToken::new() }
    }
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, (Arc<State>, CancellationToken)>,
}

impl Connections {
    /// Serves a client; waits for room first. When all room is taken by clients being served, one of them must leave.
    async fn welcome<S>(self: &Arc<Self>, broker: &Arc<Broker>, stream: S, client: Client, limits: Limits)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        while self.count() >= limits.connections {
            self.evict();
            tokio::select! {
                () = self.left.notified() => {}
                () = broker.accepting.beat() => {}
                () = broker.stop.cancelled() => return,
                () = self.close.cancelled() => return,
            }
        }
        let (state, close) = (Arc::new(State::new()), self.close.child_token());
        let id = self.enter(Arc::clone(&state), close.clone());
        let connections = Arc::clone(self);
        let served = Served { broker: Arc::clone(broker), client: Arc::new(client), state, close, limits };
        broker.tasks.spawn(async move {
            served.serve(stream).await;
            connections.leave(id);
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> usize {
        self.lock().connections.len()
    }

    fn enter(&self, state: Arc<State>, close: CancellationToken) -> u64 {
        let mut open = self.lock();
        open.next += 1;
        let id = open.next;
        open.connections.insert(id, (state, close));
        id
    }

    fn leave(&self, id: u64) {
        self.lock().connections.remove(&id);
        self.left.notify_one();
    }

    /// Closes the connection that has been idle longest, if one is.
    fn evict(&self) {
        let open = self.lock();
        let open = open.connections.iter().filter(|(_, (_, close))| !close.is_cancelled());
        let idle = open.filter_map(|(id, (state, close))| Some((state.idle_since()?, id, close)));
        if let Some((.., close)) = idle.min_by_key(|(since, id, _)| (*since, *id)) {
            close.cancel();
        }
    }
}
