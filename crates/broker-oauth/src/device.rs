//! The device authorization grant (RFC 8628), as a flow that is told what time it is.
//!
//! 1. [`authorization_request`] → the authorization server → [`authorization_response`] (§3.1, §3.2).
//! 2. The user is shown the prompt (§3.3).
//! 3. [`DeviceFlow::step`] says when to poll; [`poll_request`] → the token endpoint (§3.4).
//! 4. [`crate::failure`] says what the answer means; [`DeviceFlow::polled`] takes it in (§3.5), or the flow ended.

use std::time::Duration;

use crate::extra::ExtraParameters;
use crate::failure::Failure;
use crate::metadata::Endpoints;
use crate::registration::Registration;
use crate::scope::ScopeSet;
use crate::secret::{CodeVerifier, DeviceCode};
use crate::text::{user_code, verification_uri};
use crate::token::Target;
use crate::wire::{ProviderRequest, ProviderResponse, is_refusal, seconds, take_secret, text};

/// What a poll asks by (RFC 8628 §3.4).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8628 §3.2: the interval when the server names none.
const DEFAULT_INTERVAL: u64 = 5;
/// RFC 8628 §3.5: what each `slow_down` adds.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// `expires_in` is required, but not everybody sends it.
const DEFAULT_EXPIRES_IN: u64 = 900;
/// Nobody keeps a page open for longer than this; it also bounds what a broken server can make us do.
const MAX_EXPIRES_IN: u64 = 86_400;
/// Longest pause after failures of the network.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// How long before the end the last poll is due that a pause of our own would put off past it. The server's end is a little
/// sooner than ours, and the poll takes its time.
const LAST_POLL: Duration = Duration::from_secs(5);

/// What a device authorization asks for.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationParameters<'a> {
    /// The scopes to put on the wire; see [`Registration::sign_in_scopes`].
    pub scopes: &'a ScopeSet,
    /// Beyond the scopes.
    pub target: &'a Target,
    /// A claims challenge, as JSON.
    pub claims: Option<&'a str>,
    /// The user's language (BCP 47).
    pub locale: Option<&'a str>,
    /// Extra parameters, the profile's own among them.
    pub extra: &'a ExtraParameters,
}

/// What a poll repeats of its device authorization request.
#[derive(Clone, Copy, Debug)]
pub struct PollParameters<'a> {
    /// Beyond the scopes; RFC 8707 §2.2 has the resource in both requests.
    pub target: &'a Target,
    /// A claims challenge, as JSON.
    pub claims: Option<&'a str>,
    /// Extra parameters, the profile's own among them.
    pub extra: &'a ExtraParameters,
    /// Proves that the device code is ours, where its request had a challenge.
    pub code_verifier: Option<&'a CodeVerifier>,
}

/// A device authorization response (RFC 8628 §3.2), checked for what may be shown to a person.
#[derive(Clone, Debug)]
pub struct DeviceAuthorization {
    /// What we poll with.
    pub device_code: DeviceCode,
    /// What the user types.
    pub user_code: String,
    /// Where the user types it.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// How long the codes live.
    pub expires_in: Duration,
    /// The least time between two polls.
    pub interval: Duration,
    /// What the polls prove themselves by, where the request had a challenge. Set by whoever made it.
    pub code_verifier: Option<CodeVerifier>,
}

/// Builds a device authorization request (RFC 8628 §3.1), with the challenge of `code_verifier` (RFC 7636 §4.3) if there
/// is one; `None` if the provider has no device flow.
pub fn authorization_request(
    registration: &Registration,
    endpoints: &Endpoints,
    parameters: AuthorizationParameters<'_>,
    code_verifier: Option<&CodeVerifier>,
) -> Option<ProviderRequest> {
    let scope = parameters.scopes.to_string();
    let challenge = code_verifier.map(CodeVerifier::challenge);
    let fields = [
        ("scope", Some(scope.as_str()).filter(|scope| !scope.is_empty())),
        ("resource", parameters.target.resource.as_deref()),
        ("audience", parameters.target.audience.as_deref()),
        ("claims", parameters.claims),
        ("ui_locales", parameters.locale),
        ("code_challenge", challenge.as_deref()),
        ("code_challenge_method", challenge.as_ref().map(|_| "S256")),
    ];
    let mut url = endpoints.device_authorization.clone()?;
    if let (Some(name), Some(locale)) = (registration.provider.dialect().locale_in_query, parameters.locale) {
        url.query_pairs_mut().append_pair(name, locale);
    }
    Some(registration.request(url, fields, parameters.extra))
}

/// Reads the answer to a device authorization request (RFC 8628 §3.2).
pub fn authorization_response(response: &ProviderResponse) -> Result<DeviceAuthorization, Failure> {
    let Some(mut object) = response.object() else { return Err(Failure::not_oauth(response)) };
    // Entra and GitHub send errors with 200: the error field decides.
    if is_refusal(&object) {
        return Err(Failure::oauth(response, &object));
    }
    // A secret from here on: whatever is wrong with the rest, it is zeroed.
    let device_code = take_secret(&mut object, "device_code").map(DeviceCode::new);
    let device_code = device_code.filter(|code| !code.expose().is_empty());
    let shown = text(&object, "user_code").and_then(|code| user_code(&code).map(str::to_owned));
    // Google and ADFS say verification_url, some write camel case.
    let uri =
        ["verification_uri", "verification_url", "verificationUri"].into_iter().find_map(|name| text(&object, name));
    let (Some(device_code), Some(user_code), Some(uri)) = (device_code, shown, uri) else {
        return Err(Failure::not_oauth(response));
    };
    let verification_uri = verification_uri(&uri).ok_or(Failure::UnsafeVerificationUri)?;
    let complete = ["verification_uri_complete", "verification_url_complete", "verificationUriComplete"];
    let expires_in = seconds(&object, "expires_in").unwrap_or(DEFAULT_EXPIRES_IN).min(MAX_EXPIRES_IN);
    let interval = seconds(&object, "interval").unwrap_or(DEFAULT_INTERVAL).clamp(1, MAX_EXPIRES_IN);
    Ok(DeviceAuthorization {
        device_code,
        user_code,
        verification_uri_complete: complete
            .into_iter()
            .find_map(|name| text(&object, name))
            .and_then(|uri| crate::text::verification_uri(&uri)),
        verification_uri,
        expires_in: Duration::from_secs(expires_in),
        interval: Duration::from_secs(interval),
        code_verifier: None,
    })
}

/// Builds a poll (RFC 8628 §3.4).
pub fn poll_request(
    registration: &Registration,
    endpoints: &Endpoints,
    device_code: &DeviceCode,
    parameters: PollParameters<'_>,
) -> ProviderRequest {
    let fields = [
        ("grant_type", Some(GRANT_TYPE)),
        ("device_code", Some(device_code.expose())),
        // RFC 8628 has no such parameter here.
        ("claims", parameters.claims.filter(|_| registration.provider.dialect().claims_in_poll)),
        ("resource", parameters.target.resource.as_deref()),
        ("code_verifier", parameters.code_verifier.map(CodeVerifier::expose)),
    ];
    registration.request(endpoints.token.clone(), fields, parameters.extra)
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this time.
    WaitUntil(Duration),
    /// Poll.
    Poll,
    /// The codes have run out.
    Expired,
}

/// How a poll that did not end the flow went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// `authorization_pending`.
    Pending,
    /// `slow_down`; some servers name the new interval.
    SlowDown(Option<Duration>),
    /// No answer, or none from the authorization server: poll less often, and go on (RFC 8628 §3.5).
    Failed {
        /// The server's own wish.
        retry_after: Option<Duration>,
    },
}

/// A device flow after its authorization. Times count from the moment the response came.
#[derive(Clone, Debug)]
pub struct DeviceFlow {
    interval: Duration,
    backoff: Duration,
    next_poll: Duration,
    expires: Duration,
}

impl DeviceFlow {
    /// Starts the flow. The first poll is one interval away: nobody signs in faster.
    pub fn new(authorization: &DeviceAuthorization) -> Self {
        Self {
            interval: authorization.interval,
            backoff: Duration::ZERO,
            next_poll: authorization.interval,
            expires: authorization.expires_in,
        }
    }

    /// The time between two polls, as it stands.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Says what to do at `now`. Asking twice changes nothing.
    pub fn step(&self, now: Duration) -> Step {
        if now >= self.expires {
            Step::Expired
        } else if now >= self.next_poll {
            Step::Poll
        } else {
            Step::WaitUntil(self.next_poll.min(self.expires))
        }
    }

    /// Takes in a poll that did not end the flow, answered at `now`.
    pub fn polled(&mut self, outcome: Polled, now: Duration) {
        match outcome {
            Polled::Pending => self.backoff = Duration::ZERO,
            Polled::SlowDown(named) => {
                self.backoff = Duration::ZERO;
                self.interval = named.unwrap_or_default().max(self.interval + SLOW_DOWN);
            }
            Polled::Failed { retry_after } => {
                let least = self.less_often();
                self.backoff = (self.backoff * 2).clamp(least, MAX_BACKOFF.max(least));
                self.backoff = self.backoff.max(retry_after.unwrap_or_default());
            }
        }
        self.next_poll = now + self.interval.max(self.backoff);
        if let Polled::Failed { retry_after } = outcome {
            self.look_once_more(now, now + self.less_often().max(retry_after.unwrap_or_default()));
        }
    }

    /// The least pause after a poll that failed: RFC 8628 §3.5 has a client poll less often after a timeout.
    fn less_often(&self) -> Duration {
        self.interval * 2
    }

    /// A person may approve while we back off: where that alone would carry the next poll past the end, there is one before
    /// it, and no sooner than the server lets us. One that fails as well is the last.
    fn look_once_more(&mut self, now: Duration, allowed: Duration) {
        let last = self.expires.saturating_sub(LAST_POLL);
        if self.next_poll >= self.expires && now < last {
            self.next_poll = last.max(allowed);
        }
    }
}

#[cfg(test)]
mod tests;
