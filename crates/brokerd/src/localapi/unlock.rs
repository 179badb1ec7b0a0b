//! `POST /v1/store/unlock`: a passphrase, for the store that waits for one. No request returns it.

use std::sync::Arc;

use broker_ipc::api::UnlockRequest;
use broker_ipc::error::{ErrorBody, ErrorCode};
use secrecy::ExposeSecret as _;

use super::parse;
use super::reply::Reply;
use crate::broker::Broker;

/// What a new one must have: anything shorter is found by trying, whatever a try costs (NIST SP 800-63B §5.1.1).
const SHORTEST: usize = 8;
/// Longer ones are something else.
const LONGEST: usize = 4096;

pub(super) async fn unlock(broker: &Arc<Broker>, body: &[u8]) -> Result<Reply, ErrorBody> {
    let request: UnlockRequest = parse(body)?;
    if !broker.store_at_start.passphrase {
        let what = "the store is not one that a passphrase opens";
        return Err(ErrorBody::new(ErrorCode::Configuration, what)
            .with_hint("that is kind = \"file\" with passphrase = true under [store]"));
    }
    let length = request.passphrase.expose_secret().len();
    if length == 0 || length > LONGEST {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "passphrase is missing, empty or too long"));
    }
    if request.new && request.passphrase.expose_secret().chars().count() < SHORTEST {
        let what = format!("a passphrase has {SHORTEST} characters at least");
        return Err(
            ErrorBody::new(ErrorCode::BadRequest, what).with_hint("choose another; several words are easy to keep")
        );
    }
    broker.vault.unlock(request.passphrase, request.new).await.map_err(|error| error.body())?;
    tracing::info!(new = request.new, "the store was unlocked");
    // Accounts that wait for it need not wait for somebody to ask for them.
    broker.reconcile();
    Ok(Reply::no_content())
}
