//! When a provider may be asked again.
//!
//! Each endpoint has a gate for each way there, shared by everybody behind it: of a dead proxy or a broken `ca_file`, those
//! who reach the provider without it hear nothing. A request that shows it not to serve closes the gate for a while
//! ([`Trouble::pause`]); whoever comes meanwhile is told why, and nothing is sent. Then one request goes first, alone. An
//! answer that shows it well opens the gate for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_oauth::backoff::{Trouble, whole_seconds};
use tokio::time::Instant;

use super::Fault;
use crate::chance::Chance;
use crate::outbound::Way;

/// Trouble that nobody has asked about for this long is no sign of how things are now.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// An address of a provider, and the way there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    url: String,
    way: Way,
}

impl Endpoint {
    pub(super) fn new(url: &url::Url, way: Way) -> Self {
        Self { url: url.to_string(), way }
    }
}

/// The gates, by endpoint. Clones are the same gates.
#[derive(Clone, Default)]
pub(crate) struct Gates {
    gates: Arc<Mutex<HashMap<Endpoint, Gate>>>,
    /// Spreads the pauses.
    chance: Arc<Chance>,
}

/// The gate of an endpoint in trouble; one that is well has none.
struct Gate {
    until: Instant,
    /// In a row.
    failures: u32,
    trouble: Trouble,
    cause: Fault,
    /// Whether the one request that goes first is under way.
    scout: bool,
}

impl Gate {
    fn fault(&self, left: Duration) -> Fault {
        Fault::Away { cause: Box::new(self.cause.clone()), trouble: self.trouble, retry_after: whole_seconds(left) }
    }

    /// Why nobody may pass now, if so.
    fn closed(&self) -> Result<(), Fault> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() && !self.scout { Ok(()) } else { Err(self.fault(left)) }
    }
}

/// Leave to send one request. Without an outcome told, it leaves the gate as it was.
pub(crate) struct Pass {
    gates: Gates,
    endpoint: Endpoint,
    /// Failures in a row when it was given, and what the last was.
    failures: u32,
    after: Option<Trouble>,
    scout: bool,
}

impl Gates {
    /// All open.
    pub(crate) fn new(chance: Chance) -> Self {
        Self { gates: Arc::default(), chance: Arc::new(chance) }
    }

    fn gates(&self) -> MutexGuard<'_, HashMap<Endpoint, Gate>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request would be let through.
    pub(super) fn check(&self, endpoint: &Endpoint) -> Result<(), Fault> {
        self.gates().get(endpoint).map_or(Ok(()), Gate::closed)
    }

    /// Forgets who could not be reached: the way there may be another now. Who asked to be left alone still is.
    pub(crate) fn try_again(&self) {
        self.gates().retain(|_, gate| !matches!(gate.trouble, Trouble::Unreachable | Trouble::Unanswered));
    }

    /// Lets a request through, or says why not.
    pub(super) fn enter(&self, endpoint: Endpoint) -> Result<Pass, Fault> {
        let mut gates = self.gates();
        gates.retain(|_, gate| gate.scout || gate.until.elapsed() < FORGOTTEN);
        let (mut failures, mut after, mut scout) = (0, None, false);
        if let Some(gate) = gates.get_mut(&endpoint) {
            gate.closed()?;
            gate.scout = true;
            (failures, after, scout) = (gate.failures, Some(gate.trouble), true);
        }
        drop(gates);
        Ok(Pass { gates: self.clone(), endpoint, failures, after, scout })
    }
}

impl Pass {
    /// Whether the endpoint was well when this was given.
    pub(super) fn is_clear(&self) -> bool {
        self.failures == 0
    }

    /// Whether nothing had come as far as the endpoint when this was given.
    pub(super) fn is_after_no_connection(&self) -> bool {
        self.after == Some(Trouble::Unreachable)
    }

    /// It answered as it should.
    pub(super) fn well(self) {
        let mut gates = self.gates.gates();
        // An answer to what was sent before the gate closed does not undo what was said since.
        if gates.get(&self.endpoint).is_some_and(|gate| gate.failures == self.failures) {
            gates.remove(&self.endpoint);
        }
    }

    /// It did not: closes the gate. Returns what everybody is told until it opens.
    pub(super) fn failed(self, trouble: Trouble, cause: Fault, retry_after: Option<u64>) -> Fault {
        let mut gates = self.gates.gates();
        let now = Instant::now();
        let gate = gates.entry(self.endpoint.clone()).or_insert_with(|| Gate {
            until: now,
            failures: 0,
            trouble,
            cause: cause.clone(),
            scout: false,
        });
        // Many that were under way when it began are one failure.
        if gate.failures == self.failures {
            gate.failures = gate.failures.saturating_add(1);
        }
        let until = now + trouble.pause(gate.failures, retry_after, self.gates.chance.fraction());
        if until >= gate.until {
            (gate.until, gate.trouble, gate.cause) = (until, trouble, cause);
        }
        gate.fault(gate.until - now)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.scout
            && let Some(gate) = self.gates.gates().get_mut(&self.endpoint)
        {
            gate.scout = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str) -> Endpoint {
        by(Way::default(), path)
    }

    fn by(way: Way, path: &str) -> Endpoint {
        Endpoint::new(&url::Url::parse("https://as.example/").unwrap().join(path).unwrap(), way)
    }

    fn cut() -> Fault {
        Fault::Unreachable(crate::outbound::Unreachable::new("cut"))
    }

    fn wait(gates: &Gates, endpoint: &Endpoint) -> Option<u64> {
        match gates.check(endpoint) {
            Ok(()) => None,
            Err(Fault::Away { retry_after, .. }) => Some(retry_after),
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn sleep(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_goes_first_and_its_answer_opens_for_all() {
        let (gates, token) = (Gates::default(), endpoint("token"));
        gates.enter(token.clone()).unwrap().failed(Trouble::Throttling, cut(), Some(60));
        assert_eq!((wait(&gates, &token), wait(&gates, &endpoint("device"))), (Some(60), None));
        sleep(60).await;
        let scout = gates.enter(token.clone()).unwrap();
        assert!(!scout.is_clear());
        assert!(gates.enter(token.clone()).is_err(), "one at a time");
        // Whoever sent it was called away: the next goes first.
        drop(scout);
        gates.enter(token.clone()).unwrap().well();
        let (one, other) = (gates.enter(token.clone()).unwrap(), gates.enter(token.clone()).unwrap());
        assert!(one.is_clear() && other.is_clear());
    }

    #[tokio::test(start_paused = true)]
    async fn many_in_the_air_when_it_begins_are_one_failure() {
        let (gates, token) = (Gates::default(), endpoint("token"));
        let passes: Vec<_> = (0..100).map(|_| gates.enter(token.clone()).unwrap()).collect();
        for pass in passes {
            pass.failed(Trouble::Failing, cut(), None);
        }
        assert!(wait(&gates, &token).unwrap() <= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_does_not_open_what_was_closed_since() {
        let (gates, token) = (Gates::default(), endpoint("token"));
        let early = gates.enter(token.clone()).unwrap();
        let late = gates.enter(token.clone()).unwrap();
        gates.enter(token.clone()).unwrap().failed(Trouble::Throttling, cut(), Some(600));
        early.well();
        late.failed(Trouble::Unreachable, cut(), None);
        assert_eq!(wait(&gates, &token), Some(600));
    }

    #[tokio::test(start_paused = true)]
    async fn another_way_there_is_tried_at_once_and_a_wish_to_be_left_alone_is_kept() {
        let gates = Gates::default();
        for (path, trouble) in [
            ("away", Trouble::Unreachable),
            ("silent", Trouble::Unanswered),
            ("ill", Trouble::Failing),
            ("busy", Trouble::Throttling),
        ] {
            gates.enter(endpoint(path)).unwrap().failed(trouble, cut(), Some(60));
        }
        gates.try_again();
        let waits = ["away", "silent", "ill", "busy"].map(|path| wait(&gates, &endpoint(path)));
        assert_eq!(waits, [None, None, Some(60), Some(60)]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_way_there_has_a_gate_of_its_own() {
        let proxy = |at: &str| Way { proxy: Some(crate::config::HttpProxy::parse(at).unwrap()), ..Way::default() };
        let ways = [
            Way::default(),
            Way { ca_file: Some("ca.pem".into()), ..Way::default() },
            proxy("http://one.example:3128"),
            proxy("http://ada:hunter2@one.example:3128"),
            proxy("http://two.example:3128"),
        ];
        for trouble in [Trouble::Unreachable, Trouble::Unanswered, Trouble::Failing, Trouble::Throttling] {
            for closed in &ways {
                let gates = Gates::default();
                gates.enter(by(closed.clone(), "token")).unwrap().failed(trouble, cut(), None);
                for way in &ways {
                    assert_eq!(wait(&gates, &by(way.clone(), "token")).is_some(), way == closed, "{closed:?} {way:?}");
                }
            }
        }
    }

    /// Or every machine that an outage has turned away would be back at the same moment.
    #[tokio::test(start_paused = true)]
    async fn pauses_are_spread_at_random() {
        let gates = Gates::default();
        for machine in 0..64 {
            gates.enter(endpoint(&machine.to_string())).unwrap().failed(Trouble::Throttling, cut(), None);
        }
        let now = Instant::now();
        let pauses: Vec<_> = gates.gates().values().map(|gate| (gate.until - now).as_secs_f64()).collect();
        assert!(pauses.iter().all(|pause| (3.99..=6.01).contains(pause)), "a fifth to either side: {pauses:?}");
        assert!(pauses.iter().any(|pause| *pause < 4.8) && pauses.iter().any(|pause| *pause > 5.2), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_is_forgotten_when_nobody_asked_for_long() {
        let (gates, token) = (Gates::default(), endpoint("token"));
        for _ in 0..12 {
            gates.enter(token.clone()).unwrap().failed(Trouble::Failing, cut(), None);
            sleep(300).await;
        }
        assert!(!gates.enter(token.clone()).unwrap().is_clear());
        sleep(600).await;
        assert!(gates.enter(token.clone()).unwrap().is_clear());
        assert!(gates.gates().is_empty());
    }
}
