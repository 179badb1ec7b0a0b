//! An account's access tokens: in memory only.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api::TokenSummary;
use broker_oauth::refresh::{Freshness, freshness, is_in_grace, stale_at, time_for};
use broker_oauth::scope::ScopeCase;
use broker_oauth::token::IssuedToken;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Ask;
use crate::clock::rfc3339;

/// Tokens kept for one account; the oldest goes first.
const MOST: usize = 64;

/// Hashes of rejected tokens kept for one account; the oldest goes first.
const MOST_REJECTED: usize = 64;

/// The tokens, oldest first.
#[derive(Default)]
pub(super) struct Cache {
    tokens: VecDeque<Kept>,
    /// SHA-256 of what resources refused: a provider that hands a token out again does not make it good.
    rejected: VecDeque<String>,
}

#[derive(Clone)]
struct Kept {
    token: Arc<IssuedToken>,
    /// When it came, by the clock that nobody sets.
    since: Instant,
    /// Whether a refresh brought it, which may ask for less than the sign-in (RFC 6749 §6).
    by_refresh: bool,
}

impl Kept {
    /// What time it is for this token; `None` if the clock is not to be believed.
    fn time(&self, now: Timestamp) -> Option<Timestamp> {
        time_for(&self.token, now, self.since.elapsed())
    }

    fn freshness(&self, now: Timestamp, min_validity: Option<SignedDuration>) -> Freshness {
        self.time(now).map_or(Freshness::Expired, |now| freshness(&self.token, now, min_validity))
    }

    fn is_in_grace(&self, now: Timestamp) -> bool {
        self.time(now).is_some_and(|now| is_in_grace(&self.token, now))
    }
}

impl Cache {
    /// The longest-lived of the tokens that serve `ask` and whose freshness is `good`. Failing these, one that is more than the caller may
    /// have, if a refresh for just that brought it: the next one would as well, and the caller is refused without it.
    pub(super) fn best(
        &self,
        ask: &Ask,
        case: ScopeCase,
        now: Timestamp,
        good: impl Fn(Freshness) -> bool,
    ) -> Option<Arc<IssuedToken>> {
        let longest = |serves: &dyn Fn(&Kept) -> bool| {
            self.tokens
                .iter()
                .filter(|kept| serves(kept) && good(kept.freshness(now, ask.min_validity)))
                .map(|kept| &kept.token)
                .max_by_key(|token| token.expires_at.map_or(i64::MAX, Timestamp::as_second))
                .cloned()
        };
        longest(&|kept| ask.is_served_by(&kept.token, case))
            .or_else(|| longest(&|kept| kept.by_refresh && ask.was_given_more(&kept.token, case)))
    }

    /// The tokens, without what was rejected.
    pub(super) fn tokens_alone(&self) -> Self {
        Self { tokens: self.tokens.clone(), rejected: VecDeque::new() }
    }

    /// The token that serves `ask` and may do so for longest beyond its end.
    pub(super) fn best_in_grace(&self, ask: &Ask, case: ScopeCase, now: Timestamp) -> Option<Arc<IssuedToken>> {
        self.tokens
            .iter()
            .filter(|kept| ask.is_served_by(&kept.token, case) && kept.is_in_grace(now))
            .map(|kept| &kept.token)
            .max_by_key(|token| token.extended_expires_at)
            .cloned()
    }

    /// Puts a token in, in the place of one for the same; one that was rejected stays out. It may have waited to be saved.
    pub(super) fn keep(&mut self, token: Arc<IssuedToken>, by_refresh: bool, now: Timestamp) {
        if self.has_rejected(&token) {
            return;
        }
        let same =
            |old: &IssuedToken| old.target == token.target && (old.scope == token.scope || old.asked == token.asked);
        self.tokens.retain(|old| !same(&old.token));
        while self.tokens.len() >= MOST {
            self.tokens.pop_front();
        }
        let age = Duration::try_from(now.duration_since(token.issued_at)).unwrap_or_default();
        let since = Instant::now();
        self.tokens.push_back(Kept { token, since: since.checked_sub(age).unwrap_or(since), by_refresh });
    }

    /// Forgets exactly the token with this hash.
    pub(super) fn forget(&mut self, sha256: &str) {
        self.tokens.retain(|kept| kept.token.access_token.sha256_hex() != sha256);
    }

    /// The same, and takes it no more.
    pub(super) fn reject(&mut self, sha256: &str) {
        self.forget(sha256);
        if self.rejected.iter().all(|known| known != sha256) {
            self.rejected.truncate(MOST_REJECTED - 1);
            self.rejected.push_front(sha256.to_owned());
        }
    }

    /// Whether a resource has refused this token.
    pub(super) fn has_rejected(&self, token: &IssuedToken) -> bool {
        !self.rejected.is_empty() && self.rejected.contains(&token.access_token.sha256_hex())
    }

    pub(super) fn clear(&mut self) {
        self.tokens.clear();
    }

    /// The tokens that live, without the tokens.
    pub(super) fn summaries(&self, now: Timestamp) -> Vec<TokenSummary> {
        let live = |kept: &&Kept| kept.freshness(now, None) != Freshness::Expired;
        let summary = |Kept { token, .. }: &Kept| TokenSummary {
            scope: token.scope.to_string(),
            expires_at: token.expires_at.map(rfc3339),
            refresh_after: stale_at(token).map(rfc3339),
        };
        self.tokens.iter().filter(live).map(summary).collect()
    }
}

#[cfg(test)]
mod tests {
    use broker_oauth::scope::ScopeSet;
    use broker_oauth::secret::AccessToken;
    use broker_oauth::token::Target;

    use super::*;

    /// A token for `asked` that was granted as `scope`, good for so many hours.
    fn token(asked: &str, scope: &str, hours: i64) -> Arc<IssuedToken> {
        let end = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        Arc::new(IssuedToken {
            access_token: AccessToken::new(format!("{asked} as {scope}")),
            token_type: "Bearer".into(),
            scope: ScopeSet::parse(scope),
            asked: ScopeSet::parse(asked),
            target: Target::default(),
            issued_at: Timestamp::UNIX_EPOCH,
            expires_at: Some(end),
            extended_expires_at: None,
            refresh_at: None,
            id_token: None,
        })
    }

    #[tokio::test]
    async fn more_than_the_caller_may_have_is_found_only_where_another_refresh_would_bring_it_too() {
        let ask = |most: &str| Ask { scopes: ScopeSet::parse("read"), most: ScopeSet::parse(most), ..Ask::default() };
        let best = |cache: &Cache| {
            let good = |freshness| freshness == Freshness::Fresh;
            let best = cache.best(&ask("read"), ScopeCase::Exact, Timestamp::UNIX_EPOCH, good);
            best.map(|token| token.access_token.expose().to_owned())
        };
        let mut cache = Cache::default();
        cache.keep(token("read", "read write", 2), false, Timestamp::UNIX_EPOCH);
        assert_eq!(best(&cache), None, "a refresh may narrow what a sign-in gave");
        cache.keep(token("read", "read write", 2), true, Timestamp::UNIX_EPOCH);
        assert_eq!(best(&cache).as_deref(), Some("read as read write"), "and did not");
        cache.keep(token("read openid", "read openid", 1), true, Timestamp::UNIX_EPOCH);
        assert_eq!(best(&cache).as_deref(), Some("read openid as read openid"), "what fits comes first");
    }
}
