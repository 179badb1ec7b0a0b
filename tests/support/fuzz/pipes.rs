//! Parsers behind a connection, on a paused clock: the daemon's of a request, the client's of an answer.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use broker_client::{Client, TokenRequest};
use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::rig::Rig;

/// On the paused clock, longer than anything has a right to.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

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
    began: Instant,
    /// What its surroundings were then.
    first: Surroundings,
}

/// What a request may leave behind: requests at the providers, and what is stored.
type Surroundings = ([usize; 2], Vec<(String, Zeroizing<Vec<u8>>)>);

/// After so long the token at hand is refreshed.
const FRESH: Duration = Duration::from_secs(600);

impl Stage {
    fn new() -> Self {
        let runtime = runtime();
        let (rig, began) = runtime.block_on(async {
            let rig = Rig::start();
            rig.sign_in("alice").await;
            (rig, Instant::now())
        });
        Self { first: surroundings(&rig), rig, runtime, began }
    }

    /// What the daemon says to this, and itself, unless the next input would not find what the first one found: what breaks a promise must
    /// do so by itself.
    fn answered(self, pieces: &[&[u8]]) -> (String, Option<Self>) {
        let (text, now) = self.runtime.block_on(async { (answered(&self.rig, pieces).await, Instant::now()) });
        self.rig.assert_nothing_leaked();
        self.rig.forget_log();
        let is_as_it_was = now < self.began + FRESH && surroundings(&self.rig) == self.first;
        (text, is_as_it_was.then_some(self))
    }
}

fn surroundings(rig: &Rig) -> Surroundings {
    let stored = |key: String| rig.store.raw(&key).map(|record| (key, record));
    ([rig.fake.log().len(), rig.other.log().len()], rig.store.raw_keys().into_iter().filter_map(stored).collect())
}

thread_local! {
    /// To start a daemon takes longer than a hundred requests to it.
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Bytes on a connection to the daemon, and then its end: answered in HTTP or not at all, in time, and others are served.
/// What is granted in one piece, so that hyper need not read it, hyper grants as well.
pub(super) fn request(bytes: &[u8]) {
    // Taken out: where a promise is broken, none is left behind.
    let (whole, mut stage) = STAGE.take().unwrap_or_else(Stage::new).answered(&[bytes]);
    if whole.starts_with("HTTP/1.1 200") {
        let (first, rest) = bytes.split_at(1);
        let (parts, again) = stage.unwrap_or_else(Stage::new).answered(&[first, rest]);
        assert!(parts.starts_with("HTTP/1.1 200"), "in two pieces: {parts}");
        stage = again;
    }
    STAGE.set(stage);
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
