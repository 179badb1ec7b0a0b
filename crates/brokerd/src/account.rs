//! One account: the task that owns its grant.
//!
//! Nobody else ever sees the refresh token. With rotation it is the unit of serialisation, so all scopes, resources and
//! tenants of the account queue here, one flight at a time; a caller who wants what is already on its way joins.

mod ahead;
mod ask;
mod cache;
mod due;
mod hold;
mod jobs;
mod keep_alive;
mod leaving;
mod lend;
mod mailbox;
mod refresh;
mod refusals;
mod rejected;
mod sign_out;
mod underway;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api;
use broker_ipc::error::ErrorBody;
use broker_oauth::refresh::Freshness;
use broker_oauth::scope::ScopeCase;
use broker_oauth::token::IssuedToken;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub(crate) use self::ask::Ask;
pub(crate) use self::ask::Key;
use self::cache::Cache;
use self::due::{StoreTies, again};
pub(crate) use self::hold::{Brought, Hold};
use self::jobs::{Done, Job, landing};
use self::keep_alive::KeepAlive;
pub(crate) use self::lend::{Loan, NoLoan};
pub(crate) use self::mailbox::Mailbox;
use self::mailbox::Shelf;
use self::refusals::Refusals;
use self::rejected::Rejected;
pub(crate) use self::sign_out::revoke;
use self::underway::{Sent, Underway};
use crate::audit::Source;
use crate::broker::Broker;
use crate::clock::rfc3339;
use crate::explain::{Refusal, Remedy};
use crate::flight::{Landing, Progress, Waiter};
use crate::grant::AccountId;
use crate::provider::Provider;

/// Requests that may wait in a mailbox.
const MAILBOX: usize = 1024;
/// The first pause after a failed refresh that nobody waits for, and after a failed save; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What an account can be told.
pub(crate) enum Command {
    /// A token, please: there is none [at hand](Mailbox::at_hand).
    Token { ask: Ask, reply: oneshot::Sender<Answer> },
    /// No refresh for now: is there a token that still lives? With `grace`, the provider is away, and one past its end may do.
    Standby { ask: Ask, grace: bool, reply: oneshot::Sender<Option<Served>> },
    /// A sign-in brought a new grant.
    Adopt { brought: Box<Brought>, reply: oneshot::Sender<Landing> },
    /// Another client of the family asks: redeem the refresh token once for it.
    Lend { borrower: Arc<Provider>, ask: Ask, reply: oneshot::Sender<Loan> },
    /// End the sign-in.
    SignOut { reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>> },
    /// Another account has come in this one's place: end here, and leave the provider out of it, which may take the old
    /// grant and the new one for the same.
    GiveWay { reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>> },
    /// How do you stand?
    Describe { reply: oneshot::Sender<Description> },
    /// Read the grant, and act on an intent found in it.
    Load,
    /// The client proves itself otherwise now: what the provider refused it may grant.
    Forgive,
    /// The profile changed; `None`: it is gone.
    Reconfigure { provider: Option<Arc<Provider>> },
}

/// The answer to [`Command::Describe`].
pub(crate) struct Description {
    /// Where it stands.
    pub account: api::Account,
    /// Its refreshes, in the air and waiting for their turn.
    pub flights: Vec<api::FlightSummary>,
}

/// A token that serves, and how it came.
pub(crate) struct Served {
    /// The token.
    pub token: Arc<IssuedToken>,
    /// Whether it is past its end, and serves by the longer life it was issued with.
    pub extended: bool,
    /// Where it came from.
    pub source: Source,
}

/// The answer to [`Command::Token`].
pub(crate) enum Answer {
    /// Here it is.
    Now(Arc<IssuedToken>),
    /// It is on its way.
    Wait(Waiter),
}

struct Account {
    broker: Arc<Broker>,
    id: AccountId,
    provider: Option<Arc<Provider>>,
    /// `None` while a flight has it.
    hold: Option<Hold>,
    /// How the grant stood when it was last here.
    seen: hold::Seen,
    cache: Cache,
    /// Where callers see what is in it.
    shelf: Shelf,
    air: Option<BoxFuture<'static, Done>>,
    /// The refresh in the air.
    flying: Option<Flying>,
    /// Who waits for the loan in the air.
    lending: Option<oneshot::Sender<Loan>>,
    /// Whether the flight in the air took off under a profile that has changed since: its token is kept for nobody.
    outdated: bool,
    queue: VecDeque<Job>,
    /// What is known of what is in the air.
    underway: Underway,
    /// When what a person did waits no longer for the provider's answer.
    cut_at: Option<Instant>,
    /// What a refresh that was cut off had sent.
    sent: Option<Sent>,
    /// When a refresh behind a stale token, or a save, may be tried again.
    not_before: Instant,
    /// What it has to do with the store when that answers again.
    store: StoreTies,
    pause: Duration,
    last_error: Option<api::LastError>,
    keep_alive: KeepAlive,
    refusals: Refusals,
    rejected: Rejected,
}

/// A refresh in the air.
struct Flying {
    /// What it will bring, so that others can join; `None`: they cannot any more.
    key: Option<Key>,
    ask: Ask,
    /// Who waits for it.
    progress: watch::Sender<Progress>,
}

/// Starts an account's task and returns its mailbox. The task ends when it signed out, or when the daemon stops and its
/// flight has landed.
pub(crate) fn spawn(broker: &Arc<Broker>, id: AccountId, provider: Option<Arc<Provider>>, hold: Hold) -> Mailbox {
    let (callers, mailbox, shelf) = Mailbox::new(MAILBOX);
    let account = Account {
        broker: Arc::clone(broker),
        id,
        provider,
        seen: hold.seen(),
        hold: Some(hold),
        cache: Cache::default(),
        shelf,
        air: None,
        flying: None,
        lending: None,
        outdated: false,
        queue: VecDeque::new(),
        underway: Underway::default(),
        cut_at: None,
        sent: None,
        not_before: Instant::now(),
        store: StoreTies::default(),
        pause: FIRST_PAUSE,
        last_error: None,
        keep_alive: KeepAlive::default(),
        refusals: Refusals::default(),
        rejected: Rejected::default(),
    };
    broker.tasks.spawn(account.run(mailbox));
    callers
}

/// Pends for ever without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Account {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Command>) {
        let stop = self.broker.stop.clone();
        let mut recoveries = self.broker.vault.recoveries();
        let (mut open, mut obeyed) = (true, 0);
        while !matches!(self.hold, Some(Hold::SignedOut)) {
            if stop.is_cancelled() {
                return self.leave(mailbox).await; // nothing takes off
            }
            self.take_off();
            let unsaved = matches!(self.hold, Some(Hold::Unsaved { .. })) && self.air.is_none();
            if !open && !unsaved && self.air.is_none() {
                return;
            }
            self.shelf.show(&self.cache, self.scope_case(), std::mem::take(&mut obeyed));
            let nap = self.nap();
            let due = self.due();
            if due.is_none() && self.store.doubt.is_none() {
                recoveries.mark_unchanged(); // nobody waited for those
            }
            tokio::select! {
                biased;
                done = landing(&mut self.air) => self.land(done),
                // Signing out takes the mailbox from the registry while its flight is still in the air.
                command = mailbox.recv(), if open => match command {
                    Some(command) => {
                        self.accept(command);
                        obeyed = 1;
                    }
                    None => open = false,
                },
                () = self.underway.hangs_past(self.cut_at), if self.air.is_some() => self.cut_off(),
                () = again(due.as_ref(), self.not_before, self.store.early, &mut recoveries) => {
                    self.store.early = Instant::now() >= self.not_before;
                    self.queue.extend(due.map(|due| due.job));
                }
                () = tokio::time::sleep(nap.unwrap_or_default()), if nap.is_some() => self.keep_alive(),
                () = stop.cancelled() => return self.leave(mailbox).await,
            }
        }
        self.end(mailbox);
    }

    fn accept(&mut self, command: Command) {
        match command {
            Command::Token { ask, reply } => {
                let answer = self.admit(ask);
                drop(reply.send(answer));
            }
            Command::Standby { ask, grace, reply } => drop(reply.send(self.standby(&ask, grace))),
            Command::Adopt { brought, reply } => self.queue_adopt(brought, reply),
            Command::Lend { borrower, ask, reply } => self.queue.push_back(Job::Lend { borrower, ask, reply }),
            Command::SignOut { reply } => self.queue_sign_out(reply, true),
            Command::GiveWay { reply } => self.queue_sign_out(reply, false),
            Command::Describe { reply } => drop(reply.send(self.describe())),
            Command::Load => self.queue.push_back(Job::Load),
            Command::Forgive => self.forgive(),
            Command::Reconfigure { provider } => {
                self.provider = provider;
                self.cache.clear();
                self.forgive();
                if let Some(flying) = &mut self.flying {
                    flying.key = None;
                }
                self.outdated = self.air.is_some();
            }
        }
    }

    /// What stood in the way is mended, perhaps.
    fn forgive(&mut self) {
        self.refusals.clear();
        self.keep_alive = KeepAlive::default();
        if !matches!(self.hold, Some(Hold::Unsaved { .. })) {
            (self.pause, self.not_before) = (FIRST_PAUSE, Instant::now());
        }
    }

    /// A cached token, or the flight that will bring one.
    fn admit(&mut self, ask: Ask) -> Answer {
        self.heed_rejection(&ask);
        if !ask.wants_new() {
            let good_enough = |judged| match judged {
                Freshness::Fresh => true,
                // Where nothing better can come, the token serves to its end.
                Freshness::Stale | Freshness::Short => self.is_transient() && ask.is_soft(),
                Freshness::Expired => false,
            };
            if let Some(token) = self.best(&ask, good_enough) {
                return Answer::Now(token);
            }
            if let Some(token) = self.best(&ask, |judged| judged == Freshness::Stale) {
                // Whoever is on a restricted socket does not wait for it, and must not queue one behind the other.
                let in_the_way = ask.keeps_others && (self.air.is_some() || !self.queue.is_empty());
                if Instant::now() >= self.not_before && !in_the_way {
                    drop(self.join(ask, false));
                }
                return Answer::Now(token);
            }
        }
        Answer::Wait(self.join(ask, true))
    }

    /// Whether the grant is nothing but the tokens at hand.
    fn is_transient(&self) -> bool {
        matches!(&self.hold, Some(Hold::Saved(held)) if held.is_transient())
    }

    fn best(&self, ask: &Ask, good: impl Fn(Freshness) -> bool) -> Option<Arc<IssuedToken>> {
        self.cache.best(ask, self.scope_case()?, self.broker.clock.now(), good)
    }

    fn scope_case(&self) -> Option<ScopeCase> {
        Some(self.provider.as_ref()?.profile.registration.provider.scope_case())
    }

    /// What serves until a refresh is possible again.
    fn standby(&self, ask: &Ask, grace: bool) -> Option<Served> {
        if let Some(token) = self.best(ask, |judged| judged != Freshness::Expired) {
            return Some(Served { token, extended: false, source: Source::Memory });
        }
        let profile = &self.provider.as_ref()?.profile;
        // Who has said more than "a token" gets what was asked for, or nothing.
        if !grace || !profile.silent.outage_grace || !ask.is_soft() || ask.reject.is_some() {
            return None;
        }
        let case = profile.registration.provider.scope_case();
        let token = self.cache.best_in_grace(ask, case, self.broker.clock.now())?;
        tracing::info!(account = %self.id, "the provider is away: an expired token serves by its extended life");
        Some(Served { token, extended: true, source: Source::Memory })
    }

    /// Remembers a failure, and how long to leave the provider and the store in peace when nobody waits.
    fn note(&mut self, failure: Option<&Refusal>) {
        let Some(refusal) = failure else {
            self.pause = FIRST_PAUSE;
            self.not_before = Instant::now();
            self.store.early = true;
            self.last_error = None;
            return;
        };
        let is_unsaved = matches!(self.hold, Some(Hold::Unsaved { .. }));
        // No client secret, a CA file that cannot be read: nothing was sent, and every attempt looks into the keyring.
        let is_ours = refusal.remedy == Remedy::None && refusal.body.provider.is_none();
        if let (Remedy::Time, Some(seconds)) = (refusal.remedy, refusal.body.retry_after) {
            // The provider's gate counts the failures already; counted here as well, the pause would outlast the outage. Not everything has
            // a gate, and "in 0 s" is no pause.
            self.not_before = Instant::now() + Duration::from_secs(seconds).max(FIRST_PAUSE);
        } else if refusal.remedy == Remedy::Time || is_unsaved || is_ours {
            self.not_before = Instant::now() + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        let error = refusal.body.error.as_str();
        tracing::info!(account = %self.id, error, description = refusal.body.error_description, "no token");
        self.last_error = Some(api::LastError { at: rfc3339(self.broker.clock.now()), body: refusal.body.clone() });
    }

    fn describe(&self) -> Description {
        let card = self.broker.accounts.card(&self.id);
        let here = self.provider.as_ref().is_some_and(|provider| {
            // Signed in where its profile does not lead any more: as if that were gone.
            card.as_ref().is_none_or(|card| card.is_of(&provider.profile))
        });
        let (username, profile) = card.map(|card| (card.username.clone(), card.profile.clone())).unwrap_or_default();
        let queued = self.queue.iter().filter_map(|job| match job {
            Job::Refresh { progress, .. } => Some(progress),
            _ => None,
        });
        let in_the_air = self.flying.iter().map(|flying| &flying.progress);
        let flight = |progress: &watch::Sender<Progress>| api::FlightSummary {
            kind: "refresh".into(),
            profile: profile.clone(),
            account: Some(username.clone()),
            waiters: progress.receiver_count(),
        };
        let flights = in_the_air.chain(queued).map(flight).collect();
        let account = api::Account {
            id: self.id.to_string(),
            username,
            profile,
            state: if here { self.seen.state } else { api::AccountState::NoProfile },
            scope: self.seen.scope.clone(),
            signed_in_at: self.seen.signed_in_at.map(rfc3339),
            refresh_token_expires_at: self.seen.refresh_expires_at.map(rfc3339),
            tokens: self.cache.summaries(self.broker.clock.now()),
            last_error: self.last_error.clone(),
        };
        Description { account, flights }
    }
}
