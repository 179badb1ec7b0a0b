//! The broker: everything the daemon is, wired together once. What it does is in the modules it wires.

mod hosts;
mod index;
mod profiles;

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use broker_ipc::api::AccountState;
use broker_oauth::token::IssuedToken;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::index::Reconciled;
use self::profiles::Profiles;
use crate::account::{self, Brought, Command, Description, Hold, Mailbox};
use crate::accounts::{Accounts, Card};
use crate::audit::Audit;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Socket};
use crate::events::{Events, Notices};
use crate::explain::Refusal;
use crate::family::Families;
use crate::flight::Landing;
use crate::grant::{AccountId, Grant};
use crate::outbound::Outbound;
use crate::provider::{Gates, Provider};
use crate::raise::Raised;
use crate::server::restricted::Absent;
use crate::sign_in::SignIns;
use crate::store::StoreConfig;
use crate::supervision::Manager;
use crate::supervision::pulse::Pulse;
use crate::vault::Vault;

/// What the daemon is made of; tests bring their own.
pub struct Parts {
    /// Wall time.
    pub clock: Clock,
    /// What spreads the pauses between tries.
    pub chance: Chance,
    /// The way to the providers.
    pub outbound: Outbound,
    /// Where grants are kept.
    pub vault: Vault,
    /// Where the configuration is.
    pub config_file: PathBuf,
    /// What it says, or what is wrong with it.
    pub config: Result<Config, ConfigError>,
    /// Whether a command line chose the store, whatever the configuration says.
    pub store_is_fixed: bool,
    /// Where the index of accounts is kept; `None`: nowhere.
    pub state_dir: Option<PathBuf>,
    /// Who runs the daemon, and wants to know how it is.
    pub manager: Manager,
}

/// The broker.
pub struct Broker {
    pub(crate) clock: Clock,
    pub(crate) vault: Vault,
    pub(crate) accounts: Accounts,
    pub(crate) sign_ins: SignIns,
    pub(crate) families: Families,
    pub(crate) audit: Audit,
    pub(crate) events: Events,
    pub(crate) notices: Notices,
    pub(crate) raised: Raised,
    /// Every task of the daemon's, so that the end can wait for them.
    pub(crate) tasks: TaskTracker,
    /// Finish what is in the air, begin nothing.
    pub(crate) stop: CancellationToken,
    /// The grace is over.
    pub(crate) stop_now: CancellationToken,
    pub(crate) started: Instant,
    pub(crate) manager: Manager,
    /// Whether the accept loop goes round.
    pub(crate) accepting: Pulse,
    pub(crate) config_file: PathBuf,
    outbound: Outbound,
    gates: Gates,
    profiles: RwLock<Arc<Profiles>>,
    /// The `[store]` table as it was when the store was chosen.
    pub(crate) store_at_start: StoreConfig,
    store_is_fixed: bool,
    reconciled: Reconciled,
    /// The restricted sockets that are wanted.
    pub(crate) sockets: watch::Sender<Vec<Socket>>,
    /// Those of them that are not there.
    pub(crate) absent: Absent,
}

impl Broker {
    /// Wires the parts and starts the accounts' tasks. Must be called inside a runtime.
    pub fn start(parts: Parts) -> Arc<Self> {
        let sign_ins = SignIns::open(parts.state_dir.clone());
        let (accounts, complaint) = Accounts::open(parts.state_dir);
        let store_at_start = parts.config.as_ref().map(|config| config.store.clone()).unwrap_or_default();
        let broker = Arc::new(Self {
            clock: parts.clock,
            vault: parts.vault,
            accounts,
            sign_ins,
            families: Families::default(),
            audit: Audit::new(),
            events: Events::default(),
            notices: Notices::default(),
            raised: Raised::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            stop_now: CancellationToken::new(),
            started: Instant::now(),
            manager: parts.manager,
            accepting: Pulse::default(),
            config_file: parts.config_file,
            outbound: parts.outbound,
            gates: Gates::new(parts.chance),
            profiles: RwLock::new(Arc::new(Profiles::none(store_at_start.clone()))),
            store_at_start,
            store_is_fixed: parts.store_is_fixed,
            reconciled: Reconciled::default(),
            sockets: watch::Sender::default(),
            absent: Absent::default(),
        });
        if let Some(complaint) = complaint {
            broker.notices.add(complaint);
        }
        broker.put_in_force(parts.config);
        broker.sign_ins.recover(&broker);
        broker.reconcile();
        broker
    }

    /// Begins to serve the restricted sockets of the configuration, whatever it becomes.
    pub fn spawn_restricted(self: &Arc<Self>, limits: crate::server::Limits) {
        self.tasks.spawn(crate::server::restricted::serve(Arc::clone(self), limits));
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

    /// Sends a command to an account, starting its task if it has none. `false` if there is no such account.
    pub(crate) async fn tell(self: &Arc<Self>, id: &AccountId, command: Command) -> bool {
        let Some(mailbox) = self.mailbox(id) else { return false };
        mailbox.send(command).await.is_ok()
    }

    /// How every account stands. Each answers at once, whatever it has in the air.
    pub(crate) async fn describe(self: &Arc<Self>) -> Vec<Description> {
        let mut accounts = Vec::new();
        for card in self.accounts.cards() {
            let (reply, description) = oneshot::channel();
            self.tell(&card.id, Command::Describe { reply }).await;
            accounts.extend(description.await.ok());
        }
        accounts
    }

    fn mailbox(self: &Arc<Self>, id: &AccountId) -> Option<Mailbox> {
        if let Some(mailbox) = self.accounts.mailbox(id) {
            return Some(mailbox);
        }
        let card = self.accounts.card(id)?;
        Some(self.start_account(card, Hold::NotLoaded))
    }

    fn start_account(self: &Arc<Self>, card: Arc<Card>, hold: Hold) -> Mailbox {
        let provider = self.profiles().providers.get(&card.profile).cloned();
        let mailbox = account::spawn(self, card.id.clone(), provider, hold);
        self.accounts.attach(card, mailbox.clone());
        mailbox
    }

    /// Hands a sign-in's grant to its account's task, which saves it. Ends when it is saved, or could not be.
    /// `from` is where it signed in, and where it is given back if the account does not take it.
    pub(crate) async fn adopt(
        self: &Arc<Self>,
        from: &Arc<Provider>,
        grant: Grant,
        token: Arc<IssuedToken>,
    ) -> Landing {
        let card = Arc::new(Card::of(&grant, None));
        let (reply, landing) = oneshot::channel();
        let brought = Box::new(Brought { grant, token, from: Arc::clone(from) });
        let mut command = Command::Adopt { brought, reply };
        loop {
            let mailbox = match self.mailbox(&card.id) {
                Some(mailbox) => {
                    self.accounts.attach(card.clone(), mailbox.clone());
                    mailbox
                }
                None => self.start_account(card.clone(), Hold::Absent),
            };
            // An account that was signed out while this waited for room in its mailbox: the next task has the grant.
            match mailbox.send(command).await {
                Ok(()) => break,
                Err(unsent) => command = unsent.0,
            }
        }
        let landing = landing.await.unwrap_or_else(|_| Err(Refusal::internal()));
        // It may lend now, and needs what others have no more.
        self.families.forget(&card.profile);
        landing
    }

    pub(crate) fn account_changed(&self, id: &AccountId, state: AccountState) {
        if let Some(card) = self.accounts.card(id) {
            self.events.account_changed(card.reference(), card.profile.clone(), Some(state));
        }
    }
}
