//! How a device flow ends: with a grant to be saved, or with a refusal in our words.

use std::sync::Arc;

use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::identity::Identity;
use broker_oauth::token::TokenResponse;
use tokio::sync::oneshot;

use super::Bound;
use super::flow::Flow;
use super::resume::forget;
use crate::account::{Command, revoke};
use crate::accounts::Card;
use crate::broker::Broker;
use crate::explain::Refusal;
use crate::flight::Landing;
use crate::grant::{AccountId, Grant};
use crate::provider::Provider;

/// Whose account a sign-in's grant becomes.
#[derive(Debug, PartialEq, Eq)]
enum Whose<'b> {
    /// That of the user the provider names, or of nobody known.
    Its,
    /// The same, and the account it was asked for, of whose user nothing was known, goes.
    Successor(&'b AccountId),
    /// The one asked for: the provider does not say who signed in, and that is no reason to take it for another.
    Unsaid(&'b AccountId),
    /// None.
    SomebodyElses,
}

/// Not known is not another: only who is named, and was not asked for, is somebody else. A name, though, is answered only
/// by who has it: what nobody is known by would be served to those who ask for that user.
fn whose<'b>(bound: &'b Bound, nobody: &AccountId, id: &AccountId, identity: &Identity) -> Whose<'b> {
    match bound {
        Bound::Anybody => Whose::Its,
        Bound::Account(expected) if expected == id => Whose::Its,
        Bound::Account(expected) if expected == nobody => Whose::Successor(expected),
        Bound::Account(expected) if id == nobody => Whose::Unsaid(expected),
        Bound::Name(name) if identity.answers_to(name) => Whose::Its,
        Bound::Account(_) | Bound::Name(_) => Whose::SomebodyElses,
    }
}

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
        let (mut grant, token) = Grant::issued(profile, target, response, self.broker.clock.now());
        let token = Arc::new(token);
        match whose(&self.wish.bound, &AccountId::of_nobody(profile), &grant.id, &grant.identity) {
            Whose::Its => self.broker.adopt(&self.wish.provider, grant, token).await,
            Whose::Successor(nameless) => {
                let landing = self.broker.adopt(&self.wish.provider, grant, token).await;
                if landing.is_ok() {
                    self.give_way(nameless).await;
                }
                landing
            }
            Whose::Unsaid(expected) => {
                let Some(card) = self.broker.accounts.card(expected) else { return Err(self.mismatch(grant)) };
                tracing::info!(account = %expected, "the provider does not say who signed in; taken for who was asked to");
                (grant.id, grant.identity) = (expected.clone(), card.identity());
                self.broker.adopt(&self.wish.provider, grant, token).await
            }
            Whose::SomebodyElses => Err(self.mismatch(grant)),
        }
    }

    /// Now it is known who the account of an unknown user was: the one that has the name is saved, and takes its place.
    async fn give_way(&self, nameless: &AccountId) {
        let (reply, gone) = oneshot::channel();
        if !self.broker.tell(nameless, Command::GiveWay { reply }).await {
            return;
        }
        if let Ok(Err(error)) = gone.await {
            tracing::warn!(account = %nameless, error = error.error_description, "the account without a name stays");
        } else {
            tracing::info!(account = %nameless, "the account without a name has one now, and a new id");
        }
    }

    /// Somebody else signed in: nothing is stored, and the grant is given back if that harms nobody.
    fn mismatch(&self, grant: Grant) -> Refusal {
        let expected = self.wish.account_name.as_deref().unwrap_or("the account asked for");
        let who = match &grant.identity.username {
            Some(username) => format!("{username} signed in"),
            None => "the provider does not say who signed in".into(),
        };
        let description = format!("{who}, and {expected} was asked for; nothing was stored");
        let (broker, provider) = (Arc::clone(self.broker), Arc::clone(&self.wish.provider));
        // Whoever waits need not wait for that.
        self.broker.tasks.spawn(async move { give_back(&broker, &provider, &grant).await });
        ErrorBody::new(ErrorCode::AccountMismatch, description)
            .with_hint("sign in as that user (a private window helps), or ask for the other account")
            .into()
    }
}

/// Gives back the grant of somebody who was not asked for. Where that user is signed in here, it is left to end by itself: some
/// providers take all grants of a user and client for one, and a revocation would end the account.
async fn give_back(broker: &Broker, provider: &Provider, grant: &Grant) {
    let profile = &grant.profile;
    if let Some(card) = broker.accounts.cards().into_iter().find(|card| may_be_one(broker, card, grant)) {
        tracing::info!(
            profile,
            account = %card.id,
            "somebody else signed in than was asked for; the grant is not given back: that could end this account"
        );
        return;
    }
    let (revocation, _) = revoke(Some(provider), Some(grant)).await;
    tracing::info!(profile, ?revocation, "somebody else signed in than was asked for");
}

/// Whether the provider may take this grant and that of an account for one: the same client, and the same user. Here too, not
/// known is not another.
fn may_be_one(broker: &Broker, card: &Card, grant: &Grant) -> bool {
    let same_client = match broker.provider(Some(&card.profile)) {
        Ok(provider) => provider.profile.registration.client_id == grant.client_id,
        // The profile is gone, and may come back with its account.
        Err(_) => true,
    };
    same_client && (card.issuer.is_empty() || card.issuer == grant.issuer) && may_be_of_one_user(card, grant)
}

/// An account's id says whose it is, under whatever profile.
fn may_be_of_one_user(card: &Card, grant: &Grant) -> bool {
    let id = |identity: &Identity| AccountId::derive(&card.profile, &grant.issuer, identity);
    let (nobody, theirs) = (id(&Identity::default()), id(&grant.identity));
    card.id == theirs || card.id == nobody || theirs == nobody
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_known_is_not_another() {
        let identity = |user: &str| match user {
            "" => Identity::default(),
            user => Identity { subject: Some(user.into()), username: Some(user.into()), ..Identity::default() },
        };
        let id = |user: &str| AccountId::derive("work", "https://a.example", &identity(user));
        let account = |user: &str| Bound::Account(id(user));
        let name = |user: &str| Bound::Name(user.into());
        let (alice, nobody) = (id("alice"), id(""));
        for (bound, user, expected) in [
            (Bound::Anybody, "alice", Whose::Its),
            (Bound::Anybody, "", Whose::Its),
            (account("alice"), "alice", Whose::Its),
            (account("alice"), "bob", Whose::SomebodyElses),
            (account("alice"), "", Whose::Unsaid(&alice)),
            (account(""), "alice", Whose::Successor(&nobody)),
            (account(""), "", Whose::Its),
            (name("ALICE"), "alice", Whose::Its),
            (name("alice"), "bob", Whose::SomebodyElses),
            (name("alice"), "", Whose::SomebodyElses),
        ] {
            assert_eq!(whose(&bound, &nobody, &id(user), &identity(user)), expected, "{bound:?}, {user:?} signed in");
        }
    }
}
