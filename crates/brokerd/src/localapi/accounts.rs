//! `GET /v1/accounts`, `DELETE /v1/accounts/{id}`.

use std::sync::Arc;

use broker_ipc::api::Accounts;
use broker_ipc::error::{ErrorBody, ErrorCode};
use tokio::sync::oneshot;

use super::reply::Reply;
use crate::account::{Command, Description};
use crate::broker::Broker;
use crate::grant::AccountId;

pub(super) async fn list(broker: &Arc<Broker>) -> Result<Reply, ErrorBody> {
    // A keyring that does not answer hides accounts the index has lost, and no others: list what is known.
    drop(broker.reconciled().await);
    let described = describe(broker).await;
    Ok(Reply::json(&Accounts { accounts: described.into_iter().map(|described| described.account).collect() }))
}

/// How every account stands. Each answers at once, whatever it has in the air.
pub(super) async fn describe(broker: &Arc<Broker>) -> Vec<Description> {
    let mut accounts = Vec::new();
    for card in broker.accounts.cards() {
        let (reply, description) = oneshot::channel();
        broker.tell(&card.id, Command::Describe { reply }).await;
        accounts.extend(description.await.ok());
    }
    accounts
}

pub(super) async fn sign_out(broker: &Arc<Broker>, id: &str) -> Result<Reply, ErrorBody> {
    broker.reconciled().await?;
    let unknown =
        || ErrorBody::new(ErrorCode::UnknownAccount, "there is no such account").with_hint("see: brokerctl accounts");
    let id = AccountId::parse(id).ok_or_else(unknown)?;
    let (reply, result) = oneshot::channel();
    if !broker.tell(&id, Command::SignOut { reply }).await {
        return Err(unknown());
    }
    match result.await {
        Ok(signed_out) => signed_out.map(|signed_out| Reply::json(&signed_out)),
        Err(_) => Err(unknown()),
    }
}
