//! What was sent is not told: some servers quote the token or the secret that they refuse.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::wire::{ProviderRequest, ProviderResponse};

/// The form's fields that hold a secret.
const SECRET: [&str; 6] =
    ["client_assertion", "client_secret", "code_verifier", "device_code", "refresh_token", "token"];

/// What a request confides, in every way an answer may quote it.
pub struct Confided(Vec<Zeroizing<String>>);

impl Confided {
    /// Of this request.
    pub fn by(request: &ProviderRequest) -> Self {
        let mut confided = Self(Vec::new());
        for pair in request.form.as_ref().map_or("", |form| form.as_str()).split('&') {
            if let Some((_, sent)) = pair.split_once('=').filter(|(name, _)| SECRET.contains(name)) {
                confided.add(sent);
            }
        }
        if let Some(authorization) = &request.authorization {
            let value = authorization.expose_secret();
            let value = value.split_once(' ').map_or(value, |(_, value)| value);
            confided.0.push(Zeroizing::new(value.to_owned()));
            let pair = STANDARD.decode(value).ok().map(Zeroizing::new);
            let pair = pair.as_ref().and_then(|pair| std::str::from_utf8(pair).ok());
            // RFC 6749 §2.3.1: the id and the secret, each encoded like a form's.
            if let Some((_, sent)) = pair.and_then(|pair| pair.split_once(':')) {
                confided.add(sent);
            }
        }
        // The longest first: one may be a part of another.
        confided.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        confided
    }

    /// Adds a secret, encoded and plain.
    fn add(&mut self, encoded: &str) {
        let pair = Zeroizing::new(format!("x={encoded}"));
        let plain = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, plain)| plain.into_owned());
        let both = [Some(encoded.to_owned()), plain].into_iter().flatten().map(Zeroizing::new);
        self.0.extend(both.filter(|secret| !secret.is_empty()));
    }

    /// The same answer without what was confided. An error code that is a plain word stays: a secret that is a part of it
    /// must not change what the answer means.
    #[must_use]
    pub fn out_of(&self, response: &ProviderResponse) -> ProviderResponse {
        let mut object = response.object().unwrap_or_default();
        for (name, value) in &mut object {
            let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let is_code = matches!(name.as_str(), "error" | "suberror") && value.as_str().is_some_and(is_word);
            if !is_code {
                self.strip(value);
            }
        }
        let body = Zeroizing::new(Value::Object(object).to_string().into_bytes());
        ProviderResponse { status: response.status, retry_after: response.retry_after, is_form: false, body }
    }

    fn strip(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for secret in self.0.iter().filter(|secret| text.contains(secret.as_str())).collect::<Vec<_>>() {
                    *text = text.replace(secret.as_str(), "[redacted]");
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.strip(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.strip(value)),
            _ => {}
        }
    }
}

impl std::fmt::Debug for Confided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confided[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::wire::Form;

    fn request(form: &[(&str, &str)], authorization: Option<&str>) -> ProviderRequest {
        let mut request = ProviderRequest::get(Url::parse("https://as.example/token").unwrap());
        request.form = Some(Form::new(form.iter().map(|(name, value)| (*name, Some(*value)))));
        request.authorization = authorization.map(|value| value.to_owned().into());
        request
    }

    fn told(request: &ProviderRequest, body: &Value) -> Value {
        let body = Zeroizing::new(body.to_string().into_bytes());
        let response = ProviderResponse { status: 400, retry_after: None, is_form: false, body };
        Value::Object(Confided::by(request).out_of(&response).object().unwrap())
    }

    #[test]
    fn a_secret_is_struck_out_as_it_was_sent_and_as_it_is() {
        let secret = "s3cr:et/\u{fc}+%";
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let pair = STANDARD.encode(format!("cli:{encoded}"));
        let basic = request(&[("client_id", "cli")], Some(&format!("Basic {pair}")));
        for request in [&request(&[("client_id", "cli"), ("client_secret", secret)], None), &basic] {
            for quoted in [secret, &encoded] {
                let said = json!({"error_description": format!("no: {quoted}!"), "deep": [{"a": quoted}]});
                let want = json!({"error_description": "no: [redacted]!", "deep": [{"a": "[redacted]"}]});
                assert_eq!(told(request, &said), want);
            }
        }
        assert_eq!(told(&basic, &json!({"d": format!("Basic {pair}")})), json!({"d": "Basic [redacted]"}));
        assert_eq!(format!("{:?}", Confided::by(&basic)), "Confided[redacted]");
    }

    #[test]
    fn each_secret_of_a_request_is_struck_out_and_nothing_else() {
        for name in ["client_assertion", "client_secret", "code_verifier", "device_code", "refresh_token", "token"] {
            let request = request(&[("client_id", "cli"), (name, "abc-123")], None);
            assert_eq!(told(&request, &json!({"d": "cli abc-123"})), json!({"d": "cli [redacted]"}), "{name}");
        }
    }

    #[test]
    fn a_secret_that_is_a_word_does_not_change_what_is_meant() {
        let said = json!({"error": "invalid_grant", "suberror": "bad_grant", "error_description": "the grant"});
        let want = json!({"error": "invalid_grant", "suberror": "bad_grant", "error_description": "the [redacted]"});
        assert_eq!(told(&request(&[("client_secret", "grant")], None), &said), want);
        let no_word = told(&request(&[("token", "T0K")], None), &json!({"error": "no such T0K"}));
        assert_eq!(no_word, json!({"error": "no such [redacted]"}));
    }
}
