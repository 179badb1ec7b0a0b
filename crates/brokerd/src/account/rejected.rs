//! Tokens that resources refused, where the grant may be such a token itself: it is over then, also if a flight has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use broker_oauth::token::IssuedToken;

use super::Account;
use super::hold::Hold;
use crate::explain::Refusal;

/// What was refused while the grant was not here, as SHA-256.
#[derive(Default)]
pub(super) struct Rejected(BTreeSet<String>);

impl Account {
    /// Forgets exactly the token a resource refused. A grant that is that token is over.
    pub(super) fn reject(&mut self, sha256: &str) {
        self.cache.reject(sha256);
        match self.hold.take() {
            Some(hold) => self.hold = Some(hold.without(sha256)),
            // Whoever says so may join the flight, which left before that was known.
            None => drop(self.rejected.0.insert(sha256.to_owned())),
        }
    }
}

impl Rejected {
    /// Applies to a grant that comes back what was refused meanwhile.
    pub(super) fn apply(&self, hold: Hold) -> Hold {
        self.0.iter().fold(hold, |hold, sha256| hold.without(sha256))
    }

    /// The token a flight brought, unless it is the one refused, and was all there was of a grant that is `over`.
    pub(super) fn check(&self, over: bool, token: Arc<IssuedToken>) -> Result<Arc<IssuedToken>, Refusal> {
        if over && self.0.contains(&token.access_token.sha256_hex()) {
            return Err(Refusal::ended());
        }
        Ok(token)
    }
}
