//! What the provider refused this account a moment ago, so that a loop of scripts is answered without asking it again.
//!
//! One answer for each thing asked for: another scope, tenant, resource or claims challenge is not held up. Whatever could
//! change the answer from our side forgets it: a sign-in, another configuration, signing out.

use std::collections::VecDeque;
use std::time::Duration;

use broker_oauth::backoff;
use tokio::time::Instant;

use super::ask::Key;
use crate::explain::{Refusal, Remedy};

/// How long a refusal that time alone does not heal is remembered, as MSAL has it.
const REMEMBERED: Duration = Duration::from_secs(120);
/// The same for one that may pass: an error nobody has heard of.
const BRIEFLY: Duration = Duration::from_secs(30);
/// Refusals kept; the oldest goes first.
const MOST: usize = 64;

/// The refusals, oldest first.
#[derive(Default)]
pub(super) struct Refusals {
    kept: VecDeque<Refused>,
    /// How often they were forgotten: a refusal of what was asked before is not remembered after.
    era: u64,
}

struct Refused {
    key: Key,
    refusal: Refusal,
    until: Instant,
}

impl Refusals {
    /// What is remembered for `key`.
    pub(super) fn get(&self, key: &Key) -> Option<Refusal> {
        let found = self.find(key)?;
        let mut refusal = found.refusal.clone();
        if let Some(seconds) = &mut refusal.body.retry_after {
            *seconds = backoff::whole_seconds(found.until.saturating_duration_since(Instant::now()));
        }
        Some(refusal)
    }

    /// Until when something is remembered for `key`.
    pub(super) fn until(&self, key: &Key) -> Option<Instant> {
        Some(self.find(key)?.until)
    }

    fn find(&self, key: &Key) -> Option<&Refused> {
        let now = Instant::now();
        self.kept.iter().find(|refused| refused.key == *key && refused.until > now)
    }

    /// Remembers what the provider said in OAuth's words, and that what it gave cannot be used. What else we say costs it nothing, and when
    /// nothing of it was understood, its gate knows. `era` is that in which it was asked.
    pub(super) fn remember(&mut self, key: Key, refusal: &Refusal, era: u64) {
        let provider = refusal.body.provider.as_ref();
        if era != self.era || provider.is_none() && !refusal.unusable {
            return;
        }
        let is_loop = provider.is_some_and(|said| backoff::is_loop(&said.error_codes));
        let pause = match (refusal.remedy, refusal.body.retry_after) {
            (Remedy::SignIn | Remedy::SignInOnce | Remedy::None, _) => REMEMBERED,
            (Remedy::Time, Some(seconds)) if is_loop || refusal.unusable => Duration::from_secs(seconds).max(BRIEFLY),
            // The provider is not well, for everybody: that is the gate's.
            (Remedy::Time, Some(_)) => return,
            (Remedy::Time, None) => BRIEFLY,
        };
        self.kept.retain(|refused| refused.key != key && refused.until > Instant::now());
        while self.kept.len() >= MOST {
            self.kept.pop_front();
        }
        self.kept.push_back(Refused { key, refusal: refusal.clone(), until: Instant::now() + pause });
    }

    /// What is asked now is asked in this era.
    pub(super) fn era(&self) -> u64 {
        self.era
    }

    /// Forgets them all, also one that is still on its way.
    pub(super) fn clear(&mut self) {
        self.era += 1;
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use broker_ipc::error::{ErrorBody, ErrorCode, ProviderError};
    use broker_oauth::scope::ScopeSet;
    use broker_oauth::token::Target;

    use super::super::Ask;
    use super::*;

    fn key(scope: &str) -> Key {
        let ask = Ask {
            scopes: ScopeSet::parse(scope),
            target: Target::default(),
            min_validity: None,
            force: true,
            reject: None,
            keeps_others: false,
            claims: None,
            extra: broker_oauth::extra::ExtraParameters::default(),
            most: ScopeSet::default(),
        };
        ask.key()
    }

    fn said(code: ErrorCode, remedy: Remedy) -> Refusal {
        let mut body = ErrorBody::new(code, "no");
        body.provider = Some(Box::new(ProviderError { error: Some("no".into()), ..ProviderError::default() }));
        Refusal { body, remedy, unusable: false }
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_has_its_time() {
        for (remedy, seconds) in
            [(Remedy::SignIn, 120), (Remedy::SignInOnce, 120), (Remedy::None, 120), (Remedy::Time, 30)]
        {
            let mut refusals = Refusals::default();
            refusals.remember(key("a"), &said(ErrorCode::Blocked, remedy), 0);
            tokio::time::advance(Duration::from_secs(seconds - 1)).await;
            assert!(refusals.get(&key("a")).is_some() && refusals.get(&key("b")).is_none(), "{remedy:?}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(refusals.get(&key("a")).is_none(), "{remedy:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_counts_down() {
        let mut refusals = Refusals::default();
        let mut refusal = said(ErrorCode::Throttled, Remedy::Time);
        refusal.body.retry_after = Some(60);
        refusals.remember(key("a"), &refusal, 0);
        assert!(refusals.get(&key("a")).is_none(), "a throttle for all is the gate's");
        refusal.body.provider.as_mut().unwrap().error_codes = vec![50_196];
        refusals.remember(key("a"), &refusal, 0);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(refusals.get(&key("a")).unwrap().body.retry_after, Some(40));
    }

    #[tokio::test(start_paused = true)]
    async fn what_we_say_ourselves_is_not_kept_and_the_number_is_bounded() {
        let mut refusals = Refusals::default();
        refusals.remember(key("a"), &Refusal::sign_in("not signed in"), 0);
        assert!(refusals.kept.is_empty());
        for number in 0..100 {
            refusals.remember(key(&number.to_string()), &said(ErrorCode::Blocked, Remedy::None), 0);
        }
        assert_eq!(refusals.kept.len(), MOST);
        assert!(refusals.get(&key("99")).is_some() && refusals.get(&key("35")).is_none());
    }
}
