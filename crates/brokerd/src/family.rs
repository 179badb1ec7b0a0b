//! Family refresh tokens: a profile without a sign-in of its own comes to one by another profile's.
//!
//! 1. Find who can lend: accounts of other profiles in the same cloud, both sides willing (`share_family`), whose grant the
//!    provider has marked as the family's.
//! 2. The lender's task redeems its refresh token once with the borrower's client id; nobody else sees it.
//! 3. What comes is the borrower's own grant, adopted like a sign-in's. From there on the two have nothing to do with each
//!    other.
//!
//! A refusal is remembered for an hour, so that a client outside the family does not ask at every call. What could change
//! the answer forgets it: a sign-in under either profile, a profile changed, another client secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_oauth::failure::Failure;
use broker_oauth::token::TokenResponse;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::account::{Ask, Command, Key, Loan, NoLoan};
use crate::accounts::Card;
use crate::broker::Broker;
use crate::explain::{self, Refusal, Remedy};
use crate::flight::{Landing, Progress, Waiter, channel};
use crate::grant::{AccountId, Grant};
use crate::provider::{Fault, Provider};

/// How long a refusal is remembered.
const MEMORY: Duration = Duration::from_secs(3600);
/// Refusals remembered; the oldest goes first.
const MOST: usize = 256;

/// Whose sign-in is wanted.
pub(crate) enum Whom {
    /// Anybody's, if all who can lend are one user.
    Anybody,
    /// A user's of this name.
    Named(String),
    /// The user's with this home id.
    User(String),
}

/// The loans in the air, and the refusals. One mutex, never held over an await.
#[derive(Default)]
pub(crate) struct Families {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pending: Vec<Pending>,
    refused: Vec<Refused>,
    /// How often something was forgotten: a refusal of what was asked before is not remembered after.
    era: u64,
}

/// What is borrowed: the account of this user under this profile, as the profile was when it was asked for.
#[derive(Clone)]
struct Wanted {
    borrower: Arc<Provider>,
    user: String,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.borrower, &other.borrower) && self.user == other.user
    }
}

struct Pending {
    wanted: Wanted,
    key: Key,
    progress: watch::Sender<Progress>,
}

/// A loan that a caller waits for.
pub(crate) struct Joined {
    /// How it ends.
    pub waiter: Waiter,
    /// Whether it was asked for something else: that it is refused then says nothing of what this caller wants.
    pub for_another: bool,
}

struct Refused {
    at: Instant,
    profile: String,
    client_id: String,
    /// The lender's profile.
    lender: String,
    /// `None`: the client is not in the family, whoever lends and whatever is asked.
    what: Option<(AccountId, Key)>,
}

impl Families {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the loan that brings the account meant, or starts it; `None` if nobody can lend.
    pub(crate) fn join_or_start(
        &self,
        broker: &Arc<Broker>,
        borrower: &Arc<Provider>,
        whom: &Whom,
        ask: &Ask,
    ) -> Option<Joined> {
        let lenders = lenders(broker, borrower, whom);
        let user = lenders.first()?.home_id.clone()?;
        if lenders.iter().any(|lender| lender.home_id.as_ref() != Some(&user)) {
            return None; // whose, is for a person to say
        }
        let mut state = self.state();
        let wanted = Wanted { borrower: Arc::clone(borrower), user };
        if let Some(found) = state.pending.iter().find(|pending| pending.wanted == wanted) {
            return Some(Joined { waiter: found.progress.subscribe(), for_another: found.key != ask.key() });
        }
        state.refused.retain(|refused| refused.at.elapsed() < MEMORY);
        let lenders: Vec<_> = lenders.into_iter().filter(|lender| !state.has_refused(borrower, lender, ask)).collect();
        if lenders.is_empty() {
            return None;
        }
        let (progress, waiter) = channel();
        state.pending.push(Pending { wanted: wanted.clone(), key: ask.key(), progress: progress.clone() });
        let known = !broker.accounts.find(&borrower.profile, Some(&wanted.user)).is_empty();
        let loan = Borrowing { broker: Arc::clone(broker), ask: ask.clone(), wanted, known, era: state.era };
        broker.tasks.spawn(loan.fly(lenders, progress));
        Some(Joined { waiter, for_another: false })
    }

    /// Forgets what was refused to a profile, and to others for what it has: the next answer may be another.
    pub(crate) fn forget(&self, profile: &str) {
        let mut state = self.state();
        state.era += 1;
        state.refused.retain(|refused| refused.profile != profile && refused.lender != profile);
    }
}

impl State {
    fn has_refused(&self, borrower: &Provider, lender: &Card, ask: &Ask) -> bool {
        let profile = &borrower.profile;
        self.refused.iter().any(|refused| {
            refused.profile == profile.name
                && refused.client_id == profile.registration.client_id
                && refused.what.as_ref().is_none_or(|(id, key)| *id == lender.id && *key == ask.key())
        })
    }
}

/// The accounts that can lend, those of one profile after those of another.
fn lenders(broker: &Broker, borrower: &Provider, whom: &Whom) -> Vec<Arc<Card>> {
    let profiles = broker.profiles();
    let can_lend = |card: &Card| {
        let lender = profiles.providers.get(&card.profile).map(|provider| &provider.profile);
        card.family.is_some()
            && card.profile != borrower.profile.name
            && lender.is_some_and(|lender| {
                card.is_of(lender) && lender.silent.share_family && lender.is_in_cloud_of(&borrower.profile)
            })
    };
    let is_meant = |card: &Card| match whom {
        Whom::Anybody => true,
        Whom::Named(name) => card.answers_to(name),
        Whom::User(home_id) => card.home_id.as_ref() == Some(home_id),
    };
    broker.accounts.cards().into_iter().filter(|card| can_lend(card) && is_meant(card)).collect()
}

struct Borrowing {
    broker: Arc<Broker>,
    ask: Ask,
    wanted: Wanted,
    /// Whether the borrower had an account of the user's when this began.
    known: bool,
    era: u64,
}

/// The loan's place among those that can be joined.
struct InTheAir<'l> {
    families: &'l Families,
    wanted: &'l Wanted,
}

impl Drop for InTheAir<'_> {
    fn drop(&mut self) {
        self.families.state().pending.retain(|pending| pending.wanted != *self.wanted);
    }
}

impl Borrowing {
    /// Runs to the end whoever leaves: what the provider gave is saved.
    async fn fly(self, lenders: Vec<Arc<Card>>, progress: watch::Sender<Progress>) {
        // Whatever becomes of this task, nobody joins a loan that nobody flies.
        let pending = InTheAir { families: &self.broker.families, wanted: &self.wanted };
        let landing = self.run(lenders).await;
        drop(pending);
        progress.send_replace(Progress::Landed(landing));
    }

    /// Asks one lender after the other until one has something to lend that the provider takes. An outage is no answer, and
    /// ends the round.
    async fn run(&self, lenders: Vec<Arc<Card>>) -> Landing {
        let mut outcome = Refusal::sign_in("no profile has a refresh token to lend");
        for lender in lenders {
            let fault = match self.ask(&lender.id).await {
                Err(NoLoan::NothingToLend) => continue,
                Err(NoLoan::Useless) => None,
                Err(NoLoan::Fault(fault)) => Some(fault),
                Ok(response) => return self.adopt(&lender, *response).await,
            };
            let refusal = fault.as_ref().map(|fault| explain::fault(fault, &self.wanted.borrower.profile));
            if let Some(outage) = refusal.filter(|refusal| refusal.remedy == Remedy::Time) {
                return Err(outage);
            }
            let is_stranger = fault.as_ref().is_some_and(is_stranger);
            self.remember(&lender, fault.as_ref(), is_stranger);
            outcome = Refusal::sign_in("the refresh tokens of the other profiles do not serve this one");
            if is_stranger {
                break; // whoever lends
            }
        }
        Err(outcome)
    }

    /// What was lent is the borrower's, if that is still what it was when it asked.
    async fn adopt(&self, lender: &Card, response: TokenResponse) -> Landing {
        let profile = &self.wanted.borrower.profile;
        let (grant, token) = Grant::issued(profile, self.ask.target.clone(), response, self.broker.clock.now());
        let profiles = self.broker.profiles();
        if !profiles.providers.get(&profile.name).is_some_and(|now| grant.belongs_to(&now.profile)) {
            return Err(Refusal::sign_in("the profile's client or issuer was changed meanwhile"));
        }
        if self.known && self.broker.accounts.card(&grant.id).is_none() {
            return Err(Refusal::sign_in("the account was signed out meanwhile"));
        }
        tracing::info!(profile = profile.name, lender = lender.profile, "signed in by the family");
        self.broker.adopt(&self.wanted.borrower, grant, Arc::new(token)).await
    }

    async fn ask(&self, lender: &AccountId) -> Loan {
        let (reply, loan) = oneshot::channel();
        let command = Command::Lend { borrower: Arc::clone(&self.wanted.borrower), ask: self.ask.clone(), reply };
        self.broker.tell(lender, command).await;
        loan.await.unwrap_or(Err(NoLoan::NothingToLend))
    }

    fn remember(&self, lender: &Card, fault: Option<&Fault>, is_stranger: bool) {
        let profile = &self.wanted.borrower.profile;
        let why = fault.map_or_else(|| "the answer names somebody else, or nobody".to_owned(), Fault::to_string);
        tracing::info!(profile = profile.name, lender = lender.profile, why, "the family did not help");
        let mut state = self.broker.families.state();
        if state.era != self.era {
            return;
        }
        if state.refused.len() >= MOST {
            state.refused.remove(0);
        }
        state.refused.push(Refused {
            at: Instant::now(),
            profile: profile.name.clone(),
            client_id: profile.registration.client_id.clone(),
            lender: lender.profile.clone(),
            what: (!is_stranger).then(|| (lender.id.clone(), self.ask.key())),
        });
    }
}

/// Whether the client is none of the family.
fn is_stranger(fault: &Fault) -> bool {
    match fault {
        Fault::Refused(Failure::OAuth(response)) => response.suberror.as_deref() == Some("client_mismatch"),
        _ => false,
    }
}
