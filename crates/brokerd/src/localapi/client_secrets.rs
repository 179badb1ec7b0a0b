//! `PUT` and `DELETE /v1/client-secrets/{profile}`: a client's secret, into the keyring and out of it. No request returns one.

use std::sync::Arc;

use broker_ipc::api::ClientSecretRequest;
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::secret::ClientSecret;
use secrecy::ExposeSecret as _;

use super::parse;
use super::reply::Reply;
use crate::account::Command;
use crate::broker::Broker;
use crate::provider::secret_key;

pub(super) async fn put(broker: &Arc<Broker>, profile: &str, body: &[u8]) -> Result<Reply, ErrorBody> {
    let request: ClientSecretRequest = parse(body)?;
    let secret = request.client_secret.expose_secret();
    let bad = |what: &str| Err(ErrorBody::new(ErrorCode::BadRequest, what));
    if secret.is_empty() {
        return bad("client_secret is missing or empty");
    }
    if secret.chars().any(char::is_control) {
        return bad("the client secret has control characters in it, a line's end perhaps");
    }
    let provider = broker.provider(Some(profile))?;
    if !provider.profile.secret_in_keyring {
        let what = format!("profile {profile} does not take its client secret from the keyring");
        return Err(ErrorBody::new(ErrorCode::Configuration, what)
            .with_hint("write client_secret = \"keyring\" into the profile, then: brokerctl reload"));
    }
    provider.set_secret(ClientSecret::new(secret)).await.map_err(|error| error.body())?;
    for card in broker.accounts.cards().into_iter().filter(|card| card.profile == profile) {
        broker.tell(&card.id, Command::Forgive).await;
    }
    broker.families.forget(profile);
    tracing::info!(profile, "client secret kept");
    Ok(Reply::no_content())
}

/// Also for a profile that is not in the configuration any more, or not as it was.
pub(super) async fn delete(broker: &Arc<Broker>, profile: &str) -> Result<Reply, ErrorBody> {
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if profile.is_empty() || profile.len() > 64 || !profile.bytes().all(sane) {
        return Err(ErrorBody::new(ErrorCode::NotFound, "there can be no profile of that name"));
    }
    let removed = match broker.profiles().providers.get(profile) {
        Some(provider) => provider.remove_secret().await,
        None => broker.vault.delete(&secret_key(profile)).await,
    };
    removed.map_err(|error| error.body())?;
    tracing::info!(profile, "client secret removed");
    Ok(Reply::no_content())
}
