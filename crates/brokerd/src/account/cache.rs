//! An account's access tokens: in memory only.

use std::collections::VecDeque;
use std::sync::Arc;

use broker_ipc::api::TokenSummary;
use broker_oauth::refresh::{Freshness, freshness, is_in_grace, stale_at};
use broker_oauth::scope::ScopeCase;
use broker_oauth::token::IssuedToken;
use jiff::Timestamp;

use super::Ask;
use crate::clock::rfc3339;

/// Tokens kept for one account; the oldest goes first.
const MOST: usize = 64;

/// The tokens, oldest first.
#[derive(Default)]
pub(super) struct Cache(VecDeque<Arc<IssuedToken>>);

impl Cache {
    /// The longest-lived of the tokens that serve `ask` and whose freshness is `good`.
    pub(super) fn best(
        &self,
        ask: &Ask,
        case: ScopeCase,
        now: Timestamp,
        good: impl Fn(Freshness) -> bool,
    ) -> Option<Arc<IssuedToken>> {
        self.0
            .iter()
            .filter(|token| ask.is_served_by(token, case) && good(freshness(token, now, ask.min_validity)))
            .max_by_key(|token| token.expires_at.map_or(i64::MAX, Timestamp::as_second))
            .cloned()
    }

    /// The token that serves `ask` and may do so for longest beyond its end.
    pub(super) fn best_in_grace(&self, ask: &Ask, case: ScopeCase, now: Timestamp) -> Option<Arc<IssuedToken>> {
        self.0
            .iter()
            .filter(|token| ask.is_served_by(token, case) && is_in_grace(token, now))
            .max_by_key(|token| token.extended_expires_at)
            .cloned()
    }

    /// Puts a token in, in the place of one for the same.
    pub(super) fn keep(&mut self, token: Arc<IssuedToken>) {
        let same =
            |old: &IssuedToken| old.target == token.target && (old.scope == token.scope || old.asked == token.asked);
        self.0.retain(|old| !same(old));
        while self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(token);
    }

    /// Forgets exactly the token with this hash.
    pub(super) fn reject(&mut self, sha256: &str) {
        self.0.retain(|token| token.access_token.sha256_hex() != sha256);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The tokens that live, without the tokens.
    pub(super) fn summaries(&self, now: Timestamp) -> Vec<TokenSummary> {
        let live = |token: &&Arc<IssuedToken>| freshness(token, now, None) != Freshness::Expired;
        let summary = |token: &Arc<IssuedToken>| TokenSummary {
            scope: token.scope.to_string(),
            expires_at: token.expires_at.map(rfc3339),
            refresh_after: stale_at(token).map(rfc3339),
        };
        self.0.iter().filter(live).map(summary).collect()
    }
}
