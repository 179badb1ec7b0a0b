//! The daemon in process: the real broker and server, real clients, on a paused clock.
//!
//! Clients and daemon speak HTTP over in-memory pipes, as do the daemon and two authorization servers; the keyring is a
//! memory store with switches. Stopping, crashing and starting again keeps the store and the state directory.
//!
//! Everything that is logged meanwhile, at every level, is kept, and a [`Rig`] that is dropped looks for secrets there and in what
//! the daemon wrote to disk: no scenario can forget to.

mod drive;
mod log;
mod setup;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker_client::Client;
use brokerd::broker::{Broker, Parts};
use brokerd::chance::Chance;
use brokerd::clock::Clock;
use brokerd::config::Config;
use brokerd::outbound::Outbound;
use brokerd::server::{self, Door, Limits};
use brokerd::store::memory::MemoryStore;
use brokerd::supervision::Manager;
use brokerd::vault::Vault;
use tempfile::TempDir;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::drive::{Call, Kind, exposed, interactive, never, s, scopes, sha256};
use self::log::Log;
pub use self::setup::{CONTOSO, Setup, entra_profile};
pub use self::wire::{Answer, Wire};
use crate::canary::Canary;
use crate::fake_as::FakeAs;

/// How long the daemon gives what is in the air when it stops, as `brokerd` does.
const GRACE: Duration = Duration::from_secs(8);

/// A daemon, its surroundings, and everybody who talks to it.
pub struct Rig {
    /// The provider of the profile `work`, the default one.
    pub fake: FakeAs,
    /// The provider of the profile `other`.
    pub other: FakeAs,
    /// The keyring.
    pub store: MemoryStore,
    /// A client; its clones share one idle connection.
    pub client: Client,
    directory: TempDir,
    door: Arc<Mutex<Option<mpsc::Sender<DuplexStream>>>>,
    limits: Limits,
    clock: Clock,
    seed: Option<u64>,
    broker: Option<Running>,
    tasks: TaskTracker,
    log: Log,
}

struct Running {
    broker: Arc<Broker>,
    server: tokio::task::JoinHandle<()>,
    store: MemoryStore,
    /// Whether its connections to providers still lead anywhere.
    alive: Arc<AtomicBool>,
}

impl Running {
    /// The process ends: what is left of it in this one reaches nothing any more.
    fn end(&self) {
        self.alive.store(false, Ordering::Relaxed);
        self.store.end_process();
    }
}

impl Rig {
    /// A running daemon with the profiles `work` and `other`, nobody signed in.
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// The same, set up otherwise.
    pub fn setup() -> Setup {
        Setup::default()
    }

    /// A client with connections of its own.
    pub fn new_client(&self) -> Client {
        connecting(&self.door)
    }

    /// Starts the daemon.
    pub fn run(&mut self) {
        assert!(self.broker.is_none(), "it is running");
        let (alive, store) = (Arc::new(AtomicBool::new(true)), self.store.for_process());
        let config_file = self.config_file();
        let parts = Parts {
            clock: self.clock,
            chance: self.seed.map_or_else(Chance::system, Chance::seeded),
            outbound: Outbound::memory(self.dial(Arc::clone(&alive))),
            vault: Vault::memory(store.clone()),
            config: Config::load(&config_file),
            config_file,
            store_is_fixed: false,
            state_dir: Some(self.state()),
            manager: Manager::default(),
        };
        let broker = Broker::start(parts);
        let (sender, door) = mpsc::channel(4096);
        *self.door.lock().expect("nobody panicked") = Some(sender);
        let server = self.tasks.spawn(server::serve(Arc::clone(&broker), Door::Memory(door), self.limits));
        self.broker = Some(Running { broker, server, store, alive });
    }

    /// Stops the daemon as SIGTERM does, and returns when it has exited.
    pub async fn stop(&mut self) {
        self.begin_to_stop().await;
    }

    /// Begins to stop the daemon and returns at once; await the result for the end. A process that has exited sends nothing more.
    pub fn begin_to_stop(&mut self) -> impl Future<Output = ()> + use<> {
        let mut running = self.broker.take().expect("it runs");
        self.close_door();
        let providers = [&self.fake, &self.other].map(FakeAs::clone);
        let stopping = self.tasks.spawn(async move {
            running.broker.shut_down(GRACE).await;
            (&mut running.server).await.expect("the server did not panic");
            running.end();
            providers.iter().for_each(FakeAs::drop_connections);
        });
        async move { stopping.await.expect("the end did not panic") }
    }

    /// Stops the daemon and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.run();
    }

    /// Ends the daemon as a power cut does: nothing of it reaches the store, the disk or a provider any more.
    ///
    /// The next daemon gets a copy of the store as it is now, without the switches.
    pub async fn crash(&mut self) {
        let running = self.broker.take().expect("it runs");
        self.close_door();
        let copy = MemoryStore::new();
        for key in self.store.raw_keys() {
            copy.set_raw(&key, &self.store.raw(&key).expect("it was listed"));
        }
        self.store = copy;
        self.directory = setup::copy(&self.directory);
        running.end();
        running.server.abort();
        for provider in [&self.fake, &self.other] {
            provider.drop_connections();
        }
        running.broker.shut_down(Duration::ZERO).await;
    }

    /// Where the configuration is.
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    /// Writes the configuration; the daemon reads it when it starts, or is told to.
    pub fn write_config(&self, text: &str) {
        setup::write_private(&self.config_file(), text);
    }

    /// Where the index of accounts is.
    pub fn index_file(&self) -> PathBuf {
        self.state().join("accounts.json")
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Runs something beside the test.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn(future)
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Begins the log anew: for a rig that lives long.
    pub fn forget_log(&self) {
        self.log.clear();
    }

    /// Panics if a secret has been logged or written to disk, as it is or encoded. Dropping the rig does the same.
    pub fn assert_nothing_leaked(&self) {
        let canary = Canary::default();
        for provider in [&self.fake, &self.other] {
            canary.watch(provider);
        }
        canary.watch_made_up();
        canary.check_with_directory("the log or the state directory", self.log.text().as_bytes(), &self.state());
    }

    fn close_door(&self) {
        self.door.lock().expect("nobody panicked").take();
    }

    /// Leads to the two providers by their ports.
    fn dial(&self, alive: Arc<AtomicBool>) -> brokerd::outbound::MemoryDial {
        let (fake, other) = (self.fake.clone(), self.other.clone());
        Arc::new(move |uri| {
            let provider = if other.authority().ends_with(uri.authority().map_or("", |at| at.as_str())) {
                other.dialer()
            } else {
                fake.dialer()
            };
            if alive.load(Ordering::Relaxed) { provider.dial() } else { Err(io::ErrorKind::ConnectionRefused.into()) }
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_nothing_leaked();
        }
    }
}

fn connecting(door: &Arc<Mutex<Option<mpsc::Sender<DuplexStream>>>>) -> Client {
    let door = Arc::clone(door);
    Client::with_connector(move || {
        let door = door.lock().expect("nobody panicked").clone();
        async move { connect(door, ROOM).await }
    })
}

/// What a socket holds for whoever does not read, as a rule.
const ROOM: usize = 64 * 1024;

async fn connect(door: Option<mpsc::Sender<DuplexStream>>, room: usize) -> io::Result<DuplexStream> {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let (here, there) = tokio::io::duplex(room);
    door.ok_or_else(refused)?.send(there).await.map_err(|_| refused())?;
    Ok(here)
}
