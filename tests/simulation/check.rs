//! What must hold between the daemon and the provider, read from the provider's log.

use std::collections::HashMap;
use std::time::Duration;

use support::fake_as::{FakeAs, Grant, Request};
use tokio::time::Instant;

/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(30);
/// How long after the last who waited for a person a device code may be asked about: by a question that was in the air, and was asked anew.
const AFTER: Duration = Duration::from_secs(60);
/// How often one grant may be refreshed in an hour for nobody: a failing one each five minutes in the end, twice each time.
const IDLE: usize = 48;

/// Looks at the log from where the last look ended.
#[derive(Default)]
pub(crate) struct Watch {
    seen: usize,
    /// What was seen when this was called the time before.
    idle_from: usize,
    seen_polls: usize,
    /// The refresh of each family that was begun last, and when it ended.
    last: Vec<(usize, usize)>,
    /// The first request of each daemon but the first; what was in the air before was the business of one that is gone.
    reborn: Vec<usize>,
}

impl Watch {
    /// The daemon has ended, and another begins.
    pub(crate) fn reborn(&mut self, server: &FakeAs) {
        self.reborn.push(self.seen + server.log_from(self.seen).len());
    }

    /// Guarantee 1: a refresh begins when the one before it of the same grant has ended. Guarantee 3: none begins while the
    /// store has taken nothing for longer than one can be in the air.
    pub(crate) fn look(
        &mut self,
        server: &FakeAs,
        store_down_since: Option<Instant>,
        rotates: bool,
    ) -> Result<(), String> {
        let log = server.log_from(self.seen);
        let fresh = (self.seen..).zip(&log).filter(|(_, request)| request.is(Grant::RefreshToken));
        for (number, request) in fresh {
            let Some(family) = request.field("refresh_token").and_then(|token| server.family_of(token)) else {
                return Err("a refresh token that nobody issued was sent".into());
            };
            let before = self.last.iter().find(|(of, _)| *of == family).map(|(_, before)| *before);
            if let Some(before) = before
                && let last = server.request(before)
                && !has_ended(&last, request)
                && !self.reborn.iter().any(|first| (before + 1..=number).contains(first))
            {
                let after = request.at - last.at;
                return Err(format!(
                    "two refreshes of one grant were in the air, the second {after:?} after the first"
                ));
            }
            self.last.retain(|(of, _)| *of != family);
            self.last.push((family, number));
            if rotates && store_down_since.is_some_and(|since| request.at > since + EXCHANGE + EXCHANGE) {
                return Err("a refresh token was spent while the store took nothing".into());
            }
        }
        (self.idle_from, self.seen) = (self.seen, self.seen + log.len());
        Ok(())
    }

    /// What is refreshed for nobody: a token that is kept alive, and what a crash cut off, again and again while that fails.
    pub(crate) fn look_at_idle(&self, server: &FakeAs, begin: Instant) {
        let log = server.log_from(self.idle_from);
        let mut hours = HashMap::<_, usize>::new();
        for request in log.iter().rev().take_while(|request| request.at >= begin) {
            let family = request.field("refresh_token").and_then(|token| server.family_of(token));
            if let Some(family) = family.filter(|_| request.is(Grant::RefreshToken)) {
                let count = hours.entry((family, (request.at - begin).as_secs() / 3600)).or_default();
                *count += 1;
                assert!(*count <= IDLE, "more than {IDLE} refreshes in an hour for nobody");
            }
        }
    }

    /// Guarantee 5.
    pub(crate) fn look_at_polls(&mut self, server: &FakeAs, waited: Instant) -> Result<(), String> {
        let log = server.log_from(self.seen_polls);
        let mut polls = log.iter().filter(|request| request.is(Grant::DeviceCode));
        polls.try_for_each(|poll| for_somebody(poll, waited))?;
        self.seen_polls += log.len();
        Ok(())
    }
}

/// Guarantee 5: nobody asks about a device code for nobody. `waited` is when somebody waited last.
fn for_somebody(request: &Request, waited: Instant) -> Result<(), String> {
    let since = request.at.saturating_duration_since(waited);
    if since > AFTER {
        Err(format!("a device code was asked about {since:?} after the last who waited"))
    } else {
        Ok(())
    }
}

fn has_ended(before: &Request, request: &Request) -> bool {
    before.ended.is_some_and(|ended| ended <= request.at) || request.at >= before.at + EXCHANGE
}
