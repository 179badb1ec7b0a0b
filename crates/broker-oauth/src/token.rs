//! What a token endpoint's success says (RFC 6749 §5.1).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::dialect::{Dialect, WithoutExpiry};
use crate::failure::Failure;
use crate::identity::{self, Identity};
use crate::keep_alive::RefreshLife;
use crate::scope::ScopeSet;
use crate::secret::{AccessToken, IdToken, RefreshToken};
use crate::wire::{ProviderResponse, is_refusal, seconds, take_secret, text};

/// The life of a token that comes with a refresh token but without `expires_in`: short, because a refresh is cheap and a
/// dead token is not. One with neither never expires, as far as anyone knows, where the provider's dialect has such tokens.
pub const DEFAULT_LIFE: u64 = 300;

/// The longest life in seconds that is believed: ten years. More is milliseconds, or a bug.
pub const LONGEST_LIFE: u64 = 3660 * 86_400;

/// Sooner than this, or than half its life, a token is not stale, whatever `refresh_in` says.
const LEAST_REFRESH_IN: u64 = 60;

/// Beyond the scopes, what a token was asked for; two targets never share a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Target {
    /// Another tenant than the profile's (Entra).
    pub tenant: Option<String>,
    /// RFC 8707.
    pub resource: Option<String>,
    /// For providers that take one.
    pub audience: Option<String>,
}

/// An access token and what is known of it.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token.
    pub access_token: AccessToken,
    /// `Bearer`, as a rule.
    pub token_type: String,
    /// What was granted.
    pub scope: ScopeSet,
    /// What was asked for: a later request for exactly this is served by what it was granted as.
    pub asked: ScopeSet,
    /// What it is for.
    pub target: Target,
    /// When it came, by our clock.
    pub issued_at: Timestamp,
    /// When it dies, by our clock; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Until when it may serve beyond that while the provider is away (Entra's `ext_expires_in`), by our clock.
    pub extended_expires_at: Option<Timestamp>,
    /// When the provider suggests to refresh it (`refresh_in`).
    pub refresh_at: Option<Timestamp>,
    /// The ID token that came with it.
    pub id_token: Option<IdToken>,
}

/// A success of the token endpoint.
#[derive(Debug)]
pub struct TokenResponse {
    /// The access token.
    pub token: IssuedToken,
    /// A refresh token; without one the old one stays good (RFC 6749 §6).
    pub refresh_token: Option<RefreshToken>,
    /// Who the user is, where the response says.
    pub identity: Option<Identity>,
    /// How long the refresh token lives unused, where the response says.
    pub refresh_life: Option<RefreshLife>,
    /// The family whose clients may redeem the refresh token as well (Entra's `foci`).
    pub family: Option<String>,
}

/// Reads the answer to a device code poll that asked for `asked`.
pub fn token_response(
    dialect: &Dialect,
    response: &ProviderResponse,
    asked: &ScopeSet,
    target: &Target,
    now: Timestamp,
) -> Result<TokenResponse, Failure> {
    read(dialect, (response, response.poll_object()), (asked, asked), target, now, false)
}

/// Reads the answer to a refresh for `asked`, whose request stood for the scopes `meant`: it need not have named all that is
/// wanted, and without a scope it means what was granted (RFC 6749 §6). The refresh token at hand stays good if none comes, so a
/// token without `expires_in` has the default life and not an endless one.
pub fn refresh_response(
    dialect: &Dialect,
    response: &ProviderResponse,
    (asked, meant): (&ScopeSet, &ScopeSet),
    target: &Target,
    now: Timestamp,
) -> Result<TokenResponse, Failure> {
    read(dialect, (response, response.object()), (asked, meant), target, now, true)
}

fn read(
    dialect: &Dialect,
    (response, object): (&ProviderResponse, Option<Map<String, Value>>),
    (asked, meant): (&ScopeSet, &ScopeSet),
    target: &Target,
    now: Timestamp,
    refreshable: bool,
) -> Result<TokenResponse, Failure> {
    let Some(mut object) = object else { return Err(Failure::not_oauth(response)) };
    // Some servers send errors with 200: the error field decides, not the status.
    if is_refusal(&object) {
        return Err(Failure::oauth(response, &object));
    }
    // Secrets from here on: whatever is wrong with one of them, all are zeroed.
    let access_token = take_secret(&mut object, "access_token").map(AccessToken::new);
    let refresh_token = take_secret(&mut object, "refresh_token").map(RefreshToken::new);
    let id_token = take_secret(&mut object, "id_token").map(IdToken::new);
    // It will stand in an HTTP header; anything else in it is not a token.
    let fits_a_header = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let access_token = match access_token {
        Some(token) if (200..300).contains(&response.status) && fits_a_header(token.expose()) => token,
        _ => return Err(Failure::not_oauth(response)),
    };
    let identity = identity::identity(id_token.as_ref(), &object);
    let token_type = text(&object, "token_type").filter(|kind| crate::scope::is_scope_token(kind));
    let refresh_token = refresh_token.filter(|token| !token.expose().is_empty());
    let lasts = dialect.without_expiry == WithoutExpiry::Lasts && !refreshable && refresh_token.is_none();
    let (expires_at, refresh_at) = life(&object, lasts, now);
    Ok(TokenResponse {
        token: IssuedToken {
            access_token,
            token_type: canonical_type(token_type),
            scope: granted(&object, meant, dialect.scope_separators),
            asked: asked.clone(),
            target: target.clone(),
            issued_at: now,
            expires_at,
            extended_expires_at: extended(&object, expires_at, now),
            refresh_at,
            id_token,
        },
        refresh_token,
        identity,
        refresh_life: refresh_life(&object, now),
        family: text(&object, "foci").filter(|family| is_family(family)),
    })
}

/// There is one family, and it is called `1`; another would have a name like it.
fn is_family(name: &str) -> bool {
    (1..=8).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// RFC 6749 §7.1: types are case-insensitive; GitHub says `bearer`.
fn canonical_type(raw: Option<String>) -> String {
    match raw {
        Some(kind) if !kind.eq_ignore_ascii_case("bearer") => kind,
        _ => "Bearer".into(),
    }
}

fn granted(object: &Map<String, Value>, meant: &ScopeSet, separators: &[char]) -> ScopeSet {
    let listed = match object.get("scope") {
        // Twitch sends an array, GitHub commas.
        Some(Value::Array(scopes)) => scopes.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(scopes)) => scopes.split(separators).collect(),
        _ => ScopeSet::default(),
    };
    let sane: ScopeSet = listed.iter().filter(|scope| crate::scope::is_scope_token(scope)).collect();
    // RFC 6749 §5.1: without a scope, what the request stood for was granted.
    if sane.is_empty() { meant.clone() } else { sane }
}

fn life(object: &Map<String, Value>, lasts: bool, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let after = |secs: u64| now.checked_add(SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX))).ok();
    let expires_in = match seconds(object, "expires_in") {
        Some(secs) if secs <= LONGEST_LIFE => Some(secs),
        // Present but unreadable (negative, words, absurd): do not believe it lives for ever.
        Some(_) => Some(DEFAULT_LIFE),
        None if object.get("expires_in").is_some_and(|value| !value.is_null()) => Some(DEFAULT_LIFE),
        None => (!lasts).then_some(DEFAULT_LIFE),
    };
    let refresh_in = seconds(object, "refresh_in").zip(expires_in).filter(|(secs, life)| secs < life);
    // One that is due from birth would be refreshed behind every caller.
    let refresh_in = refresh_in.map(|(secs, life)| secs.max(LEAST_REFRESH_IN.min(life / 2)));
    (expires_in.and_then(after), refresh_in.and_then(after))
}

/// Entra and GitHub say `refresh_token_expires_in`, Keycloak `refresh_expires_in`, where 0 means never.
fn refresh_life(object: &Map<String, Value>, now: Timestamp) -> Option<RefreshLife> {
    let names = ["refresh_token_expires_in", "refresh_expires_in"];
    let life = names.iter().find_map(|name| seconds(object, name)).filter(|seconds| *seconds > 0)?;
    let expires_at = now.checked_add(SignedDuration::from_secs(i64::try_from(life).ok()?)).ok()?;
    Some(RefreshLife { issued_at: now, expires_at })
}

/// Counted from now like `expires_in`, and not from the end of the ordinary life, which would be far too long.
fn extended(object: &Map<String, Value>, expires_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let life = SignedDuration::from_secs(i64::try_from(seconds(object, "ext_expires_in")?).ok()?);
    now.checked_add(life).ok().filter(|end| expires_at.is_some_and(|expires_at| *end > expires_at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::dialect::Provider;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn read(body: &Value) -> Result<TokenResponse, Failure> {
        read_as(Provider::Oidc, body)
    }

    fn read_as(provider: Provider, body: &Value) -> Result<TokenResponse, Failure> {
        let body = Zeroizing::new(body.to_string().into_bytes());
        let response = ProviderResponse { status: 200, retry_after: None, is_form: false, body };
        token_response(provider.dialect(), &response, &ScopeSet::parse("a b"), &Target::default(), NOW)
    }

    fn life_of(expires_in: &Value, refresh_token: bool) -> Option<i64> {
        let mut body = json!({"access_token": "t", "expires_in": expires_in});
        if refresh_token {
            body["refresh_token"] = "r".into();
        }
        read(&body).unwrap().token.expires_at.map(Timestamp::as_second)
    }

    #[test]
    fn what_was_not_listed_was_granted_as_asked() {
        assert_eq!(read(&json!({"access_token": "t"})).unwrap().token.scope, ScopeSet::parse("a b"));
        for scope in [json!("c d"), json!("c,d"), json!(["c", "d"])] {
            let response = read(&json!({"access_token": "t", "scope": scope})).unwrap();
            assert_eq!(response.token.scope, ScopeSet::parse("c d"));
        }
    }

    #[test]
    fn lives_are_read_in_every_shape() {
        assert_eq!(life_of(&json!(3600), true), Some(3600));
        assert_eq!(life_of(&json!("3600"), true), Some(3600));
        assert_eq!(life_of(&json!(0), true), Some(0));
        assert_eq!(life_of(&json!(-1), true), Some(300));
        assert_eq!(life_of(&json!(null), true), Some(300));
        assert_eq!(life_of(&json!(null), false), None);
        assert_eq!(life_of(&json!([]), false), Some(300), "it is said, and cannot be read");
        assert_eq!(life_of(&json!(LONGEST_LIFE), true), i64::try_from(LONGEST_LIFE).ok());
        for absurd in [json!(LONGEST_LIFE + 1), json!(1e300)] {
            assert_eq!(life_of(&absurd, true), Some(300));
        }
    }

    #[test]
    fn a_refresh_is_due_before_the_end_and_not_from_birth() {
        let due = |life: u64, refresh_in: u64| {
            let body = json!({"access_token": "t", "expires_in": life, "refresh_in": refresh_in});
            read(&body).unwrap().token.refresh_at.map(Timestamp::as_second)
        };
        let least = i64::try_from(LEAST_REFRESH_IN).unwrap();
        for (life, refresh_in, want) in [
            (3600, 1800, Some(1800)),
            (3600, 3599, Some(3599)),
            (3600, 3600, None),
            (3600, 4000, None),
            (3600, 0, Some(least)),
        ] {
            assert_eq!(due(life, refresh_in), want, "{refresh_in} of {life}");
        }
        assert_eq!(due(10, 1), Some(5), "half of a life that is short");
    }

    #[test]
    fn a_refresh_tokens_life_has_two_names_and_zero_is_none() {
        let end = |name: &str, value: Value| {
            let mut body = json!({"access_token": "t", "refresh_token": "r"});
            body[name] = value;
            read(&body).unwrap().refresh_life.map(|life| life.expires_at.as_second())
        };
        assert_eq!(end("refresh_expires_in", json!(1800)), Some(1800));
        assert_eq!(end("refresh_token_expires_in", json!("15811200")), Some(15_811_200));
        for value in [json!(0), json!(-1), json!(null), json!("never")] {
            assert_eq!(end("refresh_expires_in", value), None);
        }
    }

    #[test]
    fn a_family_is_named_in_one_word() {
        let family = |foci: Value| read(&json!({"access_token": "t", "foci": foci})).unwrap().family;
        assert_eq!(family(json!("1")).as_deref(), Some("1"));
        assert_eq!(family(json!(1)).as_deref(), Some("1"));
        for odd in [json!(""), json!(null), json!("a b"), json!("123456789"), json!([1])] {
            assert_eq!(family(odd), None);
        }
    }

    #[test]
    fn what_neither_expires_nor_can_be_refreshed_lasts_only_where_such_tokens_exist() {
        let bare = json!({"access_token": "t"});
        let expiry = |provider| read_as(provider, &bare).unwrap().token.expires_at.map(Timestamp::as_second);
        for (provider, want) in [(Provider::Github, None), (Provider::Oidc, None), (Provider::Google, Some(300))] {
            assert_eq!(expiry(provider), want, "{provider:?}");
        }
    }

    #[test]
    fn an_extended_life_counts_from_the_issue_and_is_one_only_if_it_is_longer() {
        let extended = |expires_in: Value, ext: Value| {
            let body = json!({"access_token": "t", "expires_in": expires_in, "ext_expires_in": ext});
            read(&body).unwrap().token.extended_expires_at.map(Timestamp::as_second)
        };
        assert_eq!(extended(json!(3600), json!("7200")), Some(7200));
        for (expires_in, ext) in [(json!(3600), json!(3600)), (json!(3600), json!(-1)), (json!(null), json!(7200))] {
            assert_eq!(extended(expires_in, ext), None);
        }
    }

    #[test]
    fn a_comma_separates_scopes_only_where_it_does() {
        let body = json!({"access_token": "t", "scope": "repo,gist"});
        let scope = |provider| read_as(provider, &body).unwrap().token.scope;
        assert_eq!(scope(Provider::Github), ScopeSet::parse("repo gist"));
        assert_eq!(scope(Provider::Keycloak), ScopeSet::parse("repo,gist"));
    }

    #[test]
    fn an_error_with_200_is_an_error() {
        assert!(matches!(
            read(&json!({"error": "bad_verification_code", "access_token": "t"})),
            Err(Failure::OAuth(_))
        ));
    }

    #[test]
    fn no_token_is_no_answer() {
        for body in
            [json!({}), json!({"access_token": ""}), json!({"access_token": "a\r\nb"}), json!({"access_token": 5.5})]
        {
            // A number reads as text; a header can carry it.
            let ok = body["access_token"].is_number();
            assert_eq!(read(&body).is_ok(), ok, "{body}");
        }
    }

    #[test]
    fn bearer_is_spelled_one_way() {
        assert_eq!(read(&json!({"access_token": "t", "token_type": "bearer"})).unwrap().token.token_type, "Bearer");
        assert_eq!(read(&json!({"access_token": "t", "token_type": "DPoP"})).unwrap().token.token_type, "DPoP");
    }
}
