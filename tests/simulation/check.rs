//! What must hold between the daemon and the provider, read from the provider's log.

use std::time::Duration;

use support::fake_as::{FakeAs, Grant, Request};
use tokio::time::Instant;

/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(30);
/// How long after the last who waited for a person a device code may be asked about: by a question that was in the air, and was asked anew.
const AFTER: Duration = Duration::from_secs(60);

/// Looks at the log from where the last look ended.
#[derive(Default)]
pub(crate) struct Watch {
    seen: usize,
    seen_polls: usize,
    /// The refresh of each family that was begun last, and when it ended.
    last: Vec<(usize, usize)>,
    /// The first request of each daemon but the first; what was in the air before was the business of one that is gone.
    reborn: Vec<usize>,
}

impl Watch {
    /// The daemon has ended, and another begins.
    pub(crate) fn reborn(&mut self, server: &FakeAs) {
        self.reborn.push(server.log().len());
    }

    /// Guarantee 1: a refresh begins when the one before it of the same grant has ended. Guarantee 3: none begins while the
    /// store has taken nothing for longer than one can be in the air.
    pub(crate) fn look(
        &mut self,
        server: &FakeAs,
        store_down_since: Option<Instant>,
        rotates: bool,
    ) -> Result<(), String> {
        let log = server.log();
        let fresh = log.iter().enumerate().skip(self.seen).filter(|(_, request)| request.is(Grant::RefreshToken));
        for (number, request) in fresh {
            let Some(family) = request.field("refresh_token").and_then(|token| server.family_of(token)) else {
                return Err("a refresh token that nobody issued was sent".into());
            };
            if let Some((_, before)) = self.last.iter().find(|(of, _)| *of == family)
                && !has_ended(&log[*before], request)
                && !self.reborn.iter().any(|first| (before + 1..=number).contains(first))
            {
                let after = request.at - log[*before].at;
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
        self.seen = log.len();
        Ok(())
    }

    /// Guarantee 5.
    pub(crate) fn look_at_polls(&mut self, server: &FakeAs, waited: Instant) -> Result<(), String> {
        let log = server.log();
        let mut polls = log.iter().skip(self.seen_polls).filter(|request| request.is(Grant::DeviceCode));
        polls.try_for_each(|poll| for_somebody(poll, waited))?;
        self.seen_polls = log.len();
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
