//! The ID token in the access token's place: for what verifies whom a token is for (`aud`), such as a Kubernetes cluster.
//!
//! 1. brokerd serves the one that came with the access token, and knows only when that one ends.
//! 2. An ID token says its own end, and may be over before. It is read here, without the signature: whoever gets the token
//!    verifies that.
//! 3. One that is too old is asked for again, once, by a refresh. So is one that is missing: another of the profile's access
//!    tokens may have come without.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode, Include, Interaction, TokenRequest, TokenResponse};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::clock;
use crate::commands::token::{ask, tell_if_short};
use crate::failure::Failure;
use crate::prompt::Prompter;

/// What brokerd leaves an access token to live for whom asks for nothing else, in seconds.
const USUAL: i64 = 300;

/// When an ID token came to be and when it ends, in seconds since the epoch.
#[derive(Deserialize)]
struct Life {
    iat: i64,
    exp: i64,
}

/// Returns a token with an ID token that lives, as far as the provider gives such.
pub(crate) fn acquire(
    client: &Client,
    prompter: &mut Prompter,
    request: &TokenRequest,
) -> Result<TokenResponse, Failure> {
    let request = TokenRequest { include: vec![Include::IdToken], ..request.clone() };
    let mut token = ask(client, prompter, &request)?;
    let now = clock::seconds();
    if !request.force_refresh && is_wanting(&token, request.min_validity, now) {
        // One that would do is not worth a person's time, nor a failure.
        let would_do = request.min_validity.is_none() && life(&token).is_some_and(|life| life.exp > now);
        let interaction = if would_do { Some(Interaction::Never) } else { request.interaction };
        let forced = TokenRequest { force_refresh: true, interaction, ..request.clone() };
        match ask(client, prompter, &forced) {
            // A refresh need not bring one (OpenID Connect Core §12.2).
            Ok(refreshed) if refreshed.id_token.is_none() && would_do => {}
            Err(_) if would_do => {}
            refreshed => token = refreshed?,
        }
    }
    if token.id_token.is_none() {
        return Err(none(&token.profile));
    }
    tell_if_short(prompter, &request, life(&token).map(|life| life.exp));
    Ok(token)
}

/// Puts the ID token in the access token's place, with its own end.
pub(crate) fn in_place(token: TokenResponse) -> TokenResponse {
    let expires_on = life(&token).map(|life| life.exp);
    let expires_at = expires_on.and_then(|end| jiff::Timestamp::from_second(end).ok()).map(|end| end.to_string());
    match token.id_token {
        Some(id_token) => TokenResponse {
            access_token: id_token,
            token_type: "Bearer".to_owned(),
            expires_at,
            expires_on,
            id_token: None,
            ..token
        },
        None => token,
    }
}

/// Whether a refresh may bring a better one. One that never ends is not refreshed, and one that cannot be read is taken as it is.
fn is_wanting(token: &TokenResponse, min_validity: Option<u64>, now: i64) -> bool {
    if token.id_token.is_none() {
        return token.expires_on.is_some();
    }
    life(token).is_some_and(|life| life.is_old(min_validity, now))
}

/// What an ID token says of its life; none if it is no JWT that can be read.
fn life(token: &TokenResponse) -> Option<Life> {
    let payload = token.id_token.as_ref()?.expose_secret().split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

impl Life {
    /// Whether it lives for less than is wanted. Where the provider gives none that lives so long, the newest does in the first
    /// fifth of its life, as with brokerd's access tokens.
    fn is_old(&self, min_validity: Option<u64>, now: i64) -> bool {
        let whole = self.exp.saturating_sub(self.iat);
        let usual = USUAL.min(whole / 10);
        let wanted = min_validity.map_or(usual, |seconds| seconds.try_into().unwrap_or(i64::MAX));
        self.exp.saturating_sub(now) < wanted && now.saturating_sub(self.iat) > whole / 5
    }
}

fn none(profile: &str) -> Failure {
    let what = format!("the provider gave no ID token with the access token of profile {profile}");
    ErrorBody::new(ErrorCode::Configuration, what)
        .with_hint("\"openid\" must be among the scopes: add it to the profile's, and sign in again: brokerctl login")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: Option<&str>) -> TokenResponse {
        let id_token = payload.map(|payload| format!("e30.{}.s", URL_SAFE_NO_PAD.encode(payload)));
        let mut token = serde_json::json!({
            "access_token": "a", "token_type": "Bearer", "expires_on": 3600, "expires_at": "1970-01-01T01:00:00Z",
            "scope": "openid", "profile": "work", "account": {"id": "1", "username": "ada"}
        });
        if let Some(id_token) = id_token {
            token["id_token"] = id_token.into();
        }
        serde_json::from_value(token).unwrap()
    }

    /// Each row: when it ends, how long it is to live, when it is looked at, and whether another is asked for.
    #[test]
    fn one_that_lives_too_shortly_is_asked_for_again_unless_it_is_new() {
        for (exp, min_validity, now, expected) in [
            (3600, None, 3299, false),
            (3600, None, 3301, true),
            (3600, None, 4000, true),
            (300, None, 269, false),
            (300, None, 271, true),
            (3600, Some(1800), 1700, false),
            (3600, Some(1800), 1801, true),
            (3600, Some(7200), 700, false),
            (3600, Some(7200), 721, true),
            (3600, Some(u64::MAX), -50, false),
            (i64::MIN, None, 0, true),
        ] {
            let token = token(Some(&format!(r#"{{"iat":0,"exp":{exp}}}"#)));
            assert_eq!(is_wanting(&token, min_validity, now), expected, "{exp} {min_validity:?} {now}");
        }
    }

    #[test]
    fn one_that_cannot_be_read_is_taken_and_one_that_is_missing_asked_for() {
        for payload in ["", "{}", r#"{"exp":1}"#, r#"{"iat":0,"exp":"1"}"#] {
            assert!(!is_wanting(&token(Some(payload)), Some(600), 9000), "{payload}");
            let placed = in_place(token(Some(payload)));
            assert_eq!((placed.expires_at, placed.expires_on), (None, None), "the access token's end is not its own");
        }
        assert!(is_wanting(&token(None), None, 0));
        assert!(!is_wanting(&TokenResponse { expires_on: None, ..token(None) }, None, 0), "there is no refresh");
    }

    #[test]
    fn in_its_place_it_has_its_own_end() {
        let given = token(Some(r#"{"iat":0,"exp":1800}"#));
        let id_token = given.id_token.as_ref().unwrap().expose_secret().to_owned();
        let placed = in_place(given);
        assert_eq!(placed.access_token.expose_secret(), id_token);
        assert_eq!((placed.expires_at.as_deref(), placed.expires_on), (Some("1970-01-01T00:30:00Z"), Some(1800)));
    }
}
