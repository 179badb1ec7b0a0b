//! The way that nearly every request takes: one account is meant, and a token for it is at hand.

use std::sync::Arc;

use broker_ipc::api::{Interaction, TokenRequest};

use super::silent::in_time;
use super::{Acquired, Caller, Goal};
use crate::audit::{Client, Source};
use crate::broker::Broker;

/// Answers a request for a token without a wait, and writes its audit line. Gives the request back where there is more to
/// it: something must be waited for, asked of a person, or refused. Nothing has been done then.
pub(crate) fn at_once(
    broker: &Arc<Broker>,
    request: TokenRequest,
    client: &Arc<Client>,
) -> Result<Acquired, Box<TokenRequest>> {
    let caller = Caller::new(broker, request, Goal::Token, client);
    match caller.at_once() {
        Some(acquired) => {
            broker.audit.granted(client, &acquired);
            Ok(acquired)
        }
        None => Err(Box::new(caller.request)),
    }
}

impl Caller {
    fn at_once(&self) -> Option<Acquired> {
        match self.request.interaction {
            Some(Interaction::Elsewhere) => return None,
            // Who may be asked joins the prompts of the daemon before this one.
            Some(Interaction::Allow) | None if !self.broker.sign_ins.have_recovered() => return None,
            _ => {}
        }
        let provider = self.broker.provider(self.request.profile.as_deref()).ok()?;
        let ask = self.ask(&provider).ok()?;
        let card = match self.broker.accounts.find(&provider.profile, self.name(&provider)).as_slice() {
            [card] => Arc::clone(card),
            _ => return None,
        };
        let token = self.broker.accounts.at_hand(&card.id, &ask, self.broker.clock.now())?;
        self.acquired(&provider, &card, in_time(token, Source::Memory)).ok()
    }
}
