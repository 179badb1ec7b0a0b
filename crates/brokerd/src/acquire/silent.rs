//! A token without a person: from memory, by a refresh, by another profile's sign-in, or the last one while the provider is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broker_ipc::api::AccountState;
use broker_ipc::error::ErrorCode;
use broker_oauth::token::IssuedToken;
use tokio::sync::{SemaphorePermit, oneshot};

use super::{Arrival, Caller, Goal};
use crate::account::{Answer, Ask, Command, Served};
use crate::accounts::Card;
use crate::audit::Source;
use crate::explain::{Refusal, Remedy};
use crate::family::Whom;
use crate::flight;
use crate::provider::Provider;

impl Caller {
    /// Without a person: from memory, or by a refresh.
    pub(super) async fn silent(&self, card: &Card, ask: &Ask) -> Result<Served, Refusal> {
        if let Some(token) = self.broker.accounts.at_hand(&card.id, ask, self.broker.clock.now()) {
            return Ok(in_time(token, Source::Memory));
        }
        let turn = self.turn(ask).await?;
        if turn.is_some()
            && let Some(token) = self.broker.accounts.at_hand(&card.id, ask, self.broker.clock.now())
        {
            return Ok(in_time(token, Source::Memory));
        }
        let (reply, answer) = oneshot::channel();
        if !self.broker.tell(&card.id, Command::Token { ask: ask.clone(), reply }).await {
            return Err(self.gone());
        }
        let waiter = match answer.await {
            Ok(Answer::Now(token)) => return Ok(in_time(token, Source::Memory)),
            Ok(Answer::Wait(waiter)) => waiter,
            Err(_) => return Err(self.gone()),
        };
        match flight::wait(waiter, None).await {
            // All there is of the sign-in, which goes on for others.
            Ok(landed) if ask.rejects_alone(&landed.token) => Err(Refusal::rejected_here()),
            Ok(landed) => Ok(in_time(landed.token, Source::Refresh)),
            Err(refusal) if refusal.remedy == Remedy::Time && ask.is_soft() => {
                self.standby(card, ask, &refusal).await.ok_or(refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Whoever came by a restricted socket waits for a turn, and may find what another has brought meanwhile.
    async fn turn(&self, ask: &Ask) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
        let Some(allowance) = &self.client.allowance else { return Ok(None) };
        // A rejected token is replaced by a new one. Each request counts once, in how many ways it may be tried.
        let counts = (ask.wants_new() || ask.reject.is_some()) && !self.counted.swap(true, Ordering::Relaxed);
        allowance.turn(counts).await.map(Some)
    }

    /// The provider or the store is away: a token that is still valid will do. A locked keyring is no outage that could
    /// lengthen a token's life: it opens when its user wants.
    async fn standby(&self, card: &Card, ask: &Ask, why: &Refusal) -> Option<Served> {
        use ErrorCode::{ProviderError, ProviderUnreachable, Throttled};

        let grace = matches!(why.body.error, ProviderError | ProviderUnreachable | Throttled);
        let (reply, answer) = oneshot::channel();
        self.broker.tell(&card.id, Command::Standby { ask: ask.clone(), grace, reply }).await;
        answer.await.ok().flatten()
    }

    /// Without a person, by another profile's refresh token of the same family. `Err` tells why that does not help, where
    /// that is worth telling.
    pub(super) async fn borrow(
        &self,
        provider: &Arc<Provider>,
        ask: &Ask,
        who: Option<&Card>,
    ) -> Result<Arrival, Option<Refusal>> {
        if self.goal == Goal::SignIn || !provider.profile.silent.share_family || self.broker.stop.is_cancelled() {
            return Err(None);
        }
        let _turn = self.turn(ask).await.map_err(Some)?;
        loop {
            let whom = match (who, self.name(provider)) {
                // A grant that lives was refused for what was asked: another client's would be too.
                (Some(card), _) if !self.has_ended(card).await => return Err(None),
                (Some(card), _) => Whom::User(card.home_id.clone().ok_or(None)?),
                (None, Some(name)) => Whom::Named(name.into()),
                (None, None) => Whom::Anybody,
            };
            let loan = self.broker.families.join_or_start(&self.broker, provider, &whom, ask).ok_or(None)?;
            match flight::wait(loan.waiter, None).await {
                Ok(landed) => return Ok(Arrival { landed, challenged: !loan.for_another }),
                Err(refusal) if refusal.remedy == Remedy::Time => return Err(Some(refusal)),
                // Refused for what somebody else asked: our own request is tried once.
                Err(_) if loan.for_another => {}
                Err(_) => return Err(None),
            }
        }
    }

    async fn has_ended(&self, card: &Card) -> bool {
        let (reply, description) = oneshot::channel();
        self.broker.tell(&card.id, Command::Describe { reply }).await;
        description.await.is_ok_and(|described| described.account.state == AccountState::SignInRequired)
    }

    /// Why an account does not answer.
    fn gone(&self) -> Refusal {
        if self.broker.stop.is_cancelled() {
            Refusal::shutting_down()
        } else {
            Refusal::sign_in("the account was signed out meanwhile")
        }
    }
}

/// A token that serves within its own life.
pub(super) fn in_time(token: Arc<IssuedToken>, source: Source) -> Served {
    Served { token, extended: false, source }
}
