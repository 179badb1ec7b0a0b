//! The broker: everything the daemon is, wired together once. What it does is in the modules it wires.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use broker_ipc::api::{AccountState, Reloaded};
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::token::IssuedToken;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::{self, Command, Hold};
use crate::accounts::{Accounts, Card};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::events::{Events, Notices};
use crate::explain::Refusal;
use crate::flight::Landing;
use crate::grant::{AccountId, Grant};
use crate::outbound::Outbound;
use crate::provider::{Gates, Provider};
use crate::sign_in::SignIns;
use crate::store::StoreConfig;
use crate::vault::Vault;

/// What the daemon is made of; tests bring their own.
pub struct Parts {
    /// Wall time.
    pub clock: Clock,
    /// The way to the providers.
    pub outbound: Outbound,
    /// Where grants are kept.
    pub vault: Vault,
    /// Where the configuration is.
    pub config_file: PathBuf,
    /// What it says, or what is wrong with it.
    pub config: Result<Config, ConfigError>,
    /// Where the index of accounts is kept; `None`: nowhere.
    pub state_dir: Option<PathBuf>,
}

/// The broker.
pub struct Broker {
    pub(crate) clock: Clock,
    pub(crate) vault: Vault,
    pub(crate) accounts: Accounts,
    pub(crate) sign_ins: SignIns,
    pub(crate) events: Events,
    pub(crate) notices: Notices,
    /// Every task of the daemon's, so that the end can wait for them.
    pub(crate) tasks: TaskTracker,
    /// Finish what is in the air, begin nothing.
    pub(crate) stop: CancellationToken,
    /// The grace is over.
    pub(crate) stop_now: CancellationToken,
    pub(crate) started: Instant,
    pub(crate) config_file: PathBuf,
    outbound: Outbound,
    gates: Gates,
    profiles: RwLock<Arc<Profiles>>,
    /// The `[store]` table as it was when the store was chosen.
    pub(crate) store_at_start: StoreConfig,
    reconciled: Reconciled,
}

/// The profiles in force.
pub(crate) struct Profiles {
    pub(crate) default: Option<String>,
    pub(crate) providers: BTreeMap<String, Arc<Provider>>,
    /// Why the file is not in force, if it is not.
    pub(crate) error: Option<ConfigError>,
    /// The file's `[store]` table.
    pub(crate) store: StoreConfig,
}

/// Whether the index has been held against the store.
struct Reconciled {
    done: watch::Sender<Result<bool, ErrorBody>>,
    running: Mutex<bool>,
}

impl Broker {
    /// Wires the parts and starts the accounts' tasks. Must be called inside a runtime.
    pub fn start(parts: Parts) -> Arc<Self> {
        let (accounts, complaint) = Accounts::open(parts.state_dir);
        let store_at_start = parts.config.as_ref().map(|config| config.store.clone()).unwrap_or_default();
        let broker = Arc::new(Self {
            clock: parts.clock,
            vault: parts.vault,
            accounts,
            sign_ins: SignIns::default(),
            events: Events::default(),
            notices: Notices::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            stop_now: CancellationToken::new(),
            started: Instant::now(),
            config_file: parts.config_file,
            outbound: parts.outbound,
            gates: Gates::default(),
            profiles: RwLock::new(Arc::new(Profiles {
                default: None,
                providers: BTreeMap::new(),
                error: None,
                store: store_at_start.clone(),
            })),
            store_at_start,
            reconciled: Reconciled { done: watch::Sender::new(Ok(false)), running: Mutex::new(false) },
        });
        if let Some(complaint) = complaint {
            broker.notices.add(complaint);
        }
        broker.put_in_force(parts.config);
        broker.reconcile();
        broker
    }

    /// Begins nothing any more, lets what is in the air land, and waits for it until `grace` is over.
    pub async fn shut_down(&self, grace: std::time::Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "leaving with work in the air");
        }
        self.stop_now.cancel();
    }

    pub(crate) fn profiles(&self) -> Arc<Profiles> {
        Arc::clone(&self.profiles.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The provider of a profile.
    pub(crate) fn provider(&self, profile: Option<&str>) -> Result<Arc<Provider>, ErrorBody> {
        let profiles = self.profiles();
        let names = || profiles.providers.keys().map(String::as_str).collect::<Vec<_>>();
        if profiles.providers.is_empty() {
            return Err(match &profiles.error {
                Some(error) => {
                    ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint.clone())
                }
                None => ErrorBody::new(
                    ErrorCode::Configuration,
                    format!("{}: there is no profile in it", self.config_file.display()),
                )
                .with_hint("add a profile; docs/CONFIG.md has examples"),
            });
        }
        let Some(name) = profile.or(profiles.default.as_deref()) else {
            return match profiles.providers.values().next() {
                Some(only) if profiles.providers.len() == 1 => Ok(Arc::clone(only)),
                _ => Err(ErrorBody::new(
                    ErrorCode::ProfileRequired,
                    format!("which profile? there are: {}", names().join(", ")),
                )
                .with_hint("name one, or set default_profile in the configuration")),
            };
        };
        profiles.providers.get(name).cloned().ok_or_else(|| {
            let hint = match crate::config::nearest(name, &names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("there are: {}", names().join(", ")),
            };
            ErrorBody::new(ErrorCode::UnknownProfile, format!("there is no profile {name:?}")).with_hint(hint)
        })
    }

    /// A provider made for a probe; nothing else uses it.
    pub(crate) fn probe_provider(&self, profile: Arc<crate::config::Profile>) -> Provider {
        Provider::new(profile, self.outbound.clone(), Gates::default(), self.clock)
    }

    /// Reads the configuration again. A file that is not right leaves the old one in force.
    pub fn reload(self: &Arc<Self>) -> Result<Reloaded, ErrorBody> {
        let config = Config::load(&self.config_file);
        let refused = config.as_ref().err().cloned();
        let changed = self.put_in_force(config);
        match refused {
            Some(error) => Err(ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint)),
            None => Ok(Reloaded { changed, profiles: self.profiles().providers.keys().cloned().collect() }),
        }
    }

    /// Puts a configuration in force; profiles that did not change keep their tokens and flights. Returns those that did.
    fn put_in_force(self: &Arc<Self>, config: Result<Config, ConfigError>) -> Vec<String> {
        let old = self.profiles();
        let new = match config {
            Ok(config) => {
                let provider = |profile: Arc<crate::config::Profile>| match old.providers.get(&profile.name) {
                    Some(same) if same.profile == profile => Arc::clone(same),
                    _ => Arc::new(Provider::new(profile, self.outbound.clone(), self.gates.clone(), self.clock)),
                };
                let providers = config.profiles.into_iter().map(|(name, profile)| (name, provider(profile))).collect();
                Profiles { default: config.default_profile, providers, error: None, store: config.store }
            }
            Err(error) => {
                tracing::warn!(%error, hint = error.hint, "the configuration is not in force");
                Profiles {
                    default: old.default.clone(),
                    providers: old.providers.clone(),
                    error: Some(error),
                    store: old.store.clone(),
                }
            }
        };
        let is_same = |name: &String| match (old.providers.get(name), new.providers.get(name)) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        let mut changed: Vec<String> =
            old.providers.keys().chain(new.providers.keys()).filter(|name| !is_same(name)).cloned().collect();
        changed.sort();
        changed.dedup();
        *self.profiles.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        for name in &changed {
            self.sign_ins.cancel_profile(name);
        }
        for card in self.accounts.cards().into_iter().filter(|card| changed.contains(&card.profile)) {
            let provider = self.profiles().providers.get(&card.profile).cloned();
            if let Some(mailbox) = self.accounts.mailbox(&card.id) {
                // A full mailbox is drained in a moment; the task must not be left with the old profile.
                let stop = self.stop.clone();
                self.tasks.spawn(async move {
                    tokio::select! {
                        sent = mailbox.send(Command::Reconfigure { provider }) => drop(sent),
                        () = stop.cancelled() => {}
                    }
                });
            }
        }
        changed
    }

    /// Sends a command to an account, starting its task if it has none. `false` if there is no such account.
    pub(crate) async fn tell(self: &Arc<Self>, id: &AccountId, command: Command) -> bool {
        let Some(mailbox) = self.mailbox(id) else { return false };
        mailbox.send(command).await.is_ok()
    }

    fn mailbox(self: &Arc<Self>, id: &AccountId) -> Option<tokio::sync::mpsc::Sender<Command>> {
        if let Some(mailbox) = self.accounts.mailbox(id) {
            return Some(mailbox);
        }
        let card = self.accounts.card(id)?;
        Some(self.start_account(card, Hold::NotLoaded))
    }

    fn start_account(self: &Arc<Self>, card: Card, hold: Hold) -> tokio::sync::mpsc::Sender<Command> {
        let provider = self.profiles().providers.get(&card.profile).cloned();
        let mailbox = account::spawn(self, card.id.clone(), provider, hold);
        self.accounts.attach(card, mailbox.clone());
        mailbox
    }

    /// Hands a sign-in's grant to its account's task, which saves it. Ends when it is saved, or could not be.
    pub(crate) async fn adopt(self: &Arc<Self>, grant: Grant, token: Arc<IssuedToken>) -> Landing {
        let card = Card::of(&grant);
        let mailbox = match self.mailbox(&card.id) {
            Some(mailbox) => {
                self.accounts.attach(card, mailbox.clone());
                mailbox
            }
            None => self.start_account(card, Hold::Absent),
        };
        let (reply, landing) = oneshot::channel();
        if mailbox.send(Command::Adopt { grant: Box::new(grant), token, reply }).await.is_err() {
            return Err(Refusal::internal());
        }
        landing.await.unwrap_or_else(|_| Err(Refusal::internal()))
    }

    pub(crate) fn account_changed(&self, id: &AccountId, state: AccountState) {
        if let Some(card) = self.accounts.card(id) {
            self.events.account_changed(card.reference(), card.profile, Some(state));
        }
    }

    /// Holds the index against the store, in the background; once at a time.
    fn reconcile(self: &Arc<Self>) {
        let mut running = self.reconciled.running.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *running, true) {
            return;
        }
        let broker = Arc::clone(self);
        self.tasks.spawn(async move {
            let work = async {
                let outcome = broker.hold_index_against_store().await;
                *broker.reconciled.running.lock().unwrap_or_else(PoisonError::into_inner) = false;
                drop(broker.reconciled.done.send_replace(outcome.map(|()| true)));
            };
            tokio::select! {
                () = work => {}
                () = broker.stop.cancelled() => {}
            }
        });
    }

    /// Waits until the index has been held against the store, trying again if the store did not answer last time. An
    /// account may be there that the index does not know.
    pub(crate) async fn reconciled(self: &Arc<Self>) -> Result<(), ErrorBody> {
        let mut done = self.reconciled.done.subscribe();
        if matches!(*done.borrow_and_update(), Ok(true)) {
            return Ok(());
        }
        self.reconcile();
        loop {
            tokio::select! {
                changed = done.changed() => if changed.is_err() { return Ok(()) },
                () = self.stop.cancelled() => return Err(Refusal::shutting_down().body),
            }
            match &*done.borrow_and_update() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(error.clone()),
            }
        }
    }

    async fn hold_index_against_store(self: &Arc<Self>) -> Result<(), ErrorBody> {
        // Whoever signs in from here on is not in the list, and is no less there.
        let known = self.accounts.cards();
        let keys = self.vault.list().await.map_err(|error| error.body())?;
        self.tell_store();
        let stored: Option<Vec<AccountId>> =
            keys.map(|keys| keys.iter().filter_map(|key| AccountId::parse(key)).collect());
        for id in stored.iter().flatten() {
            if self.accounts.card(id).is_none() && self.take_in(id).await {
                self.tell(id, Command::Load).await;
            }
        }
        for card in known {
            let listed = stored.as_ref().is_none_or(|stored| stored.contains(&card.id));
            // "No such entry" is believed only if the store's list agrees, where it has one.
            if !listed && matches!(self.vault.get(card.id.as_str()).await, Ok(None)) {
                self.accounts.forget(&card.id);
                self.notices.add(format!(
                    "the sign-in of {} under profile {} is not in the store any more",
                    card.username, card.profile
                ));
            } else {
                self.tell(&card.id, Command::Load).await;
            }
        }
        Ok(())
    }

    /// Says which store it is and how long sign-ins last there. One that forgets is worth a notice.
    fn tell_store(&self) {
        let Some(why) = self.vault.why() else { return };
        let store = self.vault.status();
        if matches!(store.kind.as_str(), "keyring" | "file") {
            tracing::info!(store = store.kind, why, "store open");
        } else {
            self.notices.add(why);
        }
    }

    /// Takes in an account the store has and the index does not.
    async fn take_in(self: &Arc<Self>, id: &AccountId) -> bool {
        let Ok(Some(record)) = self.vault.get(id.as_str()).await else { return false };
        match Grant::from_record(&record) {
            Ok(grant) => {
                self.notices.add(format!(
                    "the index of accounts had lost {} under profile {}; repaired from the store",
                    grant.username(),
                    grant.profile
                ));
                self.accounts.remember(&grant);
                true
            }
            Err(why) => {
                self.notices.add(format!("the store has a record {id} that cannot be read: {why}"));
                false
            }
        }
    }
}
