//! Requests and responses as values: what the daemon's outbound side carries, and bodies read as JSON or as a form.

use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::secret::AccessToken;

/// Largest body a token, device or revocation endpoint may send, in bytes.
pub const MAX_BODY: usize = 1024 * 1024 + 64 * 1024;

/// A request to an authorization server. Bodies are forms (RFC 6749 Appendix B); there are no others.
#[derive(Debug)]
pub struct ProviderRequest {
    /// Where to.
    pub url: Url,
    /// The form of a POST; `None` makes it a GET.
    pub form: Option<Form>,
    /// `Authorization`: Basic of confidential clients (RFC 6749 §2.3.1), Bearer of a token that says whose it is.
    pub authorization: Option<SecretString>,
    /// `client-request-id`: what the provider's support finds the request by, where the provider takes one.
    pub request_id: Option<String>,
}

impl ProviderRequest {
    /// A GET.
    pub fn get(url: Url) -> Self {
        Self { url, form: None, authorization: None, request_id: None }
    }

    /// A GET with an access token (RFC 6750 §2.1).
    pub fn get_with(url: Url, token: &AccessToken) -> Self {
        Self { authorization: Some(format!("Bearer {}", token.expose()).into()), ..Self::get(url) }
    }
}

/// An `application/x-www-form-urlencoded` body. It holds secrets: zeroed on drop, not shown by `Debug`.
pub struct Form(Zeroizing<String>);

impl Form {
    /// Encodes the pairs, leaving out those without a value.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::with_capacity(4096));
        for (name, value) in pairs {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        Self(Zeroizing::new(form.finish()))
    }

    /// The encoded body.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form[redacted]")
    }
}

/// What an authorization server answered.
pub struct ProviderResponse {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds (RFC 9110 §10.2.3), dates already reckoned.
    pub retry_after: Option<u64>,
    /// Whether it calls itself a form.
    pub is_form: bool,
    /// The body, at most [`MAX_BODY`] bytes.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ProviderResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl ProviderResponse {
    /// Reads the body as an object: JSON, or a form as GitHub sends it when nobody asks for JSON. `None` for anything else
    /// (HTML of a captive portal, nothing at all), and for a redirect, whatever it carries: it speaks for another place.
    pub fn object(&self) -> Option<Map<String, Value>> {
        if (300..400).contains(&self.status) {
            return None;
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Some(object),
            Err(_) if self.is_form => form_object(&self.body),
            _ => None,
        }
    }

    /// The same of an answer to a poll, with the error where RFC 6749 §5.2 has it: some nest it as `error.code`, Twitch says
    /// it in `message` beside the status.
    pub fn poll_object(&self) -> Option<Map<String, Value>> {
        let mut object = self.object()?;
        let same_status = object.get("status").and_then(Value::as_u64) == Some(u64::from(self.status));
        let said = match object.get("error") {
            Some(Value::Object(error)) => error.get("code"),
            None if same_status && (400..500).contains(&self.status) => object.get("message"),
            _ => None,
        };
        let said = said.and_then(Value::as_str).filter(|said| POLL_WORDS.contains(said)).map(str::to_owned);
        if let Some(said) = said {
            object.insert("error".into(), said.into());
        }
        Some(object)
    }
}

/// Only these words of RFC 8628 §3.5 are believed in another place than `error`: none of them says that a person declined or
/// that a grant is dead, so a gateway's words cannot either.
const POLL_WORDS: [&str; 3] = ["authorization_pending", "expired_token", "slow_down"];

/// Reads a form that looks like an OAuth answer. Any text parses as a form, a page with a link in it too: hence the checks
/// for what no form has in it, for names that are names, and for a known one.
fn form_object(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.trim_ascii();
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if body.iter().any(|byte| !byte.is_ascii_graphic() || b"<>\"'`\\{}".contains(byte)) {
        return None;
    }
    let object: Map<_, _> = url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let known = ["access_token", "error", "device_code"].iter().any(|name| object.contains_key(*name));
    (known && object.keys().all(|name| is_name(name))).then_some(object)
}

/// Whether an answer is a refusal, whatever its status: it has an `error`. One that is `null` or empty says that there is none.
pub fn is_refusal(object: &Map<String, Value>) -> bool {
    object.get("error").is_some_and(|error| !error.is_null() && error.as_str() != Some(""))
}

/// Reads a string field; numbers count as their text.
pub fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Takes a secret out of an object: the one copy there is of it, but for the answer's bytes, which are zeroed.
pub fn take_secret(object: &mut Map<String, Value>, name: &str) -> Option<String> {
    match object.get_mut(name)? {
        Value::String(text) => Some(std::mem::take(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Reads a number of seconds, sent as a number or as a string (ADFS and the v1 endpoint of Entra send strings). Fractions
/// are cut; negative and unreadable values are `None`; the largest is a hundred years, so that sums with it stay in range.
pub fn seconds(object: &Map<String, Value>, name: &str) -> Option<u64> {
    const CENTURY: u64 = 100 * 366 * 86_400;
    let value = match object.get(name)? {
        Value::Number(number) => number.as_u64().or_else(|| float_seconds(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| float_seconds(text.trim().parse().ok()?)),
        _ => None,
    };
    value.map(|seconds| seconds.min(CENTURY))
}

fn float_seconds(value: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked; the cast saturates")]
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    fn response(status: u16, is_form: bool, body: &str) -> ProviderResponse {
        ProviderResponse { status, retry_after: None, is_form, body: Zeroizing::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn a_form_leaves_out_what_is_not_set_and_encodes_the_rest() {
        let form = Form::new([("scope", Some("a b")), ("claims", None), ("x", Some("ü&="))]);
        assert_eq!(form.as_str(), "scope=a+b&x=%C3%BC%26%3D");
        assert_eq!(format!("{form:?}"), "Form[redacted]");
    }

    #[test]
    fn a_token_that_asks_whose_it_is_goes_into_the_header() {
        let url = Url::parse("https://a.example/u").unwrap();
        let request = ProviderRequest::get_with(url.clone(), &AccessToken::new("at"));
        assert_eq!((&request.url, request.form.is_none()), (&url, true));
        assert_eq!(request.authorization.unwrap().expose_secret(), "Bearer at");
    }

    #[test]
    fn an_answer_shows_its_status_alone() {
        let shown = format!("{:?}", response(200, false, r#"{"access_token":"at"}"#));
        assert_eq!(shown, "ProviderResponse { status: 200, .. }");
        assert_eq!(MAX_BODY, 1_114_112, "a mebibyte of claims, and what is around them");
    }

    #[test]
    fn a_refusal_has_an_error_that_says_something() {
        for (body, is) in [
            (json!({"error": "invalid_grant"}), true),
            (json!({"error": {"code": 1}}), true),
            (json!({"error": null}), false),
            (json!({"error": ""}), false),
            (json!({}), false),
        ] {
            assert_eq!(is_refusal(body.as_object().unwrap()), is, "{body}");
        }
    }

    #[test]
    fn an_object_is_json_or_a_known_form() {
        assert!(response(200, false, r#"{"error":"x"}"#).object().is_some());
        let form = "access_token=t&token_type=bearer\n";
        assert_eq!(response(200, true, form).object().unwrap()["access_token"], "t");
        assert!(response(200, false, form).object().is_none(), "it does not say that it is one");
        for bad in [
            "",
            "<html>error=1</html>",
            "<a href=/?a=1&error=invalid_grant&b>",
            "a b&error=c",
            "[1]",
            "null",
            "{\"access_token\":",
            "login=now",
            "error=<b>",
            "error=\u{fc}",
            "https://portal.example/?a=1&error=invalid_grant&next=x",
            "&error=invalid_grant&HTTP/1.1",
        ] {
            assert!(response(200, true, bad).object().is_none(), "{bad:?}");
        }
        for status in [300, 302, 307, 399] {
            assert!(response(status, false, r#"{"error":"invalid_grant"}"#).object().is_none(), "{status}");
        }
    }

    #[test]
    fn a_polls_error_is_found_where_some_servers_put_it_and_nothing_else_is() {
        let error = |status: u16, body: &Value| {
            let object = response(status, false, &body.to_string()).poll_object().unwrap();
            object.get("error").and_then(Value::as_str).map(str::to_owned)
        };
        let twitch = |message: &str| json!({"status": 400, "message": message});
        assert_eq!(error(400, &twitch("authorization_pending")).as_deref(), Some("authorization_pending"));
        let nested = json!({"error": {"code": "slow_down", "message": "too fast"}});
        assert_eq!(error(400, &nested).as_deref(), Some("slow_down"));
        assert_eq!(error(403, &twitch("authorization_pending")), None, "another status than it was sent with");
        assert_eq!(error(400, &twitch("invalid_grant")), None, "a gateway must not end a sign-in");
        assert_eq!(error(400, &json!({"error": {"code": "invalid_grant"}})), None);
        assert_eq!(error(400, &twitch("access_denied")), None, "nor say that a person declined");
        assert_eq!(error(403, &json!({"message": "access_denied"})), None);
        let both = json!({"error": "invalid_client", "status": 400, "message": "slow_down"});
        assert_eq!(error(400, &both).as_deref(), Some("invalid_client"));
        let pending = response(400, false, &twitch("authorization_pending").to_string());
        assert!(!pending.object().unwrap().contains_key("error"), "only to a poll");
    }

    #[test]
    fn seconds_come_in_many_shapes() {
        let object =
            json!({"n": 5, "s": "5", "f": 5.9, "fs": "5.9", "neg": -5, "words": "soon", "null": null, "big": 1e300});
        let object = object.as_object().unwrap();
        for (name, want) in [("n", Some(5)), ("s", Some(5)), ("f", Some(5)), ("fs", Some(5)), ("neg", None)] {
            assert_eq!(seconds(object, name), want, "{name}");
        }
        for name in ["words", "null", "missing"] {
            assert_eq!(seconds(object, name), None, "{name}");
        }
        assert_eq!(seconds(object, "big"), Some(100 * 366 * 86_400));
    }
}
