//! A token, as it is read and as it is written.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::AccountRef;

/// A token, as the answer to `/v1/token` or the last event of its stream.
///
/// It is read from JSON and not written: that would be the token in clear, wherever a program writes what holds one. Whoever
/// means to says so by [`exposed`](TokenResponse::exposed).
#[derive(Clone, Debug, Deserialize)]
pub struct TokenResponse {
    /// The token itself.
    pub access_token: SecretString,
    /// `Bearer`, as a rule.
    pub token_type: String,
    /// RFC 3339 UTC; absent where the token never expires.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// The same in epoch seconds.
    #[serde(default)]
    pub expires_on: Option<i64>,
    /// The token is past its ordinary end and is served because the provider is away (`outage_grace`); the two times above
    /// are then the extended end. Absent otherwise.
    #[serde(default)]
    pub extended: bool,
    /// What was granted, space separated.
    pub scope: String,
    /// The profile it was issued under.
    pub profile: String,
    /// The account it belongs to.
    pub account: AccountRef,
    /// With `host`: the user name beside the token, for tools that know passwords only.
    #[serde(default)]
    pub basic_username: Option<String>,
    /// With `include: ["id_token"]`.
    #[serde(default)]
    pub id_token: Option<SecretString>,
}

impl TokenResponse {
    /// Returns it with the secrets bare, to be written where they belong.
    pub fn exposed(&self) -> TokenAnswer<'_> {
        TokenAnswer {
            access_token: self.access_token.expose_secret(),
            token_type: &self.token_type,
            expires_at: self.expires_at.as_deref().map(Cow::Borrowed),
            expires_on: self.expires_on,
            extended: self.extended,
            scope: Cow::Borrowed(&self.scope),
            profile: &self.profile,
            account: &self.account,
            basic_username: self.basic_username.as_deref(),
            id_token: self.id_token.as_ref().map(ExposeSecret::expose_secret),
        }
    }
}

/// A [`TokenResponse`] as it is written: borrowed, because a copy of a token made for that would have to be overwritten again.
/// It has no `Debug`: the secrets in it are bare.
#[derive(Serialize)]
#[expect(missing_docs, reason = "the fields are those of TokenResponse")]
pub struct TokenAnswer<'a> {
    pub access_token: &'a str,
    pub token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub extended: bool,
    pub scope: Cow<'a, str>,
    pub profile: &'a str,
    pub account: &'a AccountRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<&'a str>,
}

impl TokenAnswer<'_> {
    /// Appends it as JSON. Here, because this crate is built for speed and the daemon is not, and it writes little else.
    pub fn write_json(&self, into: &mut Vec<u8>) {
        // Its keys are strings, and writing to memory does not fail.
        serde_json::to_writer(into, self).ok();
    }

    /// Bytes that it takes as JSON, or a few more: a vector that grows leaves a copy of the token behind.
    pub fn encoded_len(&self) -> usize {
        let secrets = self.access_token.len() + self.id_token.map_or(0, str::len);
        let texts = [self.token_type, &self.scope, self.profile, &self.account.id, &self.account.username];
        let texts = texts.into_iter().chain(self.basic_username);
        // Some characters need an escape.
        secrets + 2 * texts.map(str::len).sum::<usize>() + 512
    }

    /// What its reader will have.
    pub fn to_response(&self) -> TokenResponse {
        TokenResponse {
            access_token: self.access_token.into(),
            token_type: self.token_type.to_owned(),
            expires_at: self.expires_at.as_deref().map(str::to_owned),
            expires_on: self.expires_on,
            extended: self.extended,
            scope: self.scope.clone().into_owned(),
            profile: self.profile.to_owned(),
            account: self.account.clone(),
            basic_username: self.basic_username.map(str::to_owned),
            id_token: self.id_token.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_without_growing_and_read_as_it_was() {
        let account = AccountRef { id: "a1".into(), username: "al\"ice\\".repeat(100) };
        let answer = TokenAnswer {
            access_token: &"t".repeat(2000),
            token_type: "Bearer",
            expires_at: Some("2026-01-01T00:00:00Z".into()),
            expires_on: Some(i64::MIN),
            extended: true,
            scope: "a \"b\"".into(),
            profile: "work",
            account: &account,
            basic_username: Some("\\"),
            id_token: Some("i"),
        };
        let mut written = Vec::with_capacity(answer.encoded_len());
        let room = written.capacity();
        answer.write_json(&mut written);
        assert_eq!(written.capacity(), room);
        let read: TokenResponse = serde_json::from_slice(&written).unwrap();
        assert_eq!(serde_json::to_vec(&read.exposed()).unwrap(), written);
        assert_eq!(serde_json::to_vec(&answer.to_response().exposed()).unwrap(), written);
        assert_eq!(read.id_token.unwrap().expose_secret(), "i");
    }
}
