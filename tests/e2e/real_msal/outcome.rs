//! What came of a call, in words that are the same in every run.

use std::fmt;

use broker_client::ErrorBody;
use serde_json::Value;
use support::fake_as::{Endpoint, Grant, Request};

/// What a program got for its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A token that it did not have before.
    NewToken,
    /// A token that it was given before.
    KnownToken,
    /// Something else than a token that is no failure.
    Done(String),
    /// No token, and what it was told instead.
    Refused(String),
}

impl Outcome {
    /// Tells whether two programs fared alike; what they call a refusal may differ.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Done(one), Self::Done(other)) => one == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// What MSAL said that had no token in it.
    pub(super) fn of_msal(answer: &Value) -> Self {
        if answer["none"] == true {
            return Self::Refused("`None`".into());
        }
        if let Some(raised) = answer["raised"].as_str() {
            return Self::Refused(format!("raises `{raised}`"));
        }
        let text = |name: &str| answer[name].as_str();
        let codes = answer["error_codes"].as_array().into_iter().flatten().filter_map(Value::as_i64);
        let mut said = words(text("error"), text("suberror"), &codes.collect::<Vec<_>>());
        if let Some(classification) = text("classification").filter(|name| !name.is_empty()) {
            said = format!("{said}, classification `{classification}`");
        }
        if answer["claims"].is_string() {
            said += ", claims";
        }
        Self::Refused(said)
    }

    /// What brokerd said.
    pub(super) fn of_brokerd(body: &ErrorBody) -> Self {
        let mut said = format!("`{}`", body.error);
        if let Some(provider) = body.provider.as_ref().filter(|provider| provider.error.is_some()) {
            let theirs = words(provider.error.as_deref(), provider.suberror.as_deref(), &provider.error_codes);
            said = format!("{said} because of {theirs}");
            if let Some(classification) = provider.classification.as_deref().filter(|name| *name != "none") {
                said = format!("{said}, classification `{classification}`");
            }
            if provider.claims.is_some() {
                said += ", claims";
            }
        }
        if body.retry_after.is_some() {
            said += ", retry after";
        }
        Self::Refused(said)
    }
}

fn words(error: Option<&str>, suberror: Option<&str>, codes: &[i64]) -> String {
    let mut said = error.map_or_else(|| "nothing".into(), |error| format!("`{error}`"));
    if let Some(suberror) = suberror {
        said = format!("{said} / `{suberror}`");
    }
    for code in codes {
        said = format!("{said} {code}");
    }
    said
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewToken => f.write_str("a new token"),
            Self::KnownToken => f.write_str("the token at hand"),
            Self::Done(what) | Self::Refused(what) => f.write_str(what),
        }
    }
}

/// Which requests a call cost, by endpoint; those that carry `claims` are told apart.
pub(super) fn requests(log: &[Request]) -> String {
    let kind = |request: &Request| match (request.endpoint, request.grant()) {
        (Endpoint::DeviceAuthorization, _) => "device code",
        (Endpoint::Discovery, _) => "metadata",
        (Endpoint::Token, Some(Grant::DeviceCode)) => "poll",
        (Endpoint::Token, Some(Grant::RefreshToken)) => "refresh",
        (Endpoint::Revocation, _) => "revocation",
        _ => "other",
    };
    let mut counted: Vec<(String, usize)> = Vec::new();
    for request in log.iter().filter(|request| request.endpoint != Endpoint::DevicePage) {
        let with_claims = if request.field("claims").is_some() { " with claims" } else { "" };
        let kind = format!("{}{with_claims}", kind(request));
        match counted.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => counted.push((kind, 1)),
        }
    }
    let counted: Vec<_> = counted.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    if counted.is_empty() { "none".into() } else { counted.join(", ") }
}
