//! One profile's authorization server: its endpoints, found once, and the exchanges a sign-in and a refresh need.

mod discovery;
mod gates;

use std::sync::{Arc, Mutex};

use broker_oauth::device::{self, AuthorizationParameters, DeviceAuthorization};
use broker_oauth::failure::Failure;
use broker_oauth::metadata::Endpoints;
use broker_oauth::refresh::{RefreshParameters, refresh_request};
use broker_oauth::revoke::{TokenTypeHint, revocation_request, revocation_response};
use broker_oauth::scope::ScopeSet;
use broker_oauth::secret::{DeviceCode, RefreshToken};
use broker_oauth::token::{Target, TokenResponse, refresh_response, token_response};
use broker_oauth::wire::{MAX_BODY, ProviderRequest, ProviderResponse};
use tokio::time::Instant;

pub(crate) use self::gates::Gates;
use crate::clock::Clock;
use crate::config::{HttpProxy, Profile};
use crate::correlation::CorrelationId;
use crate::outbound::{Outbound, OutboundError, Source, Unreachable};

/// Why an exchange gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// No connection, or no answer in time.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// It asked to be left alone, and that time is not over: nothing was sent.
    #[error("the provider asked to wait another {retry_after} s")]
    Waiting {
        /// Seconds left.
        retry_after: u64,
    },
    /// The profile cannot work as it is.
    #[error("{0}")]
    Misconfigured(String),
    /// It said no, or something that is not OAuth.
    #[error(transparent)]
    Refused(#[from] Failure),
}

/// A profile's authorization server.
pub(crate) struct Provider {
    /// The profile.
    pub profile: Arc<Profile>,
    outbound: Outbound,
    gates: Gates,
    clock: Clock,
    discovered: Mutex<Option<(Endpoints, Instant)>>,
}

impl Provider {
    /// Nothing is sent before it is needed.
    pub(crate) fn new(profile: Arc<Profile>, outbound: Outbound, gates: Gates, clock: Clock) -> Self {
        Self { profile, outbound, gates, clock, discovered: Mutex::new(None) }
    }

    /// The proxy on the way, and where it was found.
    pub(crate) fn proxy(&self) -> Result<Option<(HttpProxy, Source)>, String> {
        self.outbound.proxy(&self.profile.transport, self.profile.authority.url())
    }

    /// RFC 8628 §3.1.
    pub(crate) async fn authorize_device(
        &self,
        parameters: AuthorizationParameters<'_>,
        id: &CorrelationId,
    ) -> Result<DeviceAuthorization, Fault> {
        let endpoints = self.endpoints(parameters.target.tenant.as_deref()).await?;
        let claims = self.claims(parameters.claims);
        let parameters = AuthorizationParameters { claims: claims.as_deref(), ..parameters };
        let request = device::authorization_request(&self.profile.registration, &endpoints, parameters)
            .ok_or_else(|| Fault::Misconfigured("the provider has no device authorization endpoint".into()))?;
        Ok(device::authorization_response(&self.send(&self.marked(request, id)).await?)?)
    }

    /// RFC 8628 §3.4.
    pub(crate) async fn poll(
        &self,
        code: &DeviceCode,
        asked: &ScopeSet,
        target: &Target,
        claims: Option<&str>,
        id: &CorrelationId,
    ) -> Result<TokenResponse, Fault> {
        let endpoints = self.endpoints(target.tenant.as_deref()).await?;
        let claims = self.claims(claims);
        let request = device::poll_request(&self.profile.registration, &endpoints, code, claims.as_deref());
        let request = self.marked(request, id);
        let response = self.send(&request).await?;
        self.discreet(&response, code.expose(), |response| token_response(response, asked, target, self.clock.now()))
    }

    /// Whether a refresh would be sent: the token endpoint is known, and has not asked to be left alone.
    pub(crate) async fn may_refresh(&self, target: &Target, home_id: Option<&str>) -> Result<(), Fault> {
        self.gates.check(&self.refresh_endpoints(target, home_id).await?.token)
    }

    /// RFC 6749 §6. `asked` is what the caller wanted, which the token is cached under; `parameters` what is sent.
    /// `home_id` is that of the grant's user.
    pub(crate) async fn refresh(
        &self,
        refresh_token: &RefreshToken,
        home_id: Option<&str>,
        asked: &ScopeSet,
        parameters: RefreshParameters<'_>,
    ) -> Result<TokenResponse, Fault> {
        let endpoints = self.refresh_endpoints(parameters.target, home_id).await?;
        let claims = self.claims(parameters.claims);
        let parameters = RefreshParameters { claims: claims.as_deref(), ..parameters };
        let request = refresh_request(&self.profile.registration, &endpoints, refresh_token, parameters);
        let request = self.marked(request, &CorrelationId::random());
        let response = self.send(&request).await?;
        let (target, now) = (parameters.target, self.clock.now());
        self.discreet(&response, refresh_token.expose(), |response| refresh_response(response, asked, target, now))
    }

    /// RFC 7009. `Ok(false)` if the provider cannot revoke.
    pub(crate) async fn revoke(&self, token: &str, hint: TokenTypeHint) -> Result<bool, Fault> {
        let endpoints = self.endpoints(None).await?;
        let Some(request) = revocation_request(&self.profile.registration, &endpoints, token, hint) else {
            return Ok(false);
        };
        let response = self.send(&request).await?;
        self.discreet(&response, token, revocation_response)?;
        Ok(true)
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

    /// Reads an answer. A refusal that quotes what was sent is read without that: it is told to callers.
    fn discreet<T>(
        &self,
        response: &ProviderResponse,
        sent: &str,
        read: impl Fn(&ProviderResponse) -> Result<T, Failure>,
    ) -> Result<T, Fault> {
        let secret = self.profile.registration.client_secret.as_ref().map_or("", |secret| secret.expose());
        Ok(match read(response) {
            Err(Failure::OAuth(_)) => read(&response.without(&[sent, secret])),
            read => read,
        }?)
    }

    async fn send(&self, request: &ProviderRequest) -> Result<ProviderResponse, Fault> {
        self.gates.check(&request.url)?;
        let response = self.fetch(request).await?;
        if let (429 | 503, Some(seconds @ 1..)) = (response.status, response.retry_after) {
            self.gates.close(&request.url, seconds);
        }
        Ok(response)
    }

    async fn fetch(&self, request: &ProviderRequest) -> Result<ProviderResponse, Fault> {
        let started = Instant::now();
        let outcome = self.outbound.send(&self.profile.transport, request, self.clock.now()).await;
        let elapsed_ms = started.elapsed().as_millis();
        let (profile, path) = (&self.profile.name, request.url.path());
        match outcome {
            Ok(response) => {
                tracing::debug!(profile, path, status = response.status, elapsed_ms, "provider answered");
                Ok(response)
            }
            Err(OutboundError::Unreachable(why)) => {
                let correlation_id = request.request_id.as_deref();
                tracing::info!(profile, path, %why, elapsed_ms, correlation_id, "provider unreachable");
                Err(Fault::Unreachable(why))
            }
            Err(OutboundError::TooLarge) => {
                tracing::info!(profile, path, elapsed_ms, limit = MAX_BODY, "the provider's answer is too large");
                Err(Failure::TooLarge { limit: MAX_BODY }.into())
            }
            Err(OutboundError::Transport(why)) => Err(Fault::Misconfigured(why)),
        }
    }
}
