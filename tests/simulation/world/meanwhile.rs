//! What comes while a refresh takes its time, and while the daemon leaves.

use std::time::Duration;

use broker_client::TokenRequest;
use support::fake_as::{Fault, Grant};
use support::rig::{interactive, never};
use tokio::time::{self, Instant};

use super::{PEOPLE, Stand, World};

/// How long a device code lives at this provider.
const CODE: Duration = Duration::from_secs(900);

impl World {
    /// A refresh is slow, or hangs; and before it ends, something comes.
    pub(super) async fn meanwhile(&mut self) {
        let fault = match self.rng.u8(0..3) {
            0 => Fault::Hang,
            _ => Fault::Delay(Duration::from_millis(self.rng.u64(1000..25_000))),
        };
        self.story.tell(format!("a refresh will be slow: {fault:?}"));
        self.rig.fake.script(Grant::RefreshToken, fault);
        let name = self.rng.choice(PEOPLE).expect("there are two");
        let account = Some(format!("{name}@example.com"));
        self.start(TokenRequest { account, force_refresh: true, timeout: Some(40), ..never() });
        time::sleep(Duration::from_millis(self.rng.u64(1..15_000))).await;
        match self.rng.u8(0..6) {
            0..3 => self.hurry_away().await,
            3 => self.restart().await,
            4 => self.crash().await,
            _ => self.stop_amid_consent().await,
        }
    }

    /// A person consents while the daemon leaves.
    pub(super) async fn stop_amid_consent(&mut self) {
        // Somebody who is signed in would not be asked.
        let index = usize::from(self.stand[0].0 == Stand::In);
        let account = Some(format!("{}@example.com", PEOPLE[index]));
        self.start(TokenRequest { account, timeout: Some(60), ..interactive() });
        time::sleep(Duration::from_millis(self.rng.u64(1..6000))).await;
        // Now and then the consent is there, and what it brings comes while the daemon leaves.
        if self.rng.bool() {
            self.consent_as_asked();
        }
        self.story.tell("the daemon is told to leave");
        let was_well = !self.trouble.store && !self.trouble.shaky;
        if !was_well {
            self.doubt();
        }
        let begin = Instant::now();
        let stopping = self.rig.begin_to_stop();
        time::sleep(Duration::from_millis(self.rng.u64(1..6000))).await;
        self.consent_as_asked();
        stopping.await;
        if was_well {
            self.look_at_consents(begin);
        }
        self.has_stopped(begin);
    }

    /// Who was asked for consents to the prompt that was shown last.
    fn consent_as_asked(&mut self) {
        while let Ok(prompted) = self.prompts.1.try_recv() {
            self.unanswered.push(prompted);
        }
        let pending = self.rig.fake.pending_user_codes();
        self.unanswered.retain(|prompted| pending.contains(&prompted.user_code));
        let Some(prompted) = self.unanswered.pop() else { return };
        let asked = |name: &&&str| prompted.account.as_ref().is_some_and(|account| account.starts_with(**name));
        let Some(name) = PEOPLE.iter().find(asked) else { return };
        self.story.tell(format!("{name} consents"));
        self.rig.fake.approve(&prompted.user_code, name);
    }

    /// Guarantee 5: what was consented to is saved before the daemon is gone.
    fn look_at_consents(&self, begin: Instant) {
        let families = self.rig.fake.families();
        for (index, name) in PEOPLE.iter().enumerate() {
            let newest = families.iter().enumerate().rfind(|(_, family)| family.user == *name);
            let Some((number, family)) = newest.filter(|(_, family)| family.began >= begin) else { continue };
            // Somebody else was asked for, or has signed out since.
            let is_misled = self.misled[index].is_some_and(|misled| misled + CODE >= family.began);
            let has_left = self.left[index].is_some_and(|left| left >= family.began);
            if family.revoked.is_some() || is_misled || has_left {
                continue;
            }
            let issued = self.rig.fake.secrets();
            let tokens = issued.iter().filter(|issued| self.rig.fake.family_of(&issued.value) == Some(number));
            let keys = self.rig.store.raw_keys();
            let records: Vec<_> = keys.iter().filter_map(|key| self.rig.store.raw(key)).collect();
            let is_kept = tokens.into_iter().any(|issued| {
                let token = issued.value.as_bytes();
                records.iter().any(|record| record.windows(token.len()).any(|at| at == token))
            });
            assert!(is_kept, "{name} has consented while the daemon left, and that is not saved");
        }
    }
}
