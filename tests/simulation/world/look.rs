//! What is looked at after each step: who was served and who waits, and what the provider was asked.

use broker_client::Interaction;
use futures_util::FutureExt as _;
use support::fake_as::Rotation;
use tokio::time::Instant;

use super::{PEOPLE, Stand, World};
use crate::ask::{Asking, Ended, longest};

impl World {
    pub(super) fn look(&mut self) {
        self.look_at_departures();
        self.look_for_who_is_gone();
        let asking = std::mem::take(&mut self.asking);
        for asking in asking {
            if asking.task.is_finished() {
                self.look_at(asking);
                continue;
            }
            in_time(&asking, Instant::now());
            if asking.request.interaction != Some(Interaction::Never) {
                self.waited = Instant::now();
            }
            self.asking.push(asking);
        }
        let rotates = self.rotation != Rotation::None;
        let looked = self.watch.look(&self.rig.fake, self.store_down_since, rotates);
        if let Err(wrong) = looked.and_then(|()| self.watch.look_at_polls(&self.rig.fake, self.waited)) {
            panic!("{wrong}");
        }
    }

    fn look_at(&mut self, asking: Asking) {
        let Asking { number, request, task, since } = asking;
        let ended = task.now_or_never().expect("it is finished").expect("it did not panic");
        let waited = ended.at.duration_since(since);
        let told =
            ended.outcome.as_ref().map_or_else(Clone::clone, |token| format!("a token of {}", token.account.username));
        self.story.tell(format!("{number} got {told} after {waited:?}"));
        assert!(waited <= longest(request.timeout.unwrap_or_default()), "{number} waited {waited:?}");
        assert!(ended.wrong.is_empty(), "{number}: {:?}", ended.wrong);
        let never = request.interaction == Some(Interaction::Never);
        if !never {
            self.waited = self.waited.max(ended.at);
        }
        assert!(!(never && ended.prompted), "{number} was shown a prompt");
        match &ended.outcome {
            Ok(token) => {
                let index = PEOPLE.iter().position(|name| token.account.username.starts_with(name));
                // Somebody may have been put out, or have signed out, since it was served.
                if let Some(index) = index.filter(|_| ended.prompted) {
                    self.came_in(index, &ended);
                }
            }
            // Guarantee 9: only the provider's own word ends a sign-in.
            Err(error) if error == "interaction_required" && never => {
                let index = PEOPLE
                    .iter()
                    .position(|name| request.account.as_ref().is_some_and(|account| account.starts_with(name)));
                let stand = index.map(|index| self.stand[index]).filter(|(_, begin)| *begin < since);
                assert!(
                    !stand.is_some_and(|(stand, _)| stand == Stand::In),
                    "{number}: {:?} is signed in, and must sign in",
                    request.account
                );
            }
            Err(_) => {}
        }
    }

    /// Somebody was asked, and a token was served. A sign-out that came after the consent ends that sign-in.
    fn came_in(&mut self, index: usize, ended: &Ended) {
        let (came, left) = (ended.began, self.left[index]);
        self.came[index] = self.came[index].max(came);
        let is_out = left.is_some_and(|left| came.is_none_or(|came| came < left));
        let is_doubtful = self.trouble.store || (left.is_some() && left == came);
        if !is_out {
            self.stand[index] = (if is_doubtful { Stand::Doubtful } else { Stand::In }, ended.at);
        }
    }
}

/// Guarantee 8.
fn in_time(asking: &Asking, at: Instant) {
    let waits = longest(asking.request.timeout.unwrap_or_default());
    let took = at.duration_since(asking.since);
    assert!(took <= waits, "{} asked for {waits:?}, and waited {took:?}", asking.number);
}
