//! `GET /v1/accounts`, `DELETE /v1/accounts/{id}`.

use std::sync::Arc;

use broker_ipc::api::Accounts;
use broker_ipc::error::{ErrorBody, ErrorCode};
use tokio::sync::oneshot;

use super::reply::Reply;
use crate::account::Command;
use crate::broker::Broker;
use crate::grant::AccountId;

pub(super) async fn list(broker: &Arc<Broker>) -> Result<Reply, ErrorBody> {
    // A keyring that does not answer hides accounts the index has lost, and no others: list what is known.
    drop(broker.reconciled().await);
    let described = broker.describe().await;
    Ok(Reply::json(&Accounts { accounts: described.into_iter().map(|described| described.account).collect() }))
}

pub(super) async fn sign_out(broker: &Arc<Broker>, id: &str) -> Result<Reply, ErrorBody> {
    let reconciled = broker.reconciled().await;
    let unknown =
        || ErrorBody::new(ErrorCode::UnknownAccount, "there is no such account").with_hint("see: brokerctl accounts");
    let id = AccountId::parse(id).ok_or_else(unknown)?;
    // As for a list: what hides accounts that the index has lost keeps nobody else from signing out.
    if broker.accounts.card(&id).is_none() {
        reconciled?;
    }
    let (reply, result) = oneshot::channel();
    if !broker.tell(&id, Command::SignOut { reply }).await {
        return Err(unknown());
    }
    match result.await {
        Ok(signed_out) => signed_out.map(|signed_out| Reply::json(&signed_out)),
        Err(_) => Err(unknown()),
    }
}
