//! Tokens that resources refused. Where the grant is such a token itself, it is over, also if a flight has it; unless
//! whoever says so came by a restricted socket, who must not end the sign-in of everybody.

use std::collections::BTreeSet;
use std::sync::Arc;

use broker_oauth::token::IssuedToken;

use super::hold::Hold;
use super::{Account, Ask};
use crate::explain::Refusal;
use crate::grant::Credential;

/// What was refused while the grant was not here, as SHA-256.
#[derive(Default)]
pub(super) struct Rejected(BTreeSet<String>);

impl Account {
    /// Takes note of a token that a resource refused, as far as its caller may say so for others.
    pub(super) fn heed_rejection(&mut self, ask: &Ask) {
        match (&ask.reject, ask.may_end()) {
            (_, Some(sha256)) => self.reject(sha256),
            (Some(sha256), None) if self.is_refreshed() => self.cache.forget(sha256),
            _ => {}
        }
    }

    /// Whether a refresh can replace the tokens at hand.
    fn is_refreshed(&self) -> bool {
        matches!(&self.hold, Some(Hold::Saved(held)) if matches!(held.grant.credential, Credential::Refresh(_)))
    }

    /// Forgets exactly the token a resource refused. A grant that is that token is over.
    fn reject(&mut self, sha256: &str) {
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
