//! Family refresh tokens: a profile without a sign-in of its own comes to one by another profile's.
//!
//! 1. Find who can lend: accounts of other profiles in the same cloud, both sides willing (`share_family`), whose grant the
//!    provider has marked as the family's.
//! 2. The lender's task redeems its refresh token once with the borrower's client id; nobody else sees it.
//! 3. What comes is the borrower's own grant, adopted like a sign-in's. From there on the two have nothing to do with each
//!    other.
//!
//! A refusal is remembered for an hour, so that a client outside the family does not ask at every call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_oauth::failure::Failure;
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
}

/// What is borrowed: the account of this user under this profile.
#[derive(Clone, PartialEq, Eq)]
struct Wanted {
    profile: String,
    user: String,
}

struct Pending {
    wanted: Wanted,
    progress: watch::Sender<Progress>,
}

struct Refused {
    at: Instant,
    profile: String,
    client_id: String,
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
    ) -> Option<Waiter> {
        let lenders = lenders(broker, borrower, whom);
        let user = lenders.first()?.home_id.clone()?;
        if lenders.iter().any(|lender| lender.home_id.as_ref() != Some(&user)) {
            return None; // whose, is for a person to say
        }
        let mut state = self.state();
        let wanted = Wanted { profile: borrower.profile.name.clone(), user };
        if let Some(found) = state.pending.iter().find(|pending| pending.wanted == wanted) {
            return Some(found.progress.subscribe());
        }
        state.refused.retain(|refused| refused.at.elapsed() < MEMORY);
        let lenders: Vec<_> = lenders.into_iter().filter(|lender| !state.has_refused(borrower, lender, ask)).collect();
        if lenders.is_empty() {
            return None;
        }
        let (progress, waiter) = channel();
        state.pending.push(Pending { wanted: wanted.clone(), progress: progress.clone() });
        let loan = Borrowing { broker: Arc::clone(broker), borrower: Arc::clone(borrower), ask: ask.clone(), wanted };
        broker.tasks.spawn(loan.fly(lenders, progress));
        Some(waiter)
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
fn lenders(broker: &Broker, borrower: &Provider, whom: &Whom) -> Vec<Card> {
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
    borrower: Arc<Provider>,
    ask: Ask,
    wanted: Wanted,
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
    async fn fly(self, lenders: Vec<Card>, progress: watch::Sender<Progress>) {
        // Whatever becomes of this task, nobody joins a loan that nobody flies.
        let pending = InTheAir { families: &self.broker.families, wanted: &self.wanted };
        let landing = self.run(lenders).await;
        drop(pending);
        progress.send_replace(Progress::Landed(landing));
    }

    /// Asks one lender after the other until one has something to lend.
    async fn run(&self, lenders: Vec<Card>) -> Landing {
        for lender in lenders {
            match self.ask(&lender.id).await {
                Err(NoLoan::NothingToLend) => {}
                Err(NoLoan::Useless) => return Err(self.refused(&lender, None)),
                Err(NoLoan::Fault(fault)) => return Err(self.refused(&lender, Some(&fault))),
                Ok(response) => {
                    let profile = &self.borrower.profile;
                    tracing::info!(profile = profile.name, lender = lender.profile, "signed in by the family");
                    let now = self.broker.clock.now();
                    let (grant, token) = Grant::issued(profile, self.ask.target.clone(), *response, now);
                    return self.broker.adopt(grant, Arc::new(token)).await;
                }
            }
        }
        Err(Refusal::sign_in("no profile has a refresh token to lend"))
    }

    async fn ask(&self, lender: &AccountId) -> Loan {
        let (reply, loan) = oneshot::channel();
        let command = Command::Lend { borrower: Arc::clone(&self.borrower), ask: self.ask.clone(), reply };
        self.broker.tell(lender, command).await;
        loan.await.unwrap_or(Err(NoLoan::NothingToLend))
    }

    /// Remembers a refusal. An outage is none.
    fn refused(&self, lender: &Card, fault: Option<&Fault>) -> Refusal {
        let profile = &self.borrower.profile;
        let refusal = fault.map(|fault| explain::fault(fault, profile));
        if let Some(outage) = refusal.filter(|refusal| refusal.remedy == Remedy::Time) {
            return outage;
        }
        let why = fault.map_or_else(|| "the answer names somebody else, or nobody".to_owned(), Fault::to_string);
        tracing::info!(profile = profile.name, lender = lender.profile, why, "the family did not help");
        let is_stranger = match fault {
            Some(Fault::Refused(Failure::OAuth(response))) => response.suberror.as_deref() == Some("client_mismatch"),
            _ => false,
        };
        let what = (!is_stranger).then(|| (lender.id.clone(), self.ask.key()));
        let mut state = self.broker.families.state();
        if state.refused.len() >= MOST {
            state.refused.remove(0);
        }
        let (profile, client_id) = (profile.name.clone(), profile.registration.client_id.clone());
        state.refused.push(Refused { at: Instant::now(), profile, client_id, what });
        Refusal::sign_in("the refresh tokens of the other profiles do not serve this one")
    }
}
