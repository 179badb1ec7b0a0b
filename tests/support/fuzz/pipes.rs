//! Parsers behind a connection, on a paused clock: the daemon's of a request, the client's of an answer.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use broker_client::{Client, TokenRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::rig::Rig;

/// On the paused clock, longer than anything has a right to.
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn paused(future: impl Future<Output = ()>) {
    runtime().block_on(future);
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime")
}

/// A daemon at which somebody has signed in, and what it lives in.
struct Stage {
    rig: Rig,
    runtime: Runtime,
    /// What the provider was asked for that sign-in.
    asked: usize,
    inputs: usize,
}

impl Stage {
    /// At its end a daemon's log is searched for secrets, and a log gets long.
    const INPUTS: usize = 500;

    fn new() -> Self {
        let runtime = runtime();
        let rig = runtime.block_on(async {
            let rig = Rig::start();
            rig.sign_in("alice").await;
            rig
        });
        Self { asked: rig.fake.log().len(), rig, runtime, inputs: 0 }
    }

    /// Whether the next input will find what the first one found: what breaks a promise must do so by itself.
    fn is_as_it_was(&self) -> bool {
        self.rig.fake.log().len() == self.asked && self.rig.store.raw_keys().len() == 1
    }
}

thread_local! {
    /// To start a daemon takes longer than a hundred requests to it.
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Bytes on a connection to the daemon, and then its end: answered in HTTP or not at all, in time, and others are served.
/// What is granted in one piece, so that hyper need not read it, hyper grants as well.
pub(super) fn request(bytes: &[u8]) {
    // Taken out: where a promise is broken, none is left behind.
    let mut stage = STAGE.take().unwrap_or_else(Stage::new);
    stage.runtime.block_on(async {
        let whole = answered(&stage.rig, &[bytes]).await;
        if whole.starts_with("HTTP/1.1 200") {
            let (first, rest) = bytes.split_at(1);
            let parts = answered(&stage.rig, &[first, rest]).await;
            assert!(parts.starts_with("HTTP/1.1 200"), "in two pieces: {parts}");
        }
    });
    stage.inputs += 1;
    if stage.inputs < Stage::INPUTS && stage.is_as_it_was() {
        STAGE.set(Some(stage));
    }
}

/// What the daemon says to this.
async fn answered(rig: &Rig, pieces: &[&[u8]]) -> String {
    let mut wire = rig.wire().await;
    let mut sent = true;
    for piece in pieces {
        sent = sent && wire.try_send(piece).await;
        tokio::task::yield_now().await;
    }
    if sent {
        wire.half_close().await;
    }
    let (text, _) = wire.end().await;
    assert!(text.is_empty() || text.starts_with("HTTP/1."), "{text:?}");
    let ours = text.contains("\r\ncache-control: no-store\r\n") && text.contains("\r\nbrokerd-version: ");
    assert!(text.is_empty() || ours || text.contains("\r\ncontent-length: 0\r\n"), "{text:?}");
    assert_eq!(rig.raw("GET /v1/status HTTP/1.1\r\nhost: brokerd\r\n\r\n").await.status, 200);
    text
}

/// Bytes in answer to a client's request; the first chooses which. Whatever comes, the call ends.
pub(super) fn answer(bytes: &[u8]) {
    let Some((choice, answer)) = bytes.split_first() else { return };
    let (tasks, answer) = (TaskTracker::new(), Arc::<[u8]>::from(answer));
    let client = Client::with_connector(move || {
        let (here, mut there) = tokio::io::duplex(64 * 1024);
        let answer = Arc::clone(&answer);
        tasks.spawn(async move {
            // The request fits; a client that has had enough leaves.
            drop(there.read(&mut [0; 16 * 1024]).await);
            drop(there.write_all(&answer).await);
        });
        async move { Ok::<_, std::io::Error>(here) }
    });
    let choice = choice % 4;
    paused(async move {
        let call = async {
            match choice {
                0 => drop(client.status().await),
                1 => drop(client.accounts().await),
                2 => {
                    let mut events = client.token(&TokenRequest { timeout: Some(30), ..TokenRequest::default() });
                    while events.next().await.is_some() {}
                }
                _ => {
                    if let Ok(mut events) = client.events().await {
                        while let Some(Ok(_)) = events.next().await {}
                    }
                }
            }
        };
        assert!(tokio::time::timeout(DAY, call).await.is_ok(), "the call does not end");
    });
}
