//! Device authorizations the provider refused and would refuse again: a loop of scripts must not hammer it. What another
//! request was refused for, by a single parameter perhaps, says nothing of this one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_oauth::device::AuthorizationParameters;
use broker_oauth::extra::ExtraParameters;
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
pub(super) struct Refusals(Mutex<State>);

#[derive(Default)]
struct State {
    /// Oldest first.
    kept: VecDeque<Refused>,
    /// How often they were forgotten: a refusal of what was asked before is not remembered after.
    era: u64,
}

struct Refused {
    request: Request,
    failure: Failure,
    until: Instant,
}

/// All that tells one request of a profile's from another.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Request {
    scopes: ScopeSet,
    target: Target,
    claims: Option<String>,
    locale: Option<String>,
    extra: ExtraParameters,
}

impl From<AuthorizationParameters<'_>> for Request {
    fn from(parameters: AuthorizationParameters<'_>) -> Self {
        Self {
            scopes: parameters.scopes.clone(),
            target: parameters.target.clone(),
            claims: parameters.claims.map(str::to_owned),
            locale: parameters.locale.map(str::to_owned),
            extra: parameters.extra.clone(),
        }
    }
}

impl Refusals {
    /// The refusal that is remembered for such a request, or else the era in which it is asked.
    pub(super) fn check(&self, request: &Request) -> Result<u64, Fault> {
        let mut state = self.state();
        state.kept.retain(|refused| refused.until > Instant::now());
        match state.kept.iter().find(|refused| refused.request == *request) {
            Some(refused) => Err(refused.failure.clone().into()),
            None => Ok(state.era),
        }
    }

    /// Remembers a refusal in OAuth's words of what was asked in this era. Those that time heals are not told to this.
    pub(super) fn remember(&self, request: Request, failure: &Failure, era: u64) {
        if !matches!(failure, Failure::OAuth(_)) {
            return;
        }
        let mut state = self.state();
        if state.era != era {
            return;
        }
        while state.kept.len() >= MOST {
            state.kept.pop_front();
        }
        state.kept.push_back(Refused { request, failure: failure.clone(), until: Instant::now() + REMEMBERED });
    }

    /// The client proves itself in another way from here on.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.era += 1;
        state.kept.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
