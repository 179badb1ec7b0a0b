//! The restricted sockets: bound as the configuration says, each with an accept loop and room of its own, so that whoever
//! is on one takes nothing from the user's own endpoint but the descriptors that [`Limits`] has set aside.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_ipc::endpoint::Endpoint;
use broker_ipc::listen::{Access, Listener};
use broker_ipc::user::may_be_anybody;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fairness::Tally;
use super::{Connections, FORBIDDEN, Limits, REST};
use crate::audit::Client;
use crate::broker::Broker;
use crate::config::Socket;
use crate::restricted::{Allowance, is_for};

/// One that is bound.
struct Open {
    socket: Arc<Socket>,
    close: CancellationToken,
    /// Ends, and with it the claim on the path, once that is cancelled.
    accepting: JoinHandle<()>,
}

/// The restricted sockets that are wanted and not there, and why: what the user should know for as long as it is so.
#[derive(Debug, Default)]
pub(crate) struct Absent(Mutex<BTreeMap<PathBuf, String>>);

impl Absent {
    fn set(&self, path: &Path, why: String) {
        tracing::warn!(notice = why, "notice");
        self.lock().insert(path.into(), why);
    }

    /// Keeps those of which it is still so.
    fn retain(&self, still: impl Fn(&Path) -> bool) {
        self.lock().retain(|path, _| still(path));
    }

    /// What there is to tell.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Binds what the configuration names, and again whenever it news, until the broker stops.
pub async fn serve(broker: Arc<Broker>, limits: Limits) {
    let mut news = broker.sockets.subscribe();
    let mut open: HashMap<PathBuf, Open> = HashMap::new();
    loop {
        let wanted = news.borrow_and_update().clone();
        let gone: Vec<_> = open.extract_if(|_, open| !wanted.contains(&open.socket)).collect();
        for (_, gone) in gone {
            gone.close.cancel();
            // One that has changed is bound again at the same path.
            gone.accepting.await.ok();
        }
        broker.absent.retain(|path| wanted.iter().any(|socket| socket.path == path));
        for socket in wanted {
            if !open.contains_key(&socket.path)
                && let Some(begun) = begin(&broker, socket, limits)
            {
                broker.absent.retain(|path| *path != begun.socket.path);
                open.insert(begun.socket.path.clone(), begun);
            }
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = broker.stop.cancelled() => return,
        }
    }
}

/// Binds one and starts its loop. One that cannot be bound is the user's to know of; the others are served all the same.
fn begin(broker: &Arc<Broker>, socket: Socket, limits: Limits) -> Option<Open> {
    let endpoint = Endpoint::from_path(&socket.path);
    let access = if socket.allow_uids.is_empty() { Access::Own } else { Access::Shared };
    let listener = match Listener::bind_for(&endpoint, access) {
        Ok(listener) => listener,
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            broker.absent.set(&socket.path, format!("the restricted socket {endpoint} is not there: {error}{source}"));
            return None;
        }
    };
    tracing::info!(endpoint = %endpoint, profiles = ?socket.profiles, "listening, restricted");
    let (socket, close) = (Arc::new(socket), CancellationToken::new());
    let accepting = accept(Arc::clone(broker), listener, Arc::clone(&socket), close.clone(), limits);
    let accepting = broker.tasks.spawn(accepting);
    Some(Open { socket, close, accepting })
}

async fn accept(
    broker: Arc<Broker>,
    listener: Listener,
    socket: Arc<Socket>,
    close: CancellationToken,
    limits: Limits,
) {
    let mut strangers = Tally::default();
    let connections = Arc::new(Connections { close: close.clone(), ..Connections::default() });
    let allowance = Arc::new(Allowance::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = broker.stop.cancelled() => return,
            () = close.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let limits = limits.restricted(broker.sockets.borrow().len());
        match accepted {
            Ok((stream, peer)) => {
                if is_for(&socket, &peer, may_be_anybody) {
                    connections.welcome(&broker, stream, Client::at(&socket, &allowance, peer), limits).await;
                } else {
                    if let Some(times) = strangers.count() {
                        let (uid, pid, path) = (peer.uid, peer.pid, socket.path.display());
                        tracing::warn!(uid, pid, times, socket = %path, "another user's client refused");
                    }
                    connections.refuse_softly(&broker, stream, FORBIDDEN);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                connections.shrink();
                tokio::time::sleep(REST).await;
            }
        }
    }
}
