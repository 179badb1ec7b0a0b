//! Signing out: forgotten here always, revoked at the provider where it can be (RFC 7009).

use broker_ipc::api::{AccountRef, Revocation, SignedOut};
use broker_ipc::error::ErrorBody;
use broker_oauth::revoke::TokenTypeHint;

use super::hold::{Hold, load};
use crate::broker::Broker;
use crate::explain;
use crate::grant::{AccountId, Credential, Grant};
use crate::provider::Provider;
use crate::store::StoreError;
use crate::vault::VaultError;

/// Ends the sign-in. Runs with the grant in hand, so no refresh is in the air that could bring the account back. If the
/// store does not let go of the grant, nothing else is done and the error says so.
pub(super) async fn sign_out(
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
    let (revocation, detail) = revoke(provider, grant.as_ref()).await;
    tracing::info!(account = %id, ?revocation, "signed out");
    let (username, profile) = card.map(|card| (card.username, card.profile)).unwrap_or_default();
    let account = AccountRef { id: id.to_string(), username };
    (Hold::SignedOut, Ok(SignedOut { account, profile, revocation, detail }))
}

async fn is_damaged(broker: &Broker, id: &AccountId) -> bool {
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
            let why =
                "the provider has no revocation endpoint: the grant ends there when it expires, or on its own pages";
            (Revocation::NotSupported, Some(why.into()))
        }
        Err(fault) => (Revocation::Failed, Some(explain::fault(&fault, &provider.profile).body.error_description)),
    }
}
