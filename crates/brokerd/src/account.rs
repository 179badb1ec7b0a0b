//! One account: the task that owns its grant.
//!
//! Nobody else ever sees the refresh token. With rotation it is the unit of serialisation, so all scopes, resources and
//! tenants of the account queue here, one flight at a time; a caller who wants what is already on its way joins.

mod ask;
mod hold;
mod refresh;
mod sign_out;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api;
use broker_ipc::error::ErrorBody;
use broker_oauth::refresh::{Freshness, freshness};
use broker_oauth::token::IssuedToken;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub(crate) use self::ask::Ask;
use self::ask::Key;
pub(crate) use self::hold::Hold;
pub(crate) use self::sign_out::revoke;
use crate::broker::Broker;
use crate::clock::rfc3339;
use crate::explain::{Refusal, Remedy};
use crate::flight::{Landed, Landing, Progress, Waiter, channel};
use crate::grant::{AccountId, Grant};
use crate::provider::Provider;

/// Requests that may wait in a mailbox.
const MAILBOX: usize = 1024;
/// Tokens kept in memory for one account; the oldest goes first.
const MAX_TOKENS: usize = 64;
/// The first pause after a failed refresh that nobody waits for, and after a failed save; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What an account can be told.
pub(crate) enum Command {
    /// A token, please.
    Token { ask: Ask, reply: oneshot::Sender<Answer> },
    /// The provider is away: is there a token that still lives?
    Standby { ask: Ask, reply: oneshot::Sender<Option<Arc<IssuedToken>>> },
    /// A sign-in brought a new grant.
    Adopt { grant: Box<Grant>, token: Arc<IssuedToken>, reply: oneshot::Sender<Landing> },
    /// End the sign-in.
    SignOut { reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>> },
    /// How do you stand?
    Describe { reply: oneshot::Sender<Description> },
    /// Read the grant, and act on an intent found in it.
    Load,
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

/// The answer to [`Command::Token`].
pub(crate) enum Answer {
    /// Here it is.
    Now(Arc<IssuedToken>),
    /// It is on its way.
    Wait(Waiter),
}

/// A request that waits for its turn with the grant.
enum Job {
    Refresh { ask: Ask, progress: watch::Sender<Progress>, wanted: bool },
    Adopt { grant: Box<Grant>, token: Arc<IssuedToken>, reply: oneshot::Sender<Landing> },
    SignOut { reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>> },
    Load,
    Save,
}

/// A job done: what became of the grant, and what to tell.
struct Done {
    hold: Hold,
    outcome: Outcome,
}

enum Outcome {
    Refreshed { progress: watch::Sender<Progress>, landing: Result<Arc<IssuedToken>, Refusal> },
    Adopted { token: Arc<IssuedToken>, reply: oneshot::Sender<Landing>, saved: Result<(), Refusal> },
    SignedOut { reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>>, result: Result<api::SignedOut, ErrorBody> },
    Loaded(Result<(), Refusal>),
    Saved(Result<(), Refusal>),
}

struct Account {
    broker: Arc<Broker>,
    id: AccountId,
    provider: Option<Arc<Provider>>,
    /// `None` while a flight has it.
    hold: Option<Hold>,
    /// How the grant stood when it was last here.
    seen: hold::Seen,
    tokens: VecDeque<Arc<IssuedToken>>,
    air: Option<BoxFuture<'static, Done>>,
    /// What the refresh in the air will bring, so that others can join.
    flying: Option<(Key, watch::Sender<Progress>)>,
    /// Whether the flight in the air took off under a profile that has changed since: its token is kept for nobody.
    outdated: bool,
    queue: VecDeque<Job>,
    /// When a refresh behind a stale token, or a save, may be tried again.
    not_before: Instant,
    pause: Duration,
    last_error: Option<api::LastError>,
}

/// Starts an account's task and returns its mailbox. The task ends when it signed out, or when the daemon stops and its
/// flight has landed.
pub(crate) fn spawn(
    broker: &Arc<Broker>,
    id: AccountId,
    provider: Option<Arc<Provider>>,
    hold: Hold,
) -> mpsc::Sender<Command> {
    let (sender, mailbox) = mpsc::channel(MAILBOX);
    let account = Account {
        broker: Arc::clone(broker),
        id,
        provider,
        seen: hold.seen(),
        hold: Some(hold),
        tokens: VecDeque::new(),
        air: None,
        flying: None,
        outdated: false,
        queue: VecDeque::new(),
        not_before: Instant::now(),
        pause: FIRST_PAUSE,
        last_error: None,
    };
    broker.tasks.spawn(account.run(mailbox));
    sender
}

impl Account {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Command>) {
        let stop = self.broker.stop.clone();
        let mut open = true;
        while !matches!(self.hold, Some(Hold::SignedOut)) {
            self.take_off();
            let unsaved = matches!(self.hold, Some(Hold::Unsaved { .. })) && self.air.is_none();
            if !open && !unsaved && self.air.is_none() {
                return;
            }
            tokio::select! {
                biased;
                done = landing(&mut self.air) => self.land(done),
                // Signing out takes the mailbox from the registry while its flight is still in the air.
                command = mailbox.recv(), if open => match command {
                    Some(command) => self.accept(command),
                    None => open = false,
                },
                () = tokio::time::sleep_until(self.not_before), if unsaved => self.queue.push_back(Job::Save),
                () = stop.cancelled() => return self.leave(mailbox).await,
            }
        }
        self.end(mailbox);
    }

    /// Signed out: whoever still waits is told, and a sign-in that came meanwhile begins the account anew.
    fn end(mut self, mut mailbox: mpsc::Receiver<Command>) {
        mailbox.close();
        while let Ok(command) = mailbox.try_recv() {
            if matches!(command, Command::Token { .. } | Command::Adopt { .. }) {
                self.accept(command);
            }
        }
        for job in std::mem::take(&mut self.queue) {
            match job {
                Job::Refresh { progress, .. } => {
                    let gone = Refusal::sign_in("the account was signed out meanwhile");
                    progress.send_replace(Progress::Landed(Err(gone)));
                }
                Job::Adopt { grant, token, reply } => {
                    let broker = Arc::clone(&self.broker);
                    self.broker.tasks.spawn(async move { drop(reply.send(broker.adopt(*grant, token).await)) });
                }
                Job::SignOut { .. } | Job::Load | Job::Save => {}
            }
        }
    }

    /// The daemon stops: what is in the air lands and is saved, also a sign-in that came last; what waits is told.
    async fn leave(mut self, mut mailbox: mpsc::Receiver<Command>) {
        self.turn_away();
        loop {
            if self.air.is_some() {
                let done = landing(&mut self.air).await;
                self.land(done);
            }
            while let Ok(command) = mailbox.try_recv() {
                self.accept(command);
            }
            self.turn_away();
            if matches!(self.hold, Some(Hold::Unsaved { .. }))
                && self.queue.is_empty()
                && !self.broker.stop_now.is_cancelled()
            {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = self.broker.stop_now.cancelled() => return,
                }
                self.queue.push_back(Job::Save);
            }
            self.take_off();
            if self.air.is_none() {
                return;
            }
        }
    }

    /// Tells everybody whose turn will not come any more. Grants of sign-ins stay: they are saved.
    fn turn_away(&mut self) {
        for job in std::mem::take(&mut self.queue) {
            match job {
                Job::Refresh { progress, .. } => {
                    progress.send_replace(Progress::Landed(Err(Refusal::shutting_down())));
                }
                Job::Adopt { .. } => self.queue.push_back(job),
                Job::SignOut { reply } => drop(reply.send(Err(Refusal::shutting_down().body))),
                Job::Load | Job::Save => {}
            }
        }
    }

    fn accept(&mut self, command: Command) {
        match command {
            Command::Token { ask, reply } => {
                let answer = self.admit(ask);
                drop(reply.send(answer));
            }
            Command::Standby { ask, reply } => {
                drop(reply.send(self.best(&ask, |judged| judged != Freshness::Expired)));
            }
            Command::Adopt { grant, token, reply } => self.queue.push_back(Job::Adopt { grant, token, reply }),
            Command::SignOut { reply } => self.queue.push_back(Job::SignOut { reply }),
            Command::Describe { reply } => drop(reply.send(self.describe())),
            Command::Load => self.queue.push_back(Job::Load),
            Command::Reconfigure { provider } => {
                self.provider = provider;
                self.tokens.clear();
                self.flying = None;
                self.outdated = self.air.is_some();
            }
        }
    }

    /// A cached token, or the flight that will bring one.
    fn admit(&mut self, ask: Ask) -> Answer {
        if let Some(rejected) = &ask.reject {
            self.reject(rejected);
        }
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
                if Instant::now() >= self.not_before {
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

    /// Forgets exactly the token a resource refused. A grant that is that token is over.
    fn reject(&mut self, sha256: &str) {
        self.tokens.retain(|token| token.access_token.sha256_hex() != sha256);
        if let Some(Hold::Saved(grant)) = &mut self.hold {
            grant.reject(sha256);
        }
    }

    fn best(&self, ask: &Ask, good: impl Fn(Freshness) -> bool) -> Option<Arc<IssuedToken>> {
        let case = self.provider.as_ref()?.profile.registration.provider.scope_case();
        let now = self.broker.clock.now();
        self.tokens
            .iter()
            .filter(|token| ask.is_served_by(token, case) && good(freshness(token, now, ask.min_validity)))
            .max_by_key(|token| token.expires_at.map_or(i64::MAX, jiff::Timestamp::as_second))
            .cloned()
    }

    /// Subscribes to the flight, in the air or queued, that brings what is asked; queues one if there is none.
    fn join(&mut self, ask: Ask, wanted: bool) -> Waiter {
        let key = ask.key();
        if let Some((flying, progress)) = &self.flying
            && *flying == key
        {
            return progress.subscribe();
        }
        for job in &mut self.queue {
            if let Job::Refresh { ask: queued, progress, wanted: queued_wanted } = job
                && queued.key() == key
            {
                *queued_wanted |= wanted;
                return progress.subscribe();
            }
        }
        let (progress, waiter) = channel();
        self.queue.push_back(Job::Refresh { ask, progress, wanted });
        waiter
    }

    /// Starts the next job, if the grant is here.
    fn take_off(&mut self) {
        while self.air.is_none() {
            let Some(job) = self.queue.pop_front() else { return };
            if let Job::Refresh { progress, wanted: true, .. } = &job
                && progress.receiver_count() == 0
            {
                continue; // every caller has gone before it began
            }
            let Some(hold) = self.hold.take() else { return self.queue.push_front(job) };
            self.seen = hold.seen();
            let (broker, provider) = (Arc::clone(&self.broker), self.provider.clone());
            let id = self.id.clone();
            self.air = Some(match job {
                Job::Refresh { ask, progress, .. } => {
                    self.flying = Some((ask.key(), progress.clone()));
                    Box::pin(async move {
                        let (hold, landing) = refresh::fly(&broker, provider.as_deref(), &id, hold, &ask).await;
                        Done { hold, outcome: Outcome::Refreshed { progress, landing } }
                    })
                }
                Job::Adopt { grant, token, reply } => Box::pin(async move {
                    let (hold, saved) = hold::save(&broker, *grant, Some(Arc::clone(&token))).await;
                    Done { hold, outcome: Outcome::Adopted { token, reply, saved } }
                }),
                Job::SignOut { reply } => Box::pin(async move {
                    let (hold, result) = sign_out::sign_out(&broker, provider.as_deref(), &id, hold).await;
                    Done { hold, outcome: Outcome::SignedOut { reply, result } }
                }),
                Job::Load => Box::pin(async move {
                    let (hold, loaded) = refresh::recover(&broker, provider.as_deref(), &id, hold).await;
                    Done { hold, outcome: Outcome::Loaded(loaded) }
                }),
                Job::Save => Box::pin(async move {
                    let (hold, saved) = hold::save_again(&broker, hold).await;
                    Done { hold, outcome: Outcome::Saved(saved) }
                }),
            });
        }
    }

    /// Takes the grant back and tells everybody.
    fn land(&mut self, done: Done) {
        self.air = None;
        self.flying = None;
        let outdated = std::mem::take(&mut self.outdated);
        let before = self.seen.state;
        self.seen = done.hold.seen();
        let mut hold = done.hold;
        // A token that waited for its grant to be saved.
        if let Hold::Saved(grant) = &mut hold
            && let Some(token) = grant.released.take()
            && !outdated
        {
            self.keep(token);
        }
        self.hold = Some(hold);
        match done.outcome {
            Outcome::Refreshed { progress, landing } => {
                self.note(landing.as_ref().err());
                let landing = landing.map(|token| self.landed(token));
                progress.send_replace(Progress::Landed(landing));
            }
            Outcome::Adopted { token, reply, saved } => {
                self.note(saved.as_ref().err());
                drop(reply.send(saved.map(|()| self.landed(token))));
            }
            Outcome::SignedOut { reply, result } => {
                if result.is_ok() {
                    self.tokens.clear();
                }
                drop(reply.send(result));
            }
            Outcome::Loaded(outcome) | Outcome::Saved(outcome) => self.note(outcome.as_ref().err()),
        }
        if outdated {
            self.tokens.clear();
        }
        if before != self.seen.state {
            self.broker.account_changed(&self.id, self.seen.state);
        }
    }

    fn landed(&mut self, token: Arc<IssuedToken>) -> Landed {
        self.keep(Arc::clone(&token));
        Landed { account: self.id.clone(), token }
    }

    /// Puts a token in the cache, in the place of one for the same.
    fn keep(&mut self, token: Arc<IssuedToken>) {
        let same =
            |old: &IssuedToken| old.target == token.target && (old.scope == token.scope || old.asked == token.asked);
        self.tokens.retain(|old| !same(old));
        while self.tokens.len() >= MAX_TOKENS {
            self.tokens.pop_front();
        }
        self.tokens.push_back(token);
    }

    /// Remembers a failure, and how long to leave the provider and the store in peace when nobody waits.
    fn note(&mut self, failure: Option<&Refusal>) {
        let Some(refusal) = failure else {
            self.pause = FIRST_PAUSE;
            self.not_before = Instant::now();
            self.last_error = None;
            return;
        };
        if refusal.remedy == Remedy::Time || matches!(self.hold, Some(Hold::Unsaved { .. })) {
            self.not_before = Instant::now() + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        let error = refusal.body.error.as_str();
        tracing::info!(account = %self.id, error, description = refusal.body.error_description, "no token");
        self.last_error = Some(api::LastError { at: rfc3339(self.broker.clock.now()), body: refusal.body.clone() });
    }

    fn describe(&self) -> Description {
        let card = self.broker.accounts.card(&self.id);
        let now = self.broker.clock.now();
        let live = |token: &&Arc<IssuedToken>| freshness(token, now, None) != Freshness::Expired;
        let (username, profile) = card.map(|card| (card.username, card.profile)).unwrap_or_default();
        let queued = self.queue.iter().filter_map(|job| match job {
            Job::Refresh { progress, .. } => Some(progress),
            _ => None,
        });
        let in_the_air = self.flying.iter().map(|(_, progress)| progress);
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
            state: if self.provider.is_none() { api::AccountState::NoProfile } else { self.seen.state },
            scope: self.seen.scope.clone(),
            signed_in_at: self.seen.signed_in_at.map(rfc3339),
            tokens: self.tokens.iter().filter(live).map(|token| summary(token)).collect(),
            last_error: self.last_error.clone(),
        };
        Description { account, flights }
    }
}

fn summary(token: &IssuedToken) -> api::TokenSummary {
    api::TokenSummary { scope: token.scope.to_string(), expires_at: token.expires_at.map(rfc3339) }
}

/// The flight's landing; pends for ever while there is none.
async fn landing(air: &mut Option<BoxFuture<'static, Done>>) -> Done {
    match air {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}
