//! What each method asks for: the requests of LocalAPI v1, for both faces.

use broker_ipc::api::{ClientSecretRequest, ProbeRequest, TokenRequest, UnlockRequest};
use secrecy::SecretString;
use serde::Serialize;

use crate::error::ClientError;

/// One request, ready to be sent, more than once if need be.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
}

/// The HTTP methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Delete,
    Get,
    Post,
    Put,
}

impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

impl Call {
    /// Returns whether to send it again, on a new connection, after this failure on an idle one.
    ///
    /// Each is safe to repeat. But what a DELETE has removed it does not find a second time: "no such account" would be the answer
    /// to a sign-out that was done. So the caller is told that the connection broke, unless nobody can have read the request.
    pub(crate) fn may_be_repeated(&self, after: &ClientError) -> bool {
        after.is_loss() && (self.method != Method::Delete || after.is_unheard())
    }

    pub(crate) fn accounts() -> Self {
        Self::plain(Method::Get, "/v1/accounts")
    }

    pub(crate) fn cancel_prompt(id: &str) -> Self {
        Self::plain(Method::Delete, format!("/v1/prompts/{}", segment(id)))
    }

    pub(crate) fn doctor() -> Self {
        Self::plain(Method::Get, "/v1/doctor")
    }

    pub(crate) fn events() -> Self {
        Self::plain(Method::Get, "/v1/events")
    }

    pub(crate) fn probe(request: &ProbeRequest) -> Result<Self, ClientError> {
        Self::with_body(Method::Post, "/v1/probe", request)
    }

    pub(crate) fn prompts() -> Self {
        Self::plain(Method::Get, "/v1/prompts")
    }

    pub(crate) fn remove_client_secret(profile: &str) -> Self {
        Self::plain(Method::Delete, format!("/v1/client-secrets/{}", segment(profile)))
    }

    pub(crate) fn reload() -> Self {
        Self::plain(Method::Post, "/v1/reload")
    }

    pub(crate) fn set_client_secret(profile: &str, secret: &SecretString) -> Result<Self, ClientError> {
        let path = format!("/v1/client-secrets/{}", segment(profile));
        Self::with_body(Method::Put, &path, &ClientSecretRequest { client_secret: secret.clone() })
    }

    pub(crate) fn unlock(passphrase: &SecretString, new: bool) -> Result<Self, ClientError> {
        let request = UnlockRequest { passphrase: passphrase.clone(), new };
        Self::with_body(Method::Post, "/v1/store/unlock", &request)
    }

    pub(crate) fn sign_out(id: &str) -> Self {
        Self::plain(Method::Delete, format!("/v1/accounts/{}", segment(id)))
    }

    pub(crate) fn status() -> Self {
        Self::plain(Method::Get, "/v1/status")
    }

    pub(crate) fn token(path: &str, request: &TokenRequest) -> Result<Self, ClientError> {
        Self::with_body(Method::Post, path, request)
    }

    fn plain(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None }
    }

    fn with_body(method: Method, path: &str, body: &impl Serialize) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ClientError::Protocol(format!("the request cannot be written: {error}")))?;
        Ok(Self { method, path: path.to_owned(), body: Some(body) })
    }
}

/// Escapes one segment of a path (RFC 3986 §3.3), so that no id can mean another path.
fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        let path = |id| Call::sign_out(id).path;
        assert_eq!(path("ab-1_~."), "/v1/accounts/ab-1_~.");
        assert_eq!(path("../status?x"), "/v1/accounts/..%2Fstatus%3Fx");
        assert_eq!(path("a b\r\nü"), "/v1/accounts/a%20b%0D%0A%C3%BC");
    }

    #[test]
    fn only_what_is_set_is_sent() {
        let empty = Call::token("/v1/token", &TokenRequest::default()).unwrap();
        assert_eq!(empty.body.as_deref(), Some(b"{}".as_slice()));
        let request = TokenRequest { profile: Some("work".into()), ..TokenRequest::default() };
        let set = Call::token("/v1/token", &request).unwrap();
        assert_eq!(set.body.as_deref(), Some(br#"{"profile":"work"}"#.as_slice()));
    }
}
