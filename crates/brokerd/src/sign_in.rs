//! Device sign-ins (RFC 8628): a flight each, from the device authorization request to the saved grant.
//!
//! A sign-in belongs to its profile until the provider has said who the user is; then its grant is handed to that
//! account's task. It lives exactly as long as somebody waits for it; after a restart of the daemon it gives its clients half
//! a minute to come back ([`resume`]).

mod ending;
mod flow;
mod kept;
mod marks;
mod resume;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_ipc::api::{DevicePrompt, Requester};
use broker_oauth::device::DeviceAuthorization;
use broker_oauth::extra::ExtraParameters;
use broker_oauth::scope::ScopeSet;
use broker_oauth::token::Target;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::kept::prompt_of;
use self::marks::Marks;
use self::resume::Search;
use crate::broker::Broker;
use crate::correlation::Trail;
use crate::explain::Refusal;
use crate::flight::{Progress, Prompt, Waiter, channel};
use crate::grant::AccountId;
use crate::provider::Provider;

/// Sign-ins pending at once: each polls its provider and waits for a person, who has as many accounts at the most. Without an
/// end, a client that asks for one name after the other would have the provider throttle everybody.
const MOST_PENDING: usize = 32;
/// Of these, those that a restricted socket began: the rest is the user's own.
const MOST_RELAYED: usize = 8;

/// Who must sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bound {
    /// Anybody.
    Anybody,
    /// This account: its sign-in has ended or does not cover what is asked.
    Account(AccountId),
    /// A user of this name whom nobody has signed in as before.
    Name(String),
}

/// What a sign-in is started for.
#[derive(Clone)]
pub(crate) struct Wish {
    /// Where.
    pub provider: Arc<Provider>,
    /// Who must sign in.
    pub bound: Bound,
    /// The scopes wanted.
    pub scopes: ScopeSet,
    /// Beyond the scopes.
    pub target: Target,
    /// A claims challenge, as JSON.
    pub claims: Option<String>,
    /// Extra parameters, the profile's own among them.
    pub extra: ExtraParameters,
    /// The caller's language.
    pub locale: Option<String>,
    /// Who asked first.
    pub requested_by: Requester,
    /// What to call the account in the prompt.
    pub account_name: Option<String>,
}

impl Wish {
    /// Whether a caller with this wish is served by a pending sign-in for the other.
    ///
    /// Without an account, any sign-in pending at the profile will do: it will bring the one account there is, and the
    /// caller's own scopes come by a refresh. A step-up of an account is shared by those who want the same of it.
    fn is_served_by(&self, pending: &Self) -> bool {
        // A profile that has changed meanwhile is another, whatever its name.
        let same_profile = Arc::ptr_eq(&self.provider, &pending.provider);
        let same_ask = || {
            (&self.scopes, &self.target, &self.claims, &self.extra)
                == (&pending.scopes, &pending.target, &pending.claims, &pending.extra)
        };
        same_profile
            && match (&self.bound, &pending.bound) {
                (Bound::Anybody, Bound::Anybody | Bound::Name(_)) => true,
                (Bound::Name(name), Bound::Name(other)) => name.to_lowercase() == other.to_lowercase(),
                (Bound::Account(id), Bound::Account(other)) => id == other && same_ask(),
                _ => false,
            }
    }

    /// Whether both would widen the grant of one account, each by scopes of its own. Where a refresh token serves any scope,
    /// nothing is widened.
    fn is_another_step_up(&self, new: &Self) -> bool {
        Arc::ptr_eq(&self.provider, &new.provider)
            && matches!(self.bound, Bound::Account(_))
            && self.bound == new.bound
            && !new.provider.profile.registration.provider.refresh_token_serves_any_scope()
    }
}

/// A sign-in that a caller waits for.
pub(crate) struct Joined {
    /// How it ends.
    pub waiter: Waiter,
    /// Whether the provider is told this caller's claims challenge with it.
    pub challenged: bool,
}

/// A sign-in that a daemon before this one began.
struct Kept {
    /// Its codes, with the life they have left.
    authorization: DeviceAuthorization,
    /// Whether it has been polled.
    polled: bool,
    /// What the provider's support knows it by.
    correlation_id: Option<String>,
}

impl Kept {
    fn trail(&self) -> Trail {
        self.correlation_id.clone().map_or_else(Trail::new, Trail::resumed)
    }
}

/// The sign-ins pending now. One mutex, never held over an await.
pub(crate) struct SignIns {
    pending: Mutex<Vec<Pending>>,
    pub(crate) marks: Marks,
    /// How far the search for those of the daemon before this one has come.
    search: watch::Sender<Search>,
}

struct Pending {
    id: String,
    wish: Wish,
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
    /// Somebody waits, who may be the first since a restart.
    joined: Arc<Notify>,
}

impl Pending {
    /// Its waiters are told at once, also while a poll hangs. If that poll brings a grant all the same, it is saved: a person
    /// has consented.
    fn cancel(&self) {
        self.cancel.cancel();
        self.progress.send_replace(Progress::Landed(Err(ending::cancelled())));
    }
}

impl SignIns {
    /// Reads the marks in `directory`; `None` keeps them in memory.
    pub(crate) fn open(directory: Option<PathBuf>) -> Self {
        Self { pending: Mutex::default(), marks: Marks::open(directory), search: watch::Sender::new(Search::First) }
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the sign-in that serves the wish, or starts it unless there are too many.
    pub(crate) fn join_or_start(&self, broker: &Arc<Broker>, mut wish: Wish) -> Result<Joined, Refusal> {
        let mut pending = self.pending();
        let joinable = |pending: &&Pending| !pending.cancel.is_cancelled() && wish.is_served_by(&pending.wish);
        if let Some(found) = pending.iter().find(joinable) {
            let waiter = found.progress.subscribe();
            found.joined.notify_one();
            return Ok(Joined { waiter, challenged: found.wish.claims == wish.claims });
        }
        let relayed = |wish: &Wish| wish.requested_by.via.is_some();
        let theirs = pending.iter().filter(|pending| relayed(&pending.wish)).count();
        if pending.len() >= MOST_PENDING || relayed(&wish) && theirs >= MOST_RELAYED {
            return Err(Refusal::too_many_sign_ins());
        }
        // Of two step-ups the later replaces the grant of the earlier: it asks for that one's scopes as well.
        let others = pending.iter().filter(|other| other.wish.is_another_step_up(&wish));
        wish.scopes = others.fold(wish.scopes.clone(), |scopes, other| scopes.union(&other.wish.scopes));
        let waiter = start(broker, &mut pending, random_id(), wish, None);
        Ok(Joined { waiter, challenged: true })
    }

    /// Goes on with a sign-in of the daemon before this one.
    fn resume(&self, broker: &Arc<Broker>, id: String, wish: Wish, kept: Kept) {
        drop(start(broker, &mut self.pending(), id, wish, Some(kept)));
    }

    /// Takes a sign-in out if nobody waits for it any more. Under the same lock as joining, so nobody is stranded.
    fn abandon(&self, id: &str) -> bool {
        let mut pending = self.pending();
        let alone = pending.iter().any(|pending| pending.id == id && pending.progress.receiver_count() == 0);
        if alone {
            pending.retain(|pending| pending.id != id);
        }
        alone
    }

    /// Takes a sign-in out that is over.
    fn remove(&self, id: &str) {
        self.pending().retain(|pending| pending.id != id);
    }

    /// Cancels a prompt; its waiters are told. `false` if there is none of this id.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        let pending = self.pending();
        let Some(found) = pending.iter().find(|pending| pending.id == id) else { return false };
        found.cancel();
        true
    }

    /// Cancels every sign-in at a profile: its registration has changed.
    pub(crate) fn cancel_profile(&self, profile: &str) {
        for pending in self.pending().iter().filter(|pending| pending.wish.provider.profile.name == profile) {
            pending.cancel.cancel();
        }
    }

    /// The prompts pending now, oldest first.
    pub(crate) fn prompts(&self, now: jiff::Timestamp) -> Vec<DevicePrompt> {
        let shown = |pending: &Pending| match &*pending.progress.borrow() {
            Progress::Prompt(prompt) => Some(prompt.at(now)),
            _ => None,
        };
        self.pending().iter().filter_map(shown).collect()
    }

    /// The flights in the air, for `status`.
    pub(crate) fn flights(&self) -> Vec<broker_ipc::api::FlightSummary> {
        let summary = |pending: &Pending| broker_ipc::api::FlightSummary {
            kind: "device_code".into(),
            profile: pending.wish.provider.profile.name.clone(),
            account: pending.wish.account_name.clone(),
            waiters: pending.progress.receiver_count(),
        };
        self.pending().iter().map(summary).collect()
    }
}

fn start(broker: &Arc<Broker>, pending: &mut Vec<Pending>, id: String, wish: Wish, kept: Option<Kept>) -> Waiter {
    let (progress, waiter) = channel();
    let (cancel, joined) = (CancellationToken::new(), Arc::default());
    let reins = flow::Reins { progress: progress.clone(), cancel: cancel.clone(), joined: Arc::clone(&joined) };
    broker.tasks.spawn(flow::fly(Arc::clone(broker), id.clone(), wish.clone(), kept, reins));
    pending.push(Pending { id, wish, progress, cancel, joined });
    waiter
}

/// 128 random bits in hex: fit for a URL, and never an option of a command line.
fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness there is no TLS either; the id then is only less unguessable, and it opens nothing.
    getrandom::fill(&mut bytes).ok();
    format!("{:032x}", u128::from_ne_bytes(bytes))
}

/// Shows the prompt to everybody who waits.
fn show(progress: &watch::Sender<Progress>, prompt: Prompt) -> Arc<Prompt> {
    let prompt = Arc::new(prompt);
    progress.send_replace(Progress::Prompt(Arc::clone(&prompt)));
    prompt
}
