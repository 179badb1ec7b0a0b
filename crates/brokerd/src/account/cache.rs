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

/// Hashes of rejected tokens kept for one account; the oldest goes first.
const MOST_REJECTED: usize = 64;

/// The tokens, oldest first.
#[derive(Default)]
pub(super) struct Cache {
    tokens: VecDeque<Arc<IssuedToken>>,
    /// SHA-256 of what resources refused: a provider that hands a token out again does not make it good.
    rejected: VecDeque<String>,
}

impl Cache {
    /// The longest-lived of the tokens that serve `ask` and whose freshness is `good`.
    pub(super) fn best(
        &self,
        ask: &Ask,
        case: ScopeCase,
        now: Timestamp,
        good: impl Fn(Freshness) -> bool,
    ) -> Option<Arc<IssuedToken>> {
        self.tokens
            .iter()
            .filter(|token| ask.is_served_by(token, case) && good(freshness(token, now, ask.min_validity)))
            .max_by_key(|token| token.expires_at.map_or(i64::MAX, Timestamp::as_second))
            .cloned()
    }

    /// The tokens, without what was rejected.
    pub(super) fn tokens_alone(&self) -> Self {
        Self { tokens: self.tokens.clone(), rejected: VecDeque::new() }
    }

    /// The token that serves `ask` and may do so for longest beyond its end.
    pub(super) fn best_in_grace(&self, ask: &Ask, case: ScopeCase, now: Timestamp) -> Option<Arc<IssuedToken>> {
        self.tokens
            .iter()
            .filter(|token| ask.is_served_by(token, case) && is_in_grace(token, now))
            .max_by_key(|token| token.extended_expires_at)
            .cloned()
    }

    /// Puts a token in, in the place of one for the same; one that was rejected stays out.
    pub(super) fn keep(&mut self, token: Arc<IssuedToken>) {
        if self.has_rejected(&token) {
            return;
        }
        let same =
            |old: &IssuedToken| old.target == token.target && (old.scope == token.scope || old.asked == token.asked);
        self.tokens.retain(|old| !same(old));
        while self.tokens.len() >= MOST {
            self.tokens.pop_front();
        }
        self.tokens.push_back(token);
    }

    /// Forgets exactly the token with this hash, and takes it no more.
    pub(super) fn reject(&mut self, sha256: &str) {
        self.tokens.retain(|token| token.access_token.sha256_hex() != sha256);
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
        let live = |token: &&Arc<IssuedToken>| freshness(token, now, None) != Freshness::Expired;
        let summary = |token: &Arc<IssuedToken>| TokenSummary {
            scope: token.scope.to_string(),
            expires_at: token.expires_at.map(rfc3339),
            refresh_after: stale_at(token).map(rfc3339),
        };
        self.tokens.iter().filter(live).map(summary).collect()
    }
}
