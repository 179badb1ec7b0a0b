//! Device authorizations the provider refused and would refuse again: a loop of scripts must not hammer it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_oauth::failure::Failure;
use broker_oauth::scope::ScopeSet;
use broker_oauth::token::Target;
use tokio::time::Instant;

use super::Fault;

/// How long it is remembered: what is wrong is mended at the provider, and whoever mends it tries it then.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Refusals kept for one profile; the oldest goes first.
const MOST: usize = 16;

/// The refusals of one profile. A reload that changes the profile makes a new provider, without them.
#[derive(Default)]
pub(super) struct Refusals(Mutex<VecDeque<Refused>>);

struct Refused {
    scopes: ScopeSet,
    target: Target,
    failure: Failure,
    until: Instant,
}

impl Refusals {
    /// The refusal that is remembered for such a request, if there is one.
    pub(super) fn check(&self, scopes: &ScopeSet, target: &Target) -> Result<(), Fault> {
        let mut refusals = self.refusals();
        refusals.retain(|refused| refused.until > Instant::now());
        match refusals.iter().find(|refused| (&refused.scopes, &refused.target) == (scopes, target)) {
            Some(refused) => Err(refused.failure.clone().into()),
            None => Ok(()),
        }
    }

    /// Remembers a refusal in OAuth's words. Those that time heals are not told to this.
    pub(super) fn remember(&self, scopes: &ScopeSet, target: &Target, failure: &Failure) {
        if !matches!(failure, Failure::OAuth(_)) {
            return;
        }
        let mut refusals = self.refusals();
        while refusals.len() >= MOST {
            refusals.pop_front();
        }
        let (scopes, target) = (scopes.clone(), target.clone());
        refusals.push_back(Refused { scopes, target, failure: failure.clone(), until: Instant::now() + REMEMBERED });
    }

    /// The client proves itself in another way from here on.
    pub(super) fn forget(&self) {
        self.refusals().clear();
    }

    fn refusals(&self) -> MutexGuard<'_, VecDeque<Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
