//! A failure as it is written: with the code's own name, so that one of a newer daemon is passed on as it came.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{ErrorBody, ErrorCode, NewerCode, ProviderError};
use crate::api::AccountRef;

/// An [`ErrorBody`], field by field.
#[derive(Serialize, Deserialize)]
pub(super) struct Wire {
    error: Cow<'static, str>,
    error_description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<AccountRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<Box<ProviderError>>,
}

impl From<Wire> for ErrorBody {
    fn from(wire: Wire) -> Self {
        let Wire { error: name, error_description, hint, retry_after, accounts, provider } = wire;
        let error = ErrorCode::from_name(&name);
        let is_newer = error == ErrorCode::Unknown;
        let newer = is_newer.then(|| Box::new(NewerCode { name: name.into_owned(), status: None }));
        Self { error, error_description, hint, retry_after, accounts, provider, newer }
    }
}

impl From<ErrorBody> for Wire {
    fn from(body: ErrorBody) -> Self {
        let ErrorBody { error, error_description, hint, retry_after, accounts, provider, newer } = body;
        let newer = newer.filter(|_| error == ErrorCode::Unknown);
        let error = newer.map_or(Cow::Borrowed(error.as_str()), |newer| Cow::Owned(newer.name));
        Self { error, error_description, hint, retry_after, accounts, provider }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{LastError, TokenEvent};

    #[test]
    fn a_code_of_a_newer_daemon_is_passed_on_as_it_came() {
        let value = json!({"error": "x_grease", "error_description": "d"});
        let mut body: ErrorBody = serde_json::from_value(value.clone()).unwrap();
        assert_eq!((body.error, body.code()), (ErrorCode::Unknown, "x_grease"));
        assert_eq!(serde_json::to_value(&body).unwrap(), value);
        body.error = ErrorCode::Internal;
        assert_eq!(
            (body.code(), serde_json::to_value(&body).unwrap()["error"].as_str()),
            ("internal", Some("internal"))
        );

        let with = |key: &str, word: &str| {
            let mut value = value.clone();
            value[key] = word.into();
            value
        };
        let event: TokenEvent = serde_json::from_value(with("event", "error")).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), with("event", "error"));
        let last: LastError = serde_json::from_value(with("at", "2026")).unwrap();
        assert_eq!(serde_json::to_value(&last).unwrap(), with("at", "2026"));
    }

    #[test]
    fn the_status_decides_where_the_code_says_nothing() {
        let read = |code: &str, status| {
            let value: Value = json!({"error": code, "error_description": "d"});
            serde_json::from_value::<ErrorBody>(value).unwrap().with_status(status).exit_code()
        };
        for (status, exit) in [(401, 3), (403, 4), (504, 5), (404, 6), (429, 8), (502, 8), (400, 1), (409, 1), (503, 1)]
        {
            assert_eq!(read("x_grease", status), exit, "{status}");
        }
        assert_eq!(read("not_found", 401), 1, "a code that is known says it itself");
        let streamed: ErrorBody = serde_json::from_value(json!({"error": "x", "error_description": "d"})).unwrap();
        assert_eq!(streamed.exit_code(), 1);
    }
}
