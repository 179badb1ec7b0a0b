//! What waits for its turn with the grant: queued, in the air one at a time, landed.

use std::sync::Arc;

use broker_ipc::api;
use broker_ipc::error::ErrorBody;
use broker_oauth::token::IssuedToken;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::due::Doubt;
use super::hold::{self, Brought, Hold};
use super::lend::{self, Loan};
use super::sign_out::SignOut;
use super::underway::{Sent, Underway};
use super::{Account, Ask, Flying, refresh};
use crate::explain::Refusal;
use crate::flight::{Landed, Landing, Progress, Waiter, channel, landed};
use crate::provider::Provider;

/// A request that waits for its turn with the grant.
pub(super) enum Job {
    Refresh {
        ask: Ask,
        progress: watch::Sender<Progress>,
        wanted: bool,
    },
    Adopt {
        brought: Box<Brought>,
        reply: oneshot::Sender<Landing>,
    },
    SignOut {
        reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>>,
        by: Instant,
        revoke: bool,
    },
    Lend {
        borrower: Arc<Provider>,
        ask: Ask,
        reply: oneshot::Sender<Loan>,
    },
    Load,
    Save,
    /// Write once more what the store may have lost.
    Rewrite,
}

impl Job {
    /// Whether every caller has gone before it began.
    fn is_abandoned(&self) -> bool {
        matches!(self, Self::Refresh { progress, wanted: true, .. } if progress.receiver_count() == 0)
    }
}

/// A job done: what became of the grant, and what to tell.
pub(super) struct Done {
    hold: Hold,
    outcome: Outcome,
}

enum Outcome {
    Refreshed {
        progress: watch::Sender<Progress>,
        landing: Result<Arc<IssuedToken>, Refusal>,
        /// That of the refusals when it took off.
        era: u64,
    },
    Adopted {
        token: Arc<IssuedToken>,
        reply: oneshot::Sender<Landing>,
        saved: Result<(), Refusal>,
    },
    SignedOut {
        reply: oneshot::Sender<Result<api::SignedOut, ErrorBody>>,
        result: Result<api::SignedOut, ErrorBody>,
        revoke: bool,
    },
    Lent(Loan),
    Loaded(Result<(), Refusal>),
    Saved(Result<(), Refusal>),
    Rewritten(Result<(), Refusal>),
}

impl Account {
    /// Subscribes to the flight, in the air or queued, that brings what is asked; queues one if there is none.
    /// What was refused a moment ago is not asked again.
    pub(super) fn join(&mut self, ask: Ask, wanted: bool) -> Waiter {
        let key = ask.key();
        if let Some(refusal) = self.refusals.get(&key) {
            return landed(Err(refusal));
        }
        if let Some(flying) = &self.flying
            && flying.key.as_ref() == Some(&key)
        {
            return flying.progress.subscribe();
        }
        self.queue.retain(|job| !job.is_abandoned());
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
    pub(super) fn take_off(&mut self) {
        while self.air.is_none() {
            let Some(job) = self.queue.pop_front() else { return };
            if job.is_abandoned() {
                continue;
            }
            let Some(hold) = self.hold.take() else { return self.queue.push_front(job) };
            self.seen = hold.seen();
            let (broker, provider) = (Arc::clone(&self.broker), self.provider.clone());
            let id = self.id.clone();
            // What is unsaved is all there is of it, and is saved first.
            let is_safe = !matches!(hold, Hold::Unsaved { .. });
            self.sent = self.sent.take().filter(Sent::is_at_work);
            let underway = Underway::new(job.asks() && is_safe, self.sent.clone());
            self.underway = underway.clone();
            self.air = Some(match job {
                Job::Refresh { ask, progress, .. } => {
                    let (key, progress) = (Some(ask.key()), progress);
                    self.flying = Some(Flying { key, ask: ask.clone(), progress: progress.clone() });
                    let era = self.refusals.era();
                    Box::pin(async move {
                        let flown = refresh::fly(&broker, provider.as_deref(), &id, hold, &ask, &underway).await;
                        let (hold, landing) = flown;
                        Done { hold, outcome: Outcome::Refreshed { progress, landing, era } }
                    })
                }
                Job::Adopt { brought, reply } => Box::pin(async move {
                    let token = Arc::clone(&brought.token);
                    let adopted = hold::adopt(&broker, provider.as_deref(), &id, hold, *brought).await;
                    let (hold, saved) = adopted;
                    Done { hold, outcome: Outcome::Adopted { token, reply, saved } }
                }),
                Job::SignOut { reply, by, revoke } => {
                    let end = SignOut { by, cut_off: self.sent.is_some(), revoke };
                    Box::pin(async move {
                        let (hold, result) = end.run(&broker, provider.as_deref(), &id, hold).await;
                        Done { hold, outcome: Outcome::SignedOut { reply, result, revoke } }
                    })
                }
                Job::Lend { borrower, ask, reply } => {
                    self.lending = Some(reply);
                    Box::pin(async move {
                        let lent =
                            lend::lend(&broker, provider.as_deref(), &id, hold, &borrower, &ask, &underway).await;
                        let (hold, loan) = lent;
                        Done { hold, outcome: Outcome::Lent(loan) }
                    })
                }
                Job::Load => Box::pin(async move {
                    let (hold, loaded) = refresh::recover(&broker, provider.as_deref(), &id, hold, &underway).await;
                    Done { hold, outcome: Outcome::Loaded(loaded) }
                }),
                Job::Save => Box::pin(async move {
                    let (hold, saved) = hold::save_again(&broker, hold).await;
                    Done { hold, outcome: Outcome::Saved(saved) }
                }),
                Job::Rewrite => Box::pin(async move {
                    let (hold, written) = hold::write_again(&broker, hold).await;
                    Done { hold, outcome: Outcome::Rewritten(written) }
                }),
            });
        }
    }

    /// Takes the grant back and tells everybody.
    pub(super) fn land(&mut self, done: Done) {
        self.shelf.hide();
        self.air = None;
        // There is a copy of the grant in it.
        self.underway = Underway::default();
        let flown = self.flying.take().and_then(|flying| flying.key);
        let outdated = std::mem::take(&mut self.outdated) || self.is_foreign(&done.hold);
        let before = self.seen.state;
        let rejected = std::mem::take(&mut self.rejected);
        let mut hold = rejected.apply(done.hold);
        self.seen = hold.seen();
        // A token that waited for its grant to be saved.
        if let Hold::Saved(grant) = &mut hold
            && let Some(token) = grant.released.take()
            && !outdated
        {
            self.cache.keep(token, false, self.broker.clock.now());
        }
        let over = hold.is_dead();
        self.hold = Some(hold);
        match done.outcome {
            Outcome::Refreshed { progress, landing, era } => {
                let landing = landing.and_then(|token| rejected.check(over, token));
                let landing = landing.and_then(|token| {
                    if self.cache.has_rejected(&token) {
                        let again = "the provider gives out the token again that a resource has refused";
                        return Err(Refusal { unusable: true, ..Refusal::sign_in(again) });
                    }
                    Ok(token)
                });
                self.note(landing.as_ref().err());
                self.kept_alive(flown.as_ref(), landing.as_ref().err());
                if let (Err(refusal), Some(key)) = (&landing, flown) {
                    self.refusals.remember(key, refusal, era);
                }
                let landing = landing.map(|token| self.landed(token, true));
                progress.send_replace(Progress::Landed(landing));
            }
            Outcome::Adopted { token, reply, saved } => {
                self.cut_at = None;
                self.adopted(saved.as_ref().err());
                if self.may_be_somebody_elses(saved.is_ok()) {
                    self.cache.clear();
                }
                self.note(saved.as_ref().err());
                self.refusals.clear();
                drop(reply.send(saved.map(|()| self.landed(token, false))));
            }
            Outcome::SignedOut { reply, result, revoke } => {
                self.cut_at = None;
                if result.is_ok() {
                    self.cache.clear();
                }
                let doubt = if revoke { Doubt::Stay } else { Doubt::GiveWay };
                self.store.doubt = result.is_err().then_some(doubt);
                drop(reply.send(result));
            }
            // Another client's luck says nothing of this account.
            Outcome::Lent(loan) => drop(self.lending.take().map(|reply| reply.send(loan))),
            Outcome::Loaded(outcome) | Outcome::Saved(outcome) => self.note(outcome.as_ref().err()),
            Outcome::Rewritten(outcome) => {
                if outcome.is_ok() {
                    self.store.doubt = None;
                }
                self.note(outcome.as_ref().err());
            }
        }
        if outdated {
            self.cache.clear();
        }
        // Whoever is told by the id of one that has signed out may be told of its successor.
        if before != self.seen.state && !matches!(self.hold, Some(Hold::SignedOut)) {
            self.broker.account_changed(&self.id, self.seen.state);
        }
    }

    /// Whether a sign-in that was taken over may be another person's than the one before: its provider names nobody.
    fn may_be_somebody_elses(&self, saved: bool) -> bool {
        match &self.hold {
            Some(Hold::Saved(kept)) => saved && kept.grant.identity.subject.is_none(),
            Some(Hold::Unsaved { grant, .. }) => grant.identity.subject.is_none(),
            _ => false,
        }
    }

    /// Whether the grant is of another client or issuer than the profile now names: a sign-in landed after a reload.
    fn is_foreign(&self, hold: &Hold) -> bool {
        match (hold, &self.provider) {
            (Hold::Saved(kept), Some(provider)) => !kept.grant.belongs_to(&provider.profile),
            _ => false,
        }
    }

    fn landed(&mut self, token: Arc<IssuedToken>, by_refresh: bool) -> Landed {
        self.cache.keep(Arc::clone(&token), by_refresh, self.broker.clock.now());
        Landed { account: self.id.clone(), token }
    }
}

/// The flight's landing; pends for ever while there is none.
pub(super) async fn landing(air: &mut Option<BoxFuture<'static, Done>>) -> Done {
    match air {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}
