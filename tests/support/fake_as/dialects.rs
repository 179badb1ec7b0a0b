//! How the server can be unlike the RFCs, as real providers are; each provider is a way to set up [`Options`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::failure::{Dead, Failure};
use super::fault::Endpoint;
use super::journal::{Request, lookup};
use super::metadata::Route;
use super::options::{Options, RefreshTokens, Rotation};
use super::state::State;

/// Habits that no RFC has.
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// Every answer has this status, errors too (GitHub).
    pub status: Option<u16>,
    /// `authorization_pending` has this status (Google: 428).
    pub pending_status: Option<u16>,
    /// Other errors of a poll have this status (Google, Auth0: 403).
    pub refusal_status: Option<u16>,
    /// Answers are forms unless JSON is asked for (GitHub).
    pub form_answers: bool,
    /// Scopes of an answer are separated by commas (GitHub).
    pub comma_scopes: bool,
    /// An error stands in `message`, beside the status (Twitch).
    pub error_in_message: bool,
    /// What a refresh token that is no good is called (GitHub).
    pub dead_word: Option<&'static str>,
    /// `verification_url` (Google).
    pub verification_url: bool,
    /// The client secret is read from the form only (Google).
    pub secret_in_form: bool,
    /// A device authorization request must have a PKCE challenge (Keycloak).
    pub pkce_required: bool,
    /// How long a refresh token lives unused that was not asked for with `offline_access`; every answer says it (Keycloak).
    pub session_idle: Option<Duration>,
    /// Scopes may be asked for as `scopes`, and an answer has them in an array (Twitch).
    pub scope_lists: bool,
    /// The answer to a refresh does not say its scope, which RFC 6749 §5.1 leaves to the server where it is what was asked for.
    pub unsaid_scope: bool,
    /// Endpoints at these paths as well.
    pub paths: &'static [(&'static str, Endpoint)],
}

impl Options {
    /// GitHub with an OAuth app: the access token is the grant.
    pub fn github(&mut self) {
        self.github_app();
        self.refresh_tokens = RefreshTokens::Never;
        self.token_overrides.insert("expires_in".into(), Value::Null);
        self.token_overrides.remove("refresh_token_expires_in");
    }

    /// GitHub with a GitHub app: eight hours, and refresh tokens that serve once.
    pub fn github_app(&mut self) {
        self.refresh_tokens = RefreshTokens::Always;
        self.rotation = Rotation::Strict;
        self.token_overrides.insert("refresh_token_expires_in".into(), 15_897_600.into());
        self.quirks = Quirks {
            status: Some(200),
            form_answers: true,
            comma_scopes: true,
            dead_word: Some("bad_refresh_token"),
            paths: &[
                ("/login/device/code", Endpoint::DeviceAuthorization),
                ("/login/oauth/access_token", Endpoint::Token),
                ("/api/v3/user", Endpoint::Userinfo),
            ],
            ..Quirks::default()
        };
    }

    /// Google: a secret of device clients too, and refresh tokens that stay.
    pub fn google(&mut self) {
        self.refresh_tokens = RefreshTokens::Always;
        self.rotation = Rotation::None;
        self.quirks = Quirks {
            pending_status: Some(428),
            refusal_status: Some(403),
            verification_url: true,
            secret_in_form: true,
            ..Quirks::default()
        };
    }

    /// Auth0: errors with 403, and JWTs for those who name an audience.
    pub fn auth0(&mut self) {
        self.quirks = Quirks { pending_status: Some(403), refusal_status: Some(403), ..Quirks::default() };
    }

    /// Keycloak with PKCE enforced: a refresh token lives for half an hour unused, an offline token has no end.
    pub fn keycloak(&mut self) {
        self.refresh_tokens = RefreshTokens::Always;
        let session_idle = Some(Duration::from_secs(1800));
        self.quirks = Quirks { pkce_required: true, session_idle, ..Quirks::default() };
    }

    /// GitLab, whose metadata does not name the device endpoint; two hours, and refresh tokens that serve once.
    pub fn gitlab(&mut self) {
        self.refresh_tokens = RefreshTokens::Always;
        self.access_token_lifetime = Duration::from_secs(7200);
        self.metadata_overrides.insert("device_authorization_endpoint".into(), Value::Null);
        self.token_overrides.insert("created_at".into(), 1_800_000_000.into());
        self.quirks =
            Quirks { paths: &[("/oauth/authorize_device", Endpoint::DeviceAuthorization)], ..Quirks::default() };
    }

    /// AD FS 2019: paths of its own, numbers as strings.
    pub fn adfs(&mut self) {
        self.refresh_tokens = RefreshTokens::Always;
        self.rotation = Rotation::None;
        self.device_overrides.insert("expires_in".into(), "900".into());
        self.device_overrides.insert("interval".into(), "5".into());
        self.token_overrides.insert("expires_in".into(), "3600".into());
        self.quirks = Quirks {
            verification_url: true,
            paths: &[
                ("/adfs/oauth2/devicecode", Endpoint::DeviceAuthorization),
                ("/adfs/oauth2/token", Endpoint::Token),
            ],
            ..Quirks::default()
        };
    }

    /// Twitch: what a poll is told stands in `message`, and scopes are lists.
    pub fn twitch(&mut self) {
        self.refresh_tokens = RefreshTokens::Always;
        self.quirks = Quirks { error_in_message: true, scope_lists: true, ..Quirks::default() };
    }
}

impl State {
    /// The route of a path that only this dialect has.
    pub(super) fn quirk_route(&self, path: &str) -> Option<Route> {
        let (_, endpoint) = self.options.quirks.paths.iter().find(|(known, _)| *known == path)?;
        match endpoint {
            Endpoint::DeviceAuthorization => Some(Route::DeviceAuthorization { tenant: None }),
            Endpoint::Token => Some(Route::Token { tenant: None }),
            Endpoint::Userinfo => Some(Route::Userinfo),
            _ => None,
        }
    }

    /// Refuses what only this dialect does not take.
    pub(super) fn quirk_check(&self, request: &Request) -> Result<(), Failure> {
        if self.options.quirks.secret_in_form && lookup(&request.form, "client_secret").is_none() {
            return match request.endpoint {
                Endpoint::Token => Err(Failure::InvalidRequest("client_secret is missing.".into())),
                _ => Ok(()),
            };
        }
        let asks = request.endpoint == Endpoint::DeviceAuthorization;
        if self.options.quirks.pkce_required && asks && request.field("code_challenge_method") != Some("S256") {
            return Err(Failure::InvalidRequest("Missing parameter: code_challenge_method".into()));
        }
        Ok(())
    }

    /// The scopes a request names, separated by spaces.
    pub(super) fn scope_asked<'r>(&self, form: &'r [(String, String)]) -> &'r str {
        let list = if self.options.quirks.scope_lists { lookup(form, "scopes") } else { None };
        lookup(form, "scope").or(list).unwrap_or_default()
    }

    /// How long a sign-in's refresh token lives unused; and what answers say of that, where they do.
    pub(super) fn refresh_life(&self, scope: &[String]) -> (Duration, Option<u64>) {
        let lasting = self.options.refresh_token_lifetime;
        match self.options.quirks.session_idle {
            Some(_) if scope.iter().any(|scope| scope == "offline_access") => (lasting, Some(0)),
            Some(idle) => (idle, Some(idle.as_secs())),
            None => (lasting, None),
        }
    }

    /// Words an answer as this dialect does: its status, and the body with its content type.
    pub(super) fn reword(&self, request: &Request, status: u16, mut body: Value) -> (u16, &'static str, String) {
        let quirks = &self.options.quirks;
        let error = body["error"].as_str().map(str::to_owned);
        let status = match error.as_deref() {
            Some("authorization_pending") => quirks.pending_status,
            Some(_) => quirks.refusal_status,
            None => None,
        }
        .or(quirks.status)
        .unwrap_or(status);
        if let (Some("invalid_grant"), Some(word)) = (error.as_deref(), quirks.dead_word) {
            body["error"] = word.into();
        }
        if let (Some(error), true) = (error, quirks.error_in_message) {
            body = json!({"status": status, "message": error});
        }
        if let (Some(scope), true) = (body["scope"].as_str(), quirks.comma_scopes) {
            body["scope"] = scope.replace(' ', ",").into();
        }
        if let (Some(scope), true) = (body["scope"].as_str(), quirks.scope_lists) {
            body["scope"] = scope.split(' ').collect();
        }
        if quirks.verification_url && body["verification_uri"].is_string() {
            body["verification_url"] = body["verification_uri"].take();
            let members = body.as_object_mut().expect("an object");
            members.retain(|name, _| !name.starts_with("verification_uri"));
        }
        let wants_json = request.header("accept").is_some_and(|accept| accept.contains("json"));
        if quirks.form_answers && !wants_json {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(body.as_object().into_iter().flatten().map(|(name, value)| (name, text(value))));
            return (status, "application/x-www-form-urlencoded", form.finish());
        }
        (status, "application/json", body.to_string())
    }

    /// Whose a token is (OpenID Connect Core §5.3, and GitHub's `GET /user`).
    pub(super) fn userinfo(&self, request: &Request, now: Instant) -> (u16, Value) {
        let token = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let known = token.and_then(|token| self.access_tokens.get(token));
        let live = known.filter(|(family, token)| token.expires > now && self.families[*family].revoked.is_none());
        match live.and_then(|(_, token)| self.user(&token.user)) {
            Some(user) => {
                let number = user.name.bytes().fold(0_u64, |sum, byte| sum * 31 + u64::from(byte));
                let body = json!({"id": number, "login": user.name, "sub": user.sub, "email": user.username});
                (200, body)
            }
            None => (401, json!({"message": "Bad credentials"})),
        }
    }
}

/// RFC 7636 §4.6: what was asked with a challenge is redeemed with its verifier only.
pub(super) fn prove(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), Failure> {
    let hashed = verifier.map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    if challenge == hashed.as_deref() { Ok(()) } else { Err(Failure::InvalidGrant(Dead::Unknown)) }
}
