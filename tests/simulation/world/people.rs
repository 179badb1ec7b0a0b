//! Time passes, and people act on what they are shown.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::{PEOPLE, World};
use crate::ask::Prompted;

impl World {
    /// Time passes, and people act on what they are shown.
    pub(super) async fn pass(&mut self) {
        let millis = match self.rng.u8(0..10) {
            0..4 => self.rng.u64(1..200),
            4..8 => self.rng.u64(200..60_000),
            8 => self.rng.u64(60_000..3_600_000),
            _ => self.rng.u64(3_600_000..48 * 3_600_000),
        };
        let until = Instant::now() + Duration::from_millis(millis);
        loop {
            let prompted = tokio::select! {
                biased;
                prompted = self.prompts.1.recv() => prompted.expect("this world keeps the sender"),
                () = time::sleep_until(until) => return,
            };
            if !self.rig.fake.pending_user_codes().contains(&prompted.user_code) {
                continue;
            }
            match self.rng.u8(0..10) {
                0 => {
                    self.story.tell("a person declines");
                    self.rig.fake.deny(&prompted.user_code);
                }
                1 => {
                    self.story.tell("a person looks away");
                    self.unanswered.push(prompted);
                }
                _ => self.consent(&prompted),
            }
        }
    }

    pub(super) fn consent(&mut self, prompted: &Prompted) {
        let index = self.rng.usize(0..2);
        if !prompted.account.as_ref().is_some_and(|account| account.starts_with(PEOPLE[index])) {
            self.misled[index] = Some(Instant::now());
        }
        self.story.tell(format!("{} consents", PEOPLE[index]));
        self.rig.fake.approve(&prompted.user_code, PEOPLE[index]);
    }

    /// A person comes back to a prompt; who asked may have left, and the daemon have died.
    pub(super) fn come_back(&mut self) {
        let pending = self.rig.fake.pending_user_codes();
        self.unanswered.retain(|prompted| pending.contains(&prompted.user_code));
        if let Some(prompted) = self.unanswered.pop() {
            self.consent(&prompted);
        }
    }
}
