//! How an account holds its grant: known or not, saved or not.

use std::sync::Arc;

use broker_ipc::api::AccountState;
use broker_oauth::refresh::time_for;
use broker_oauth::token::IssuedToken;
use jiff::Timestamp;
use tokio::time::Instant;

use super::sign_out::{is_damaged, revoke};
use crate::broker::Broker;
use crate::explain::Refusal;
use crate::grant::{AccountId, Credential, Grant};
use crate::provider::Provider;

/// The grant, or why it is not here.
#[derive(Debug)]
pub(crate) enum Hold {
    /// The store has not been asked yet, or did not answer.
    NotLoaded,
    /// The store has none.
    Absent,
    /// As the store has it.
    Saved(Held),
    /// Newer than what the store has: it is all there is of the successor, so it is kept here and saved again and again.
    Unsaved {
        /// The grant.
        grant: Grant,
        /// The token that came with it, and when, by the clock that nobody sets: shown to nobody before the grant is saved.
        token: Option<(Arc<IssuedToken>, Instant)>,
    },
    /// Signed out: the account is no more.
    SignedOut,
}

/// A grant as the store has it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) grant: Grant,
    /// A token that waited for this save.
    pub(super) released: Option<Arc<IssuedToken>>,
}

impl Held {
    pub(super) fn new(grant: Grant) -> Self {
        Self { grant, released: None }
    }

    pub(super) fn is_transient(&self) -> bool {
        matches!(self.grant.credential, Credential::Transient)
    }
}

/// What may be told of a grant while a flight has it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) state: AccountState,
    pub(super) scope: String,
    pub(super) signed_in_at: Option<Timestamp>,
    pub(super) refresh_expires_at: Option<Timestamp>,
}

impl Hold {
    /// Adds a token that waited for this hold to be saved.
    pub(super) fn with_released(mut self, token: Option<Arc<IssuedToken>>) -> Self {
        if let Self::Saved(held) = &mut self {
            held.released = held.released.take().or(token);
        }
        self
    }

    /// Ends a grant that is nothing but the access token a resource refused. The store is told when it can be.
    pub(super) fn without(self, sha256: &str) -> Self {
        match self {
            Self::Saved(Held { mut grant, .. }) if grant.is_token(sha256) => {
                grant.credential = Credential::Dead;
                Self::Unsaved { grant, token: None }
            }
            hold => hold,
        }
    }

    /// Whether the grant is over.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self, Self::Saved(Held { grant, .. }) | Self::Unsaved { grant, .. }
            if matches!(grant.credential, Credential::Dead))
    }

    pub(super) fn seen(&self) -> Seen {
        let (grant, state) = match self {
            Self::NotLoaded => (None, AccountState::NotLoaded),
            Self::Absent | Self::SignedOut => (None, AccountState::SignInRequired),
            // Whether the store knows of the end is no matter to anybody.
            Self::Saved(Held { grant, .. }) | Self::Unsaved { grant, .. }
                if matches!(grant.credential, Credential::Dead) =>
            {
                (Some(grant), AccountState::SignInRequired)
            }
            Self::Saved(Held { grant, .. }) => (Some(grant), AccountState::SignedIn),
            Self::Unsaved { grant, .. } => (Some(grant), AccountState::Unsaved),
        };
        Seen {
            state,
            scope: grant.map(|grant| grant.scope.to_string()).unwrap_or_default(),
            signed_in_at: grant.map(|grant| grant.signed_in_at),
            refresh_expires_at: grant.and_then(Grant::refresh_life).map(|life| life.expires_at),
        }
    }
}

/// Saves a grant. If the store does not take it, it is held unsaved and the refusal says why.
pub(super) async fn save(
    broker: &Broker,
    grant: Grant,
    token: Option<Arc<IssuedToken>>,
) -> (Hold, Result<(), Refusal>) {
    save_with(broker, grant, token.map(|token| (token, Instant::now()))).await
}

async fn save_with(
    broker: &Broker,
    grant: Grant,
    token: Option<(Arc<IssuedToken>, Instant)>,
) -> (Hold, Result<(), Refusal>) {
    match broker.vault.put(grant.id.as_str(), grant.to_record()).await {
        Ok(()) => {
            broker.accounts.remember(&grant, broker.vault.kind());
            // By a wall clock that was set back while it waited, it would be younger than it is.
            let now = broker.clock.now();
            let waited = token.filter(|(token, since)| time_for(token, now, since.elapsed()).is_some());
            (Hold::Saved(Held { grant, released: waited.map(|(token, _)| token) }), Ok(()))
        }
        Err(error) => (Hold::Unsaved { grant, token }, Err(error.into())),
    }
}

/// What a sign-in brought, and where from.
pub(crate) struct Brought {
    /// What lasts of it.
    pub(crate) grant: Grant,
    /// Its access token.
    pub(crate) token: Arc<IssuedToken>,
    /// As the profile was when it began.
    pub(crate) from: Arc<Provider>,
}

/// Takes over what a sign-in brought, and saves it. One that began under another client or issuer does not replace the grant
/// of the profile as it is now, and is given back.
pub(super) async fn adopt(
    broker: &Broker,
    provider: Option<&Provider>,
    id: &AccountId,
    hold: Hold,
    Brought { grant: new, token, from }: Brought,
) -> (Hold, Result<(), Refusal>) {
    let (hold, loaded) = load(broker, id, hold).await;
    if let Err(refusal) = loaded
        && matches!(new.credential, Credential::Transient)
        && !is_damaged(broker, id).await
    {
        // What is there lasts, perhaps, and this does not.
        return (hold, Err(refusal));
    }
    let of_now = |grant: &Grant| provider.is_some_and(|provider| grant.belongs_to(&provider.profile));
    if let Hold::Saved(Held { grant: old, .. }) | Hold::Unsaved { grant: old, .. } = &hold
        && of_now(old)
        && !of_now(&new)
    {
        let account = id.clone();
        broker.tasks.spawn(async move {
            let (revocation, _) = revoke(Some(&from), Some(&new)).await;
            tracing::info!(%account, ?revocation, "a sign-in of before the profile changed is not taken");
        });
        return (hold, Err(Refusal::sign_in("the profile has changed since this sign-in began")));
    }
    save(broker, successor(hold, new), Some(token)).await
}

/// What a sign-in leaves: its grant, or, where the provider gave nothing that lasts with it, the one there was. A sign-in
/// for less must not end the one that lasts. Whose it is stays known where this one's answer does not say.
fn successor(hold: Hold, mut new: Grant) -> Grant {
    let (lasts, says) = (!matches!(new.credential, Credential::Transient), new.identity.subject.is_some());
    match hold {
        Hold::Saved(Held { grant: old, .. }) | Hold::Unsaved { grant: old, .. }
            if !lasts
                && matches!(old.credential, Credential::Refresh(_))
                && (&old.client_id, &old.issuer) == (&new.client_id, &new.issuer) =>
        {
            old
        }
        Hold::Saved(Held { grant: old, .. }) | Hold::Unsaved { grant: old, .. } if !says => {
            new.identity = old.identity;
            new
        }
        _ => new,
    }
}

/// Tries again to save what is unsaved; anything else is left as it is.
pub(super) async fn save_again(broker: &Broker, hold: Hold) -> (Hold, Result<(), Refusal>) {
    match hold {
        Hold::Unsaved { grant, token } => save_with(broker, grant, token).await,
        hold => (hold, Ok(())),
    }
}

/// Writes a saved grant once more: the store may not have it any longer. It is as good as it was, whatever comes of it.
pub(super) async fn write_again(broker: &Broker, hold: Hold) -> (Hold, Result<(), Refusal>) {
    let Hold::Saved(Held { grant, .. }) = &hold else { return save_again(broker, hold).await };
    let written = broker.vault.put(grant.id.as_str(), grant.to_record()).await;
    (hold, written.map_err(Refusal::from))
}

/// Reads the grant, if it has not been read yet.
pub(super) async fn load(broker: &Broker, id: &AccountId, hold: Hold) -> (Hold, Result<(), Refusal>) {
    if !matches!(hold, Hold::NotLoaded) {
        return (hold, Ok(()));
    }
    match broker.vault.get(id.as_str()).await {
        Ok(Some(record)) => match Grant::from_record(&record) {
            Ok(grant) => {
                if has_intent(&grant) {
                    tracing::info!(account = %id, "a refresh was cut off");
                }
                (Hold::Saved(Held::new(grant)), Ok(()))
            }
            Err(why) => {
                broker.notices.add(format!("the record of account {id} cannot be read: {why}; sign in again"));
                (Hold::Absent, Ok(()))
            }
        },
        Ok(None) => {
            let card = broker.accounts.card(id);
            let elsewhere = card.as_ref().and_then(|card| card.elsewhere(broker.vault.kind()));
            broker.notices.add(match elsewhere {
                Some(store) => {
                    format!("the sign-in of account {id} is in another store, \"{store}\", and not in this one")
                }
                None => format!("the store has no grant for account {id} any more; sign in again, or sign it out"),
            });
            (Hold::Absent, Ok(()))
        }
        Err(error) => (Hold::NotLoaded, Err(error.into())),
    }
}

/// Whether a refresh began of which the store knows no end.
pub(super) fn has_intent(grant: &Grant) -> bool {
    matches!(&grant.credential, Credential::Refresh(refresh) if refresh.intent.is_some())
}
