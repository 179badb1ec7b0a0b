//! How a device flow ends: with a grant to be saved, or with a refusal in our words.

use std::sync::Arc;

use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::token::TokenResponse;

use super::Bound;
use super::flow::Flow;
use super::resume::forget;
use crate::account::revoke;
use crate::explain::Refusal;
use crate::flight::Landing;
use crate::grant::Grant;

impl Flow<'_> {
    /// The user has consented.
    pub(super) async fn consented(&self, mut response: TokenResponse) -> Landing {
        // Before the grant is saved: polled once more, the code could end it at the provider.
        if !self.broker.sign_ins.marks.end(self.id) {
            forget(self.broker, self.id).await;
        }
        if response.identity.is_none() {
            response.identity = self.wish.provider.who(&response.token).await;
        }
        let (profile, target) = (&self.wish.provider.profile, self.wish.target.clone());
        let (grant, token) = Grant::issued(profile, target, response, self.broker.clock.now());
        let expected = match &self.wish.bound {
            Bound::Anybody => true,
            Bound::Account(expected) => *expected == grant.id,
            Bound::Name(name) => grant.identity.answers_to(name),
        };
        if !expected {
            return Err(self.mismatch(grant));
        }
        self.broker.adopt(grant, Arc::new(token)).await
    }

    /// Somebody else signed in: nothing is stored, and the grant is given back.
    fn mismatch(&self, grant: Grant) -> Refusal {
        let expected = self.wish.account_name.as_deref().unwrap_or("the account asked for");
        let who = match &grant.identity.username {
            Some(username) => format!("{username} signed in"),
            None => "the provider does not say who signed in".into(),
        };
        let description = format!("{who}, and {expected} was asked for; nothing was stored");
        let provider = Arc::clone(&self.wish.provider);
        // Whoever waits need not wait for that.
        self.broker.tasks.spawn(async move {
            let (revocation, _) = revoke(Some(&provider), Some(&grant)).await;
            tracing::info!(profile = grant.profile, ?revocation, "somebody else signed in than was asked for");
        });
        ErrorBody::new(ErrorCode::AccountMismatch, description)
            .with_hint("sign in as that user (a private window helps), or ask for the other account")
            .into()
    }
}

/// The provider knows nothing of a code whose time is not over and whose last poll's answer may have been lost.
pub(super) fn used_up() -> Refusal {
    ErrorBody::new(
        ErrorCode::ExpiredToken,
        "the code is used up: the sign-in may have been finished while brokerd restarted, and its answer was lost",
    )
    .with_hint("ask again for a new code")
    .into()
}

pub(super) fn cancelled() -> Refusal {
    ErrorBody::new(ErrorCode::Cancelled, "the sign-in was cancelled").with_hint("ask again to get a new code").into()
}

/// Our own words, with the provider's beside them.
pub(super) fn with_provider(mut refusal: Refusal, explained: Refusal) -> Refusal {
    refusal.body.provider = explained.body.provider;
    refusal
}
