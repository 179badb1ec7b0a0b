//! People sign out, some while another sign-out, a refresh or a sign-in is under way.

use std::sync::{Arc, PoisonError};

use broker_client::{ClientError, SignedOut, TokenRequest};
use futures_util::FutureExt as _;
use support::fake_as::Grant;
use support::rig::{never, s};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{PEOPLE, Stand, World};
use crate::ask::SignOut;

/// A sign-out under way.
pub(super) struct Departure {
    index: usize,
    id: String,
    since: Instant,
    /// How many sign-ins the provider had seen.
    families: usize,
    /// How the person stood, and how often there had been a reason for doubt.
    before: (Stand, u64),
    task: JoinHandle<Departed>,
}

/// How it ended.
struct Departed {
    at: Instant,
    store_hangs: bool,
    outcome: Result<SignedOut, ClientError>,
}

/// Somebody who has signed out.
pub(super) struct Gone {
    id: String,
    /// How many sign-ins the provider had seen before.
    families: usize,
}

impl World {
    /// Somebody signs out, and this waits for it.
    pub(super) async fn sign_out(&mut self) {
        let index = self.rng.usize(0..2);
        if !self.begin_to_sign_out(index).await {
            return;
        }
        let mut departure = self.departures.pop().expect("it was pushed");
        let ended = (&mut departure.task).await.expect("it did not panic");
        let done = self.look_at_departure(&departure, &ended);
        if done && self.asking.is_empty() && self.departures.is_empty() {
            let name = format!("{}@example.com", PEOPLE[index]);
            let request = TokenRequest { account: Some(name.clone()), timeout: Some(5), ..never() };
            let served = self.rig.client.access_token(&request, |_| ()).await;
            assert!(served.is_err(), "{name} has signed out, and was served a token");
        }
    }

    /// One or two sign out, perhaps of the same account, and nobody waits for it.
    pub(super) async fn hurry_away(&mut self) {
        for _ in 0..self.rng.usize(1..=2) {
            let index = self.rng.usize(0..2);
            self.begin_to_sign_out(index).await;
        }
    }

    /// Whether there is an account to sign out of.
    async fn begin_to_sign_out(&mut self, index: usize) -> bool {
        let name = format!("{}@example.com", PEOPLE[index]);
        let Ok(accounts) = self.rig.client.accounts().await else { return false };
        let Some(account) = accounts.accounts.into_iter().find(|account| account.username == name) else {
            return false;
        };
        self.story.tell(format!("{name} begins to sign out"));
        let (since, id) = (Instant::now(), account.id);
        let (client, leaving, store) = (self.rig.new_client(), Arc::clone(&self.leaving), self.rig.store.clone());
        let number = {
            let mut leaving = leaving.lock().unwrap_or_else(PoisonError::into_inner);
            leaving.push(SignOut { username: name, ended: None });
            leaving.len() - 1
        };
        let asked = id.clone();
        let task = self.rig.spawn(async move {
            let outcome = client.sign_out(&asked).await;
            let (at, store_hangs) = (Instant::now(), outcome.is_err() && store.is_hanging());
            leaving.lock().unwrap_or_else(PoisonError::into_inner)[number].ended = Some((at, store_hangs));
            Departed { at, store_hangs, outcome }
        });
        let before = (self.stand[index].0, self.doubts);
        let families = self.rig.fake.families().len();
        self.departures.push(Departure { index, id, since, families, before, task });
        self.stand[index] = (Stand::Doubtful, since);
        self.left[index] = Some(since);
        true
    }

    pub(super) fn look_at_departures(&mut self) {
        for mut departure in std::mem::take(&mut self.departures) {
            if let Some(ended) = (&mut departure.task).now_or_never() {
                self.look_at_departure(&departure, &ended.expect("it did not panic"));
            } else {
                assert!(departure.since.elapsed() <= s(61), "a sign-out takes {:?}", departure.since.elapsed());
                self.departures.push(departure);
            }
        }
    }

    /// Whether it was done.
    fn look_at_departure(&mut self, departure: &Departure, ended: &Departed) -> bool {
        let (index, since) = (departure.index, departure.since);
        let told = ended
            .outcome
            .as_ref()
            .map_or_else(|error| error.code().as_str().to_owned(), |done| format!("{:?}", done.revocation));
        self.story.tell(format!("{} signs out: {told}", PEOPLE[index]));
        assert!(ended.at - since <= s(61), "a sign-out took {:?}", ended.at - since);
        if ended.outcome.is_ok() {
            self.gone[index] = Some(Gone { id: departure.id.clone(), families: departure.families });
        }
        // Who has come back since, has come back; at the same moment, nobody knows who was first.
        let came = self.came[index].filter(|came| *came >= since);
        match came {
            Some(came) if came > since => {}
            Some(_) => self.stand[index] = (Stand::Doubtful, ended.at),
            None if ended.outcome.is_ok() => self.stand[index] = (Stand::Out, ended.at),
            None if self.was_only_refused(departure, ended) => {
                self.stand[index] = (departure.before.0, Instant::now());
            }
            None => {}
        }
        ended.outcome.is_ok()
    }

    /// Whether nothing came of a sign-out: the store answered that it does not delete, while it did everything else, and no refresh was
    /// cut off for it. Then the account is what it was.
    fn was_only_refused(&self, departure: &Departure, ended: &Departed) -> bool {
        let (index, since) = (departure.index, departure.since);
        let refused = matches!(&ended.outcome, Err(error) if error.code().as_str() == "keyring_unavailable");
        let was_well =
            !ended.store_hangs && !self.trouble.store && !self.trouble.shaky && self.store_well_since <= since;
        let alone = self.departures.iter().all(|other| other.index != index);
        let untouched = self.stand[index] == (Stand::Doubtful, since) && self.doubts == departure.before.1;
        let cut_off = self.rig.fake.log().iter().any(|request| {
            request.is(Grant::RefreshToken) && request.at <= ended.at && request.ended.is_none_or(|at| at >= since)
        });
        refused && was_well && alone && untouched && !cut_off
    }

    /// Who has signed out is forgotten: the store has nothing of it until there is another sign-in, and nothing of the old one then.
    pub(super) fn look_for_who_is_gone(&self) {
        for (name, gone) in PEOPLE.iter().zip(&self.gone) {
            let Some(Gone { id, families }) = gone else { continue };
            let Some(record) = self.rig.store.raw(id) else { continue };
            let seen = self.rig.fake.families();
            let is_back = seen[*families..].iter().any(|family| family.user == *name);
            assert!(is_back, "{name} has signed out, and the store has a record of that");
            let is_old = |token: &str| self.rig.fake.family_of(token).is_some_and(|family| family < *families);
            let issued = self.rig.fake.secrets();
            let mut old = issued.iter().filter(|issued| issued.kind == "refresh_token" && is_old(&issued.value));
            let is_kept = |token: &[u8]| record.windows(token.len()).any(|at| at == token);
            assert!(
                !old.any(|issued| is_kept(issued.value.as_bytes())),
                "{name} has signed out, and the store has a token of before"
            );
        }
    }
}
