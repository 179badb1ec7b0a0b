//! One profile's authorization server: its endpoints, found once, and the exchanges a sign-in and a refresh need.

mod client;
mod discovery;
mod gates;
mod refresh;
mod refusals;
mod who;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker_ipc::error::ErrorBody;
use broker_oauth::backoff::{Trouble, loop_pause};
use broker_oauth::device::{self, AuthorizationParameters, DeviceAuthorization, PollParameters};
use broker_oauth::extra::ExtraParameters;
use broker_oauth::failure::Failure;
use broker_oauth::metadata::Endpoints;
use broker_oauth::redact::Confided;
use broker_oauth::revoke::{TokenTypeHint, revocation_request, revocation_response};
use broker_oauth::scope::ScopeSet;
use broker_oauth::secret::{ClientSecret, CodeVerifier};
use broker_oauth::token::{Target, TokenResponse, token_response};
use broker_oauth::wire::{MAX_BODY, ProviderRequest, ProviderResponse};
use tokio::time::Instant;

pub(crate) use self::client::secret_key;
pub(crate) use self::gates::Gates;
use self::gates::{Endpoint, Pass};
pub(crate) use self::refresh::{Sending, Unrefreshed};
use self::refusals::Refusals;
use crate::clock::Clock;
use crate::config::{HttpProxy, Profile};
use crate::correlation::CorrelationId;
use crate::outbound::{Outbound, OutboundError, Source, Step, Unreachable};
use crate::vault::Vault;

/// The pause before the second try of a refresh, as MSAL has it.
const SECOND_TRY: Duration = Duration::from_secs(1);

/// Why an exchange gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// No connection, or no answer in time.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// It does not serve, now or when it was last asked, and nothing is sent before the time is over.
    #[error("{cause}; it is not asked again for {retry_after} s")]
    Away {
        /// What showed it.
        cause: Box<Self>,
        /// Of which kind that is.
        trouble: Trouble,
        /// Seconds left.
        retry_after: u64,
    },
    /// The profile cannot work as it is.
    #[error("{0}")]
    Misconfigured(String),
    /// The client's secret is to be in the keyring, and is not.
    #[error("the keyring has no client secret for it")]
    NoClientSecret,
    /// The client's secret is in the keyring, which does not answer.
    #[error("{}", .0.error_description)]
    Keyring(Box<ErrorBody>),
    /// It said no, or something that is not OAuth.
    #[error(transparent)]
    Refused(#[from] Failure),
}

impl Fault {
    /// Whether nothing came back at all, so that no other address of the same server leads further.
    fn is_of_the_way(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Misconfigured(_) | Self::NoClientSecret | Self::Keyring(_) => true,
            Self::Away { cause, .. } => cause.is_of_the_way(),
            Self::Refused(_) => false,
        }
    }
}

/// A profile's authorization server.
pub(crate) struct Provider {
    /// The profile.
    pub profile: Arc<Profile>,
    outbound: Outbound,
    gates: Gates,
    clock: Clock,
    vault: Vault,
    /// The client's secret, where the keyring has it, once it has been read. Held over an await, so that no reader puts back
    /// what a writer has just replaced.
    secret: tokio::sync::Mutex<Option<ClientSecret>>,
    discovered: Mutex<Option<(Endpoints, Instant)>>,
    refusals: Refusals,
}

/// Leave to send one refresh, asked for before the intent is written.
pub(crate) struct Clearance {
    endpoints: Endpoints,
    pass: Pass,
}

impl Provider {
    /// Nothing is sent before it is needed.
    pub(crate) fn new(profile: Arc<Profile>, outbound: Outbound, gates: Gates, clock: Clock, vault: Vault) -> Self {
        let (secret, discovered) = (tokio::sync::Mutex::new(None), Mutex::new(None));
        Self { profile, outbound, gates, clock, vault, secret, discovered, refusals: Refusals::default() }
    }

    /// The proxy on the way, and where it was found.
    pub(crate) fn proxy(&self) -> Result<Option<(HttpProxy, Source)>, String> {
        self.outbound.proxy(&self.profile.transport, self.profile.authority.url())
    }

    /// The way to the provider, step by step, for a person.
    pub(crate) async fn steps(&self) -> Vec<Step> {
        self.outbound.steps(&self.profile.transport, self.profile.authority.url()).await
    }

    /// By how much this machine's clock is ahead of the provider's, where an answer has told.
    pub(crate) fn clock_ahead(&self) -> Option<jiff::SignedDuration> {
        self.outbound.clock_ahead_of(self.profile.authority.url())
    }

    /// RFC 8628 §3.1. A refusal that only the configuration can mend is remembered for a while.
    pub(crate) async fn authorize_device(
        &self,
        parameters: AuthorizationParameters<'_>,
        id: &CorrelationId,
    ) -> Result<DeviceAuthorization, Fault> {
        let endpoints = self.endpoints(parameters.target.tenant.as_deref()).await?;
        let client = self.client().await?;
        let claims = self.claims(parameters.claims);
        let parameters = AuthorizationParameters { claims: claims.as_deref(), ..parameters };
        let verifier = if client.pkce { Some(new_verifier()?) } else { None };
        let request = device::authorization_request(&client, &endpoints, parameters, verifier.as_ref())
            .ok_or_else(|| Fault::Misconfigured("the provider has no device authorization endpoint".into()))?;
        let asked = refusals::Request::from(parameters);
        let era = self.refusals.check(&asked)?;
        // Nobody is asked to sign in where the poll could not be sent.
        self.gates.check(&self.endpoint(&endpoints.token)?)?;
        let request = self.marked(request, id);
        let pass = self.enter(&bare(&request.url))?;
        let read = |response: &ProviderResponse| discreet(&request, response, device::authorization_response);
        let mut authorized = settle(pass, self.fetch(&request).await, read, Trouble::of);
        if let Err(Fault::Refused(failure)) = &authorized {
            self.refusals.remember(asked, failure, era);
        }
        if let Ok(authorization) = &mut authorized {
            authorization.code_verifier = verifier;
        }
        authorized
    }

    /// RFC 8628 §3.4.
    pub(crate) async fn poll(
        &self,
        authorization: &DeviceAuthorization,
        asked: &ScopeSet,
        target: &Target,
        claims: Option<&str>,
        extra: &ExtraParameters,
        id: &CorrelationId,
    ) -> Result<TokenResponse, Fault> {
        let endpoints = self.endpoints(target.tenant.as_deref()).await?;
        let client = self.client().await?;
        let claims = self.claims(claims);
        let code_verifier = authorization.code_verifier.as_ref();
        let parameters = PollParameters { target, claims: claims.as_deref(), extra, code_verifier };
        let request = device::poll_request(&client, &endpoints, &authorization.device_code, parameters);
        let request = self.marked(request, id);
        let pass = self.enter(&endpoints.token)?;
        let (dialect, now) = (client.provider.dialect(), || self.clock.now());
        let read = |response: &ProviderResponse| {
            discreet(&request, response, |response| token_response(dialect, response, asked, target, now()))
        };
        settle(pass, self.fetch(&request).await, read, Trouble::of_poll)
    }

    /// Leave to send a refresh: the client can prove itself, the token endpoint is known and not to be left alone, and nothing
    /// here is in the way of a request to it.
    /// `home_id` is that of the grant's user; `intent`: one is to be written before the refresh.
    pub(crate) async fn clear(&self, target: &Target, home_id: Option<&str>, intent: bool) -> Result<Clearance, Fault> {
        self.client().await?;
        let endpoints = self.refresh_endpoints(target, home_id).await?;
        self.outbound.check(&self.profile.transport, &endpoints.token)?;
        let pass = self.enter(&endpoints.token)?;
        // On a machine without a network, an intent would be a write of the keyring in vain each time that somebody asks.
        if intent
            && pass.is_after_no_connection()
            && let Err(why) = self.outbound.reach(&self.profile.transport, &endpoints.token).await
        {
            tracing::info!(profile = self.profile.name, %why, "provider still unreachable");
            let nothing_arrived = why.is_before_a_connection();
            let fault = Fault::from(why);
            return Err(if nothing_arrived { pass.failed(Trouble::Unreachable, fault, None) } else { fault });
        }
        Ok(Clearance { endpoints, pass })
    }

    /// RFC 7009. `Ok(false)` if the provider cannot revoke.
    pub(crate) async fn revoke(&self, token: &str, hint: TokenTypeHint) -> Result<bool, Fault> {
        let endpoints = self.endpoints(None).await?;
        if endpoints.revocation.is_none() {
            return Ok(false);
        }
        let client = self.client().await?;
        let Some(request) = revocation_request(&client, &endpoints, token, hint) else { return Ok(false) };
        let pass = self.enter(&request.url)?;
        let read = |response: &ProviderResponse| discreet(&request, response, revocation_response);
        settle(pass, self.fetch(&request).await, read, Trouble::of)?;
        Ok(true)
    }

    /// An endpoint as the gates know it: one that cannot be reached by this profile's way may be well by another's.
    fn endpoint(&self, url: &url::Url) -> Result<Endpoint, Fault> {
        Ok(Endpoint::new(url, self.outbound.way(&self.profile.transport, url)?))
    }

    /// Leave to send one request.
    fn enter(&self, url: &url::Url) -> Result<Pass, Fault> {
        self.gates.enter(self.endpoint(url)?)
    }

    /// The same request with an id that the provider's support can find it by.
    fn marked(&self, mut request: ProviderRequest, id: &CorrelationId) -> ProviderRequest {
        let takes = self.profile.registration.provider.takes_request_ids();
        request.request_id = takes.then(|| id.to_string());
        request
    }

    /// A challenge, and what the client can do.
    fn claims(&self, challenge: Option<&str>) -> Option<String> {
        broker_oauth::claims::merged(challenge, &self.profile.silent.client_capabilities)
    }

    /// Sends, whatever the gates say.
    async fn fetch(&self, request: &ProviderRequest) -> Result<ProviderResponse, OutboundError> {
        let started = Instant::now();
        let outcome = self.outbound.send(&self.profile.transport, request, self.clock.now()).await;
        let elapsed_ms = started.elapsed().as_millis();
        let (profile, path) = (&self.profile.name, request.url.path());
        match &outcome {
            Ok(response) => tracing::debug!(profile, path, status = response.status, elapsed_ms, "provider answered"),
            Err(OutboundError::Transport(_)) => {}
            Err(OutboundError::TooLarge) => {
                tracing::info!(profile, path, elapsed_ms, limit = MAX_BODY, "the provider's answer is too large");
            }
            Err(why) => {
                let correlation_id = request.request_id.as_deref();
                tracing::info!(profile, path, %why, elapsed_ms, correlation_id, "provider unreachable");
            }
        }
        outcome
    }
}

impl From<OutboundError> for Fault {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::NotConnected(why)
            | OutboundError::NotConnectedInTime(why)
            | OutboundError::Unreachable(why)
            | OutboundError::TimedOut(why) => Self::Unreachable(why),
            OutboundError::TooLarge => Failure::TooLarge { limit: MAX_BODY }.into(),
            OutboundError::Transport(why) => Self::Misconfigured(why),
        }
    }
}

/// Reads an answer. A refusal that quotes what was sent is read without that: it is told to callers.
fn discreet<T>(
    request: &ProviderRequest,
    response: &ProviderResponse,
    read: impl Fn(&ProviderResponse) -> Result<T, Failure>,
) -> Result<T, Fault> {
    Ok(match read(response) {
        Err(Failure::OAuth(_)) => read(&Confided::by(request).out_of(response)),
        read => read,
    }?)
}

fn new_verifier() -> Result<CodeVerifier, Fault> {
    let mut random = zeroize::Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *random).map_err(|error| Fault::Misconfigured(format!("no random numbers: {error}")))?;
    Ok(CodeVerifier::from_random(&random))
}

/// An address without its query: whatever that says, it is the same endpoint.
fn bare(url: &url::Url) -> url::Url {
    let mut bare = url.clone();
    bare.set_query(None);
    bare
}

/// Reads an answer, and has the gate learn from it.
fn settle<T>(
    pass: Pass,
    outcome: Result<ProviderResponse, OutboundError>,
    read: impl FnOnce(&ProviderResponse) -> Result<T, Fault>,
    trouble: impl FnOnce(&Failure) -> Option<Trouble>,
) -> Result<T, Fault> {
    let nothing_arrived = outcome.as_ref().is_err_and(OutboundError::is_before_a_connection);
    let fault = match outcome.map_err(Fault::from).and_then(|response| read(&response)) {
        Ok(value) => {
            pass.well();
            return Ok(value);
        }
        Err(fault) => fault,
    };
    let (trouble, retry_after) = match &fault {
        Fault::Unreachable(_) if nothing_arrived => (Some(Trouble::Unreachable), None),
        Fault::Unreachable(_) => (Some(Trouble::Unanswered), None),
        Fault::Refused(failure) => (trouble(failure), failure.retry_after()),
        Fault::Misconfigured(_) | Fault::NoClientSecret | Fault::Keyring(_) | Fault::Away { .. } => return Err(fault),
    };
    if let Some(trouble) = trouble {
        return Err(pass.failed(trouble, fault, retry_after));
    }
    // Somebody on the way refused the request: nothing is known of the endpoint.
    if matches!(fault, Fault::Refused(Failure::NotOAuth { .. })) {
        return Err(fault);
    }
    pass.well();
    Err(match &fault {
        // About this client and this user: no reason to hold up others.
        Fault::Refused(failure) => match loop_pause(failure) {
            Some(pause) => {
                Fault::Away { trouble: Trouble::Throttling, retry_after: pause.as_secs(), cause: Box::new(fault) }
            }
            None => fault,
        },
        _ => fault,
    })
}

/// Whether a refresh that failed so may be sent again at once.
///
/// Sent again means: the same refresh token twice. That is safe where the first did not arrive, and where the server has
/// said that it failed. After a timeout it may still be at work on the first, and so may a server behind a gateway that gave
/// up (504), or one whose connection was cut: the second would be another refresh of the grant in the air. A server that
/// rotates takes the later of the two for a theft and ends the sign-in. The intent stays in the store, and the same token
/// is sent again with the next request, when the first has ended one way or the other. Where a use does not spend the
/// token, a cut connection is no more than a hiccup; a timeout has used up the callers' time.
fn is_hiccup(outcome: &Result<ProviderResponse, OutboundError>, once: bool) -> bool {
    match outcome {
        Ok(response) => match response.status {
            511 => false,
            504 if once => false,
            500..=599 => matches!(response.retry_after, None | Some(0)),
            _ => false,
        },
        Err(OutboundError::NotConnected(_)) => true,
        Err(OutboundError::Unreachable(_)) => !once,
        Err(
            OutboundError::NotConnectedInTime(_)
            | OutboundError::TimedOut(_)
            | OutboundError::TooLarge
            | OutboundError::Transport(_),
        ) => false,
    }
}
