//! Signs of life, from parts that go round and parts that do not.

use std::path::PathBuf;
use std::sync::mpsc;

use super::*;
use crate::broker::Parts;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::outbound::Outbound;
use crate::store::memory::MemoryStore;
use crate::store::{Opened, SecretStore, StoreError, StoreKind};
use crate::vault::Vault;

/// Real time passes where the vault's real thread takes part.
const SHORT: Duration = Duration::from_millis(300);

fn broker(vault: Vault) -> Arc<Broker> {
    broker_of(Manager::default(), vault)
}

fn broker_of(manager: Manager, vault: Vault) -> Arc<Broker> {
    Broker::start(Parts {
        clock: Clock::system(),
        chance: Chance::system(),
        outbound: Outbound::network(),
        vault,
        config_file: PathBuf::from("/nowhere"),
        config: Ok(Config::default()),
        store_is_fixed: true,
        state_dir: None,
        manager,
    })
}

fn vault_of(kind: StoreKind, memory: &MemoryStore) -> Vault {
    let memory = memory.clone();
    let open = move || Ok(Opened { store: Box::new(memory.clone()), why: "a test".to_owned() });
    Vault::spawn_with(kind, open).unwrap()
}

/// An accept loop, for as long as it is polled.
async fn go_round(broker: &Broker) {
    loop {
        broker.accepting.beat().await;
    }
}

async fn feel_while_accepting(broker: &Broker) -> Result<(), &'static str> {
    tokio::select! {
        () = go_round(broker) => Err("it ended"),
        felt = pulse::feel(broker, SHORT) => felt,
    }
}

#[tokio::test]
async fn a_daemon_whose_parts_go_round_is_alive() {
    let memory = MemoryStore::new();
    let broker = broker(vault_of(StoreKind::Keyring, &memory));
    assert_eq!(feel_while_accepting(&broker).await, Ok(()));
    assert_eq!(pulse::feel(&broker, SHORT).await, Err("the accept loop"));
    // The user leaves the keyring's prompt open: that is not a daemon to be killed.
    memory.set_hanging(true);
    let waiting = broker.vault.clone().with_deadline(SHORT);
    drop(waiting.get("a").await);
    assert_eq!(feel_while_accepting(&broker).await, Ok(()));
    memory.set_hanging(false);
}

#[tokio::test]
async fn a_vault_that_stands_still_outside_of_a_call_is_not_alive() {
    let (release, held) = mpsc::channel::<()>();
    let mut held = Some(held);
    let vault = Vault::spawn_with(StoreKind::Keyring, move || {
        Ok(Opened { store: Box::new(Wedged { held: held.take() }), why: "a test".to_owned() })
    });
    let broker = broker(vault.unwrap());
    drop(broker.vault.open().await);
    assert_eq!(feel_while_accepting(&broker).await, Err("the vault"));
    drop(release);
}

/// Not by a timer beside them: by the parts themselves.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_watchdog_is_fed_by_a_daemon_that_is_alive_and_by_no_other() {
    let (_directory, told, manager) = manager::tests::manager();
    let broker = broker_of(manager, vault_of(StoreKind::Memory, &MemoryStore::new()));
    feed(&broker, SHORT).await;
    assert_eq!(manager::tests::heard(&told), "", "nobody accepts");
    tokio::select! {
        () = go_round(&broker) => {}
        () = feed(&broker, SHORT) => {}
    }
    assert_eq!(manager::tests::heard(&told), "WATCHDOG=1\n");
}

/// A prompt is raised where somebody reads of it, and this one shows it to nobody.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_manager_hears_what_happens_and_is_no_reader_of_it() {
    let (_directory, told, manager) = manager::tests::manager();
    let broker = broker_of(manager, vault_of(StoreKind::Memory, &MemoryStore::new()));
    attend(&broker);
    while manager::tests::heard(&told).is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!broker.events.has_readers());
    broker.manager.state("something else");
    assert_eq!(manager::tests::heard(&told), "STATUS=something else\n");
    broker.events.prompt_ended("p", "cancelled");
    while manager::tests::heard(&told).is_empty() {
        tokio::task::yield_now().await;
    }
}

/// A store that stops the thread where no call is under way.
struct Wedged {
    held: Option<mpsc::Receiver<()>>,
}

impl SecretStore for Wedged {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn durability(&self) -> &'static str {
        "none"
    }

    fn get(&mut self, _key: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError> {
        Ok(None)
    }

    fn put(&mut self, _key: &str, _secret: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn delete(&mut self, _key: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn list(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        Ok(None)
    }

    fn touch_every(&self) -> Option<Duration> {
        // Returns when the test lets go.
        let _ = self.held.as_ref().map(mpsc::Receiver::recv);
        None
    }
}
