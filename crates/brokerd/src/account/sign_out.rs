//! Signing out: forgotten here always, revoked at the provider where it can be (RFC 7009).

use broker_ipc::api::{AccountRef, Revocation, SignedOut};
use broker_ipc::error::ErrorBody;
use broker_oauth::revoke::TokenTypeHint;
use tokio::time::Instant;

use super::hold::{Hold, has_intent, load};
use crate::broker::Broker;
use crate::explain;
use crate::grant::{AccountId, Credential, Grant};
use crate::provider::Provider;
use crate::store::StoreError;
use crate::vault::VaultError;

/// A sign-out whose turn has come.
pub(super) struct SignOut {
    /// When whoever asked must have an answer.
    pub(super) by: Instant,
    /// Whether a refresh that had been sent was cut off, for it or a moment before.
    pub(super) cut_off: bool,
    /// Whether the provider is told.
    pub(super) revoke: bool,
}

impl SignOut {
    /// Ends the sign-in. Runs with the grant in hand, so no refresh is in the air that could bring the account back. If the
    /// store does not let go of the grant, the account stays signed in and the error says so.
    pub(super) async fn run(
        self,
        broker: &Broker,
        provider: Option<&Provider>,
        id: &AccountId,
        hold: Hold,
    ) -> (Hold, Result<SignedOut, ErrorBody>) {
        let (hold, loaded) = load(broker, id, hold).await;
        // What nobody can read cannot be revoked any more, and it can be forgotten.
        if let Err(refusal) = loaded
            && !is_damaged(broker, id).await
        {
            return (hold, Err(refusal.body));
        }
        if let Err(error) = broker.vault.delete(id.as_str()).await {
            return (hold, Err(error.body()));
        }
        let card = broker.accounts.forget(id);
        if let Some(card) = &card {
            broker.events.account_changed(card.reference(), card.profile.clone(), None);
        }
        let grant = match hold {
            Hold::Saved(kept) => Some(kept.grant),
            Hold::Unsaved { grant, .. } => Some(grant),
            Hold::NotLoaded | Hold::Absent | Hold::SignedOut => None,
        };
        let grant = grant.filter(|_| self.revoke);
        let (mut revocation, mut detail) = self.revoke(provider, grant.as_ref()).await;
        if matches!(revocation, Revocation::Revoked | Revocation::NothingToRevoke)
            && let Some(store) = card.as_ref().and_then(|card| card.elsewhere(broker.vault.kind()))
        {
            let why = format!("a sign-in of it may be in another store, \"{store}\", which was not asked");
            (revocation, detail) = (Revocation::Failed, Some(why));
        }
        tracing::info!(account = %id, ?revocation, "signed out");
        let (username, profile) = card.map(|card| (card.username.clone(), card.profile.clone())).unwrap_or_default();
        let account = AccountRef { id: id.to_string(), username };
        (Hold::SignedOut, Ok(SignedOut { account, profile, revocation, detail }))
    }

    /// The account is forgotten; the provider may take what is left of the time.
    async fn revoke(&self, provider: Option<&Provider>, grant: Option<&Grant>) -> (Revocation, Option<String>) {
        match tokio::time::timeout_at(self.by, revoke(provider, grant)).await {
            // The provider takes a spent token for revoked, and its successor may be good still.
            Ok((Revocation::Revoked, _)) if self.cut_off || grant.is_some_and(has_intent) => {
                let why = "a refresh was cut off: the provider may have issued a token that nobody could revoke";
                (Revocation::Failed, Some(why.into()))
            }
            Ok(outcome) => outcome,
            Err(_) => (Revocation::Failed, Some("the provider did not answer in time".into())),
        }
    }
}

/// Whether the store has a record of this account that nobody can read.
pub(super) async fn is_damaged(broker: &Broker, id: &AccountId) -> bool {
    match broker.vault.get(id.as_str()).await {
        Err(VaultError::Store(error)) => matches!(*error, StoreError::Damaged(_)),
        _ => false,
    }
}

/// Gives a grant back to the provider, as far as that goes.
pub(crate) async fn revoke(provider: Option<&Provider>, grant: Option<&Grant>) -> (Revocation, Option<String>) {
    let (token, hint) = match grant.map(|grant| &grant.credential) {
        Some(Credential::Refresh(refresh)) => (refresh.token.expose(), TokenTypeHint::RefreshToken),
        Some(Credential::LongLived(token)) => (token.expose(), TokenTypeHint::AccessToken),
        Some(Credential::Transient | Credential::Dead) | None => return (Revocation::NothingToRevoke, None),
    };
    let Some(provider) = provider else {
        return (Revocation::Failed, Some("its profile is not in the configuration any more".into()));
    };
    // A grant is never sent to another than it came from.
    if !grant.is_some_and(|grant| grant.belongs_to(&provider.profile)) {
        let why = "the profile's client or issuer has changed since this account signed in";
        return (Revocation::Failed, Some(why.into()));
    }
    match provider.revoke(token, hint).await {
        Ok(true) => (Revocation::Revoked, None),
        Ok(false) => {
            let why = provider.profile.registration.provider.dialect().cannot_revoke;
            (Revocation::NotSupported, Some(why.into()))
        }
        Err(fault) => (Revocation::Failed, Some(explain::fault(&fault, &provider.profile).body.error_description)),
    }
}
