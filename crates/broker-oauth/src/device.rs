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
    /// No answer, or none from the authorization server: back off and go on (RFC 8628 §3.5).
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
                self.backoff = (self.backoff * 2).max(self.interval).min(MAX_BACKOFF.max(self.interval));
                self.backoff = self.backoff.max(retry_after.unwrap_or_default());
            }
        }
        self.next_poll = now + self.interval.max(self.backoff);
        let asked = match outcome {
            Polled::Failed { retry_after } => retry_after.unwrap_or_default(),
            Polled::Pending | Polled::SlowDown(_) => Duration::ZERO,
        };
        self.look_once_more(now, now + self.interval.max(asked));
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
mod tests {
    use serde_json::{Value, json};
    use zeroize::Zeroizing;

    use super::*;
    use crate::registration::Provider;

    fn authorize(body: &Value) -> Result<DeviceAuthorization, Failure> {
        let body = Zeroizing::new(body.to_string().into_bytes());
        authorization_response(&ProviderResponse { status: 200, retry_after: None, is_form: false, body })
    }

    fn minimal() -> Value {
        json!({"device_code": "d", "user_code": "U-1", "verification_uri": "https://a.example/d"})
    }

    fn flow(interval: u64, expires_in: u64) -> DeviceFlow {
        let mut body = minimal();
        body["interval"] = interval.into();
        body["expires_in"] = expires_in.into();
        DeviceFlow::new(&authorize(&body).unwrap())
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_defaults_are_the_rfcs() {
        let authorization = authorize(&minimal()).unwrap();
        assert_eq!(authorization.interval, s(5));
        assert_eq!(authorization.expires_in, s(900));
    }

    #[test]
    fn aliases_and_strings_are_read() {
        let body = json!({
            "device_code": "d", "user_code": "U", "verification_url": "https://a.example/d",
            "interval": "7", "expires_in": "60", "verification_url_complete": "https://a.example/d?c=U",
        });
        let authorization = authorize(&body).unwrap();
        assert_eq!((authorization.interval, authorization.expires_in), (s(7), s(60)));
        assert!(authorization.verification_uri_complete.is_some());
        let camel = json!({
            "device_code": "d", "user_code": "U", "verificationUri": "https://a.example/d",
            "verificationUriComplete": "https://a.example/d?c=U",
        });
        assert!(authorize(&camel).unwrap().verification_uri_complete.is_some());
    }

    #[test]
    fn the_resource_and_extra_parameters_are_on_both_legs_and_so_is_the_proof() {
        let at = |path: &str| url::Url::parse(&format!("https://a.example/{path}")).unwrap();
        let endpoints =
            Endpoints { token: at("t"), device_authorization: Some(at("d")), revocation: None, userinfo: None };
        let registration = Registration::public(Provider::Keycloak, "cli", ScopeSet::default());
        let target = Target { resource: Some("urn:files".into()), ..Target::default() };
        let extra = ExtraParameters::new([("prompt".to_owned(), "login".to_owned())].into()).unwrap();
        let verifier = CodeVerifier::new("v");
        let scopes = ScopeSet::default();
        let asked =
            AuthorizationParameters { scopes: &scopes, target: &target, claims: None, locale: None, extra: &extra };
        let asked = authorization_request(&registration, &endpoints, asked, Some(&verifier)).unwrap();
        let poll = PollParameters { target: &target, claims: None, extra: &extra, code_verifier: Some(&verifier) };
        let polled = poll_request(&registration, &endpoints, &DeviceCode::new("d"), poll);
        let (asked, polled) = (asked.form.unwrap(), polled.form.unwrap());
        for form in [asked.as_str(), polled.as_str()] {
            assert!(form.contains("resource=urn%3Afiles") && form.contains("prompt=login"), "{form}");
        }
        assert!(!asked.as_str().contains("scope="), "none was asked for");
        let challenge = verifier.challenge();
        assert!(asked.as_str().contains(&format!("code_challenge={challenge}&code_challenge_method=S256")));
        assert!(!asked.as_str().contains("code_verifier") && polled.as_str().contains("code_verifier=v"));
    }

    #[test]
    fn nothing_unsafe_is_shown() {
        let mut body = minimal();
        body["verification_uri"] = "http://evil.example/".into();
        assert!(matches!(authorize(&body), Err(Failure::UnsafeVerificationUri)));
        let mut body = minimal();
        body["verification_uri_complete"] = "javascript:alert(1)".into();
        assert_eq!(authorize(&body).unwrap().verification_uri_complete, None);
        let mut body = minimal();
        body["user_code"] = "\u{1b}[2J".into();
        assert!(matches!(authorize(&body), Err(Failure::NotOAuth { .. })));
    }

    #[test]
    fn absurd_numbers_are_tamed() {
        let mut body = minimal();
        body["interval"] = 0.into();
        body["expires_in"] = json!(1e300);
        let authorization = authorize(&body).unwrap();
        assert_eq!((authorization.interval, authorization.expires_in), (s(1), s(86_400)));
    }

    #[test]
    fn it_polls_by_the_interval_and_ends_by_the_expiry() {
        let mut flow = flow(5, 12);
        assert_eq!(flow.step(s(0)), Step::WaitUntil(s(5)));
        assert_eq!(flow.step(s(5)), Step::Poll);
        flow.polled(Polled::Pending, s(6));
        assert_eq!(flow.step(s(6)), Step::WaitUntil(s(11)));
        assert_eq!(flow.step(s(11)), Step::Poll);
        flow.polled(Polled::Pending, s(11));
        assert_eq!(flow.step(s(11)), Step::WaitUntil(s(12)));
        assert_eq!(flow.step(s(12)), Step::Expired);
    }

    #[test]
    fn each_slow_down_adds_five_seconds_for_good() {
        let mut flow = flow(5, 900);
        flow.polled(Polled::SlowDown(None), s(5));
        flow.polled(Polled::SlowDown(None), s(15));
        assert_eq!(flow.interval(), s(15));
        flow.polled(Polled::Pending, s(30));
        assert_eq!(flow.step(s(30)), Step::WaitUntil(s(45)));
        // A server that names a smaller interval does not get its way; a larger one does.
        flow.polled(Polled::SlowDown(Some(s(1))), s(45));
        assert_eq!(flow.interval(), s(20));
        flow.polled(Polled::SlowDown(Some(s(40))), s(65));
        assert_eq!(flow.interval(), s(40));
    }

    #[test]
    fn failures_of_the_network_back_off_and_heal() {
        let mut flow = flow(5, 900);
        let mut now = s(5);
        for pause in [5, 10, 20, 40, 60, 60] {
            flow.polled(Polled::Failed { retry_after: None }, now);
            assert_eq!(flow.step(now), Step::WaitUntil(now + s(pause)));
            now += s(pause);
        }
        flow.polled(Polled::Pending, now);
        assert_eq!(flow.step(now), Step::WaitUntil(now + s(5)));
        flow.polled(Polled::Failed { retry_after: Some(s(120)) }, now);
        assert_eq!(flow.step(now), Step::WaitUntil(now + s(120)));
    }

    /// A flow of 100 s whose polls failed until its own pause was a minute, and the last of them at `now`, told to come back
    /// after `retry_after`.
    fn backed_off(interval: u64, now: Duration, retry_after: Option<Duration>) -> DeviceFlow {
        let mut flow = flow(interval, 100);
        for _ in 0..6 {
            flow.polled(Polled::Failed { retry_after: None }, s(0));
        }
        flow.polled(Polled::Failed { retry_after }, now);
        flow
    }

    #[test]
    fn our_own_pause_does_not_outlast_the_code() {
        for (interval, now, next) in [
            (5, s(30), s(90)), // no pause to cut short
            (5, s(40), s(95)), // it would end with the code
            (5, s(89), s(95)),
            (5, s(92), s(97)), // no sooner than the interval
            (1, s(94), s(95)),
            (1, s(95), s(100)), // it was the last
            (1, s(97), s(100)),
            (30, s(80), s(100)), // the interval is the server's
        ] {
            let flow = backed_off(interval, now, None);
            assert_eq!(flow.step(now), Step::WaitUntil(next), "every {interval} s, at {now:?}");
            let then = if next < s(100) { Step::Poll } else { Step::Expired };
            assert_eq!(flow.step(next), then, "every {interval} s, at {now:?}");
        }
    }

    #[test]
    fn what_the_server_asked_for_is_kept_at_the_end_too() {
        for (retry_after, next) in [(10, 95), (57, 97), (60, 100), (600, 100)] {
            let flow = backed_off(5, s(40), Some(s(retry_after)));
            assert_eq!(flow.step(s(40)), Step::WaitUntil(s(next)), "Retry-After: {retry_after}");
        }
        // Nor does `slow_down` make room for one.
        let mut flow = flow(5, 100);
        flow.polled(Polled::SlowDown(Some(s(60))), s(50));
        assert_eq!(flow.step(s(50)), Step::WaitUntil(s(100)));
        flow.polled(Polled::Failed { retry_after: None }, s(60));
        assert_eq!(flow.step(s(60)), Step::WaitUntil(s(100)));
    }
}
