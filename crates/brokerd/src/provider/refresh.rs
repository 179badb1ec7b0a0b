//! The refresh request (RFC 6749 §6), and what is known of the refresh token after one that brought nothing.

use std::time::Duration;

use broker_oauth::backoff::{Trouble, whole_seconds};
use broker_oauth::refresh::{RefreshParameters, refresh_request};
use broker_oauth::scope::ScopeSet;
use broker_oauth::secret::RefreshToken;
use broker_oauth::token::{TokenResponse, refresh_response};
use broker_oauth::wire::ProviderResponse;

use super::{Clearance, Fault, Provider, SECOND_TRY, discreet, is_hiccup, settle};
use crate::correlation::CorrelationId;
use crate::outbound::{OutboundError, Unreachable};

/// Why a refresh brought nothing.
#[derive(Debug)]
pub(crate) struct Unrefreshed {
    /// What to tell.
    pub(crate) fault: Fault,
    /// Whether the provider may have served it all the same, and have spent the refresh token: it was sent, and not answered.
    pub(crate) in_doubt: bool,
}

impl From<Fault> for Unrefreshed {
    fn from(fault: Fault) -> Self {
        Self { fault, in_doubt: false }
    }
}

/// A refresh token to send.
pub(crate) struct Sending<'a> {
    pub(crate) token: &'a RefreshToken,
    /// Whether the first use may spend it.
    pub(crate) once: bool,
    /// Called each time before it is sent.
    pub(crate) tell: &'a (dyn Fn() + Sync),
}

impl Fault {
    /// Nothing was sent: the provider may be at work, for so long, on a refresh that nobody waits for any more.
    pub(crate) fn still_at_work(left: Duration) -> Self {
        let cause = Unreachable::new("it has not answered the refresh before this one");
        Self::Away { cause: Box::new(cause.into()), trouble: Trouble::Unanswered, retry_after: whole_seconds(left) }
    }
}

impl Provider {
    /// RFC 6749 §6. `scopes` are those that the caller wanted, which the token is cached under, and those that the request
    /// stands for; `parameters` is what is sent.
    pub(crate) async fn refresh(
        &self,
        Clearance { endpoints, mut pass }: Clearance,
        Sending { token, once, tell }: Sending<'_>,
        scopes: (&ScopeSet, &ScopeSet),
        parameters: RefreshParameters<'_>,
    ) -> Result<TokenResponse, Unrefreshed> {
        let client = self.client().await?;
        let claims = self.claims(parameters.claims);
        let parameters = RefreshParameters { claims: claims.as_deref(), ..parameters };
        let request = refresh_request(&client, &endpoints, token, parameters);
        let request = self.marked(request, &CorrelationId::random());
        tell();
        let mut outcome = self.fetch(&request).await;
        let mut in_doubt = may_have_been_served(&outcome);
        // In an outage that is known already, every try would cost two.
        if pass.is_clear() && is_hiccup(&outcome, once) {
            drop(pass);
            tokio::time::sleep(SECOND_TRY).await;
            // Somebody else may have been told meanwhile to stay away.
            pass = self.enter(&endpoints.token).map_err(|fault| Unrefreshed { fault, in_doubt })?;
            tell();
            outcome = self.fetch(&request).await;
            in_doubt |= may_have_been_served(&outcome);
        }
        let (dialect, target, now) = (client.provider.dialect(), parameters.target, self.clock.now());
        let read = |response: &ProviderResponse| {
            let read = |response: &ProviderResponse| refresh_response(dialect, response, scopes, target, now);
            discreet(&request, response, read)
        };
        settle(pass, outcome, read, Trouble::of).map_err(|fault| Unrefreshed { fault, in_doubt })
    }
}

/// Behind a gateway that speaks for it, a server may be at work still.
fn may_have_been_served(outcome: &Result<ProviderResponse, OutboundError>) -> bool {
    match outcome {
        Ok(response) => (500..600).contains(&response.status),
        Err(error) => !error.is_before_a_connection(),
    }
}
