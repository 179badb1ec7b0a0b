//! A grant: what survives a restart for an account, and its form in the store.

use broker_oauth::identity::Identity;
use broker_oauth::keep_alive::RefreshLife;
use broker_oauth::scope::ScopeSet;
use broker_oauth::secret::{AccessToken, RefreshToken};
use broker_oauth::token::{IssuedToken, Target, TokenResponse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::config::Profile;
use crate::wiped;

/// What an account's task owns. The refresh token in it is seen by nobody else.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// Whose.
    pub id: AccountId,
    /// The profile it was signed in under.
    pub profile: String,
    /// The client it was issued to; another client cannot use it.
    pub client_id: String,
    /// The issuer or cloud it came from ([`Profile::binding`]); it is never sent to another.
    pub issuer: String,
    /// Who the user is.
    pub identity: Identity,
    /// What it is for, beyond the scopes, when it is nothing but an access token.
    pub target: Target,
    /// What was granted.
    pub scope: ScopeSet,
    /// What was asked for when signing in.
    pub asked: ScopeSet,
    /// What it lives on.
    pub credential: Credential,
    /// When the user signed in.
    pub signed_in_at: Timestamp,
    /// The family whose clients may redeem its refresh token as well (Entra).
    pub family: Option<String>,
}

/// What a grant lives on.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// A refresh token.
    Refresh(Refresh),
    /// A provider that issues no refresh tokens: the long-lived access token.
    LongLived(AccessToken),
    /// Nothing that lasts: the access token in memory, until it expires.
    Transient,
    /// The provider refused it for good; never sent again.
    Dead,
}

/// A refresh token and where its rotation stands.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    /// The newest one.
    pub token: RefreshToken,
    /// The one before it, until the newest has worked.
    pub previous: Option<RefreshToken>,
    /// A refresh was about to be sent at this time and has not been accounted for: after a crash, act on it first.
    pub intent: Option<Timestamp>,
    /// Whether the provider rotates, once a refresh has shown it. Where it does not, a refresh writes nothing.
    pub rotates: Option<bool>,
    /// How long it lives unused, where the provider says. Nothing is ended by that: clocks lie, the provider decides.
    pub life: Option<RefreshLife>,
}

impl Refresh {
    /// A refresh token fresh from a sign-in.
    pub(crate) fn new(token: RefreshToken, life: Option<RefreshLife>) -> Self {
        Self { token, previous: None, intent: None, rotates: None, life }
    }
}

/// An account's id: opaque, URL-safe, and the same whenever the same user signs in to the same profile again, so that a
/// lost index cannot make two accounts of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AccountId(String);

impl AccountId {
    /// Derives the id. A provider that does not say who the user is gives one account a profile.
    pub(crate) fn derive(profile: &str, issuer: &str, identity: &Identity) -> Self {
        let user = identity.home_id.as_deref().or(identity.subject.as_deref()).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [profile, issuer, user] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hex(&hash.finalize()[..10]))
    }

    /// The account of a profile whose provider did not say who signed in.
    pub(crate) fn of_nobody(profile: &Profile) -> Self {
        Self::derive(&profile.name, &profile.bound_to(), &Identity::default())
    }

    /// The id of a store key or index entry; `None` if it is not one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let ours = text.len() == 20 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        ours.then(|| Self(text.into()))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Grant {
    /// The grant that a token response makes at `now`, and the token that came with it.
    pub(crate) fn issued(
        profile: &Profile,
        target: Target,
        response: TokenResponse,
        now: Timestamp,
    ) -> (Self, IssuedToken) {
        let identity = response.identity.unwrap_or_default();
        let credential = match (response.refresh_token, response.token.expires_at) {
            (Some(token), _) => Credential::Refresh(Refresh::new(token, response.refresh_life)),
            (None, None) => Credential::LongLived(response.token.access_token.clone()),
            (None, Some(_)) => Credential::Transient,
        };
        let grant = Self {
            id: AccountId::derive(&profile.name, &profile.bound_to(), &identity),
            profile: profile.name.clone(),
            client_id: profile.registration.client_id.clone(),
            issuer: profile.bound_to(),
            identity,
            target,
            scope: response.token.scope.clone(),
            asked: response.token.asked.clone(),
            credential,
            signed_in_at: now,
            family: response.family,
        };
        (grant, response.token)
    }

    /// What to call the user.
    pub(crate) fn username(&self) -> &str {
        self.identity.username.as_deref().unwrap_or("unknown")
    }

    /// Whether it was issued to this profile's client by this profile's issuer: only then is it sent there, and only then
    /// do its tokens serve the profile's callers.
    pub(crate) fn belongs_to(&self, profile: &Profile) -> bool {
        self.client_id == profile.registration.client_id && self.issuer == profile.bound_to()
    }

    /// How long its refresh token lives unused, where there is one and the provider says.
    pub(crate) fn refresh_life(&self) -> Option<RefreshLife> {
        match &self.credential {
            Credential::Refresh(refresh) => refresh.life,
            _ => None,
        }
    }

    /// Whether it is nothing but the access token with this hash.
    pub(crate) fn is_token(&self, sha256: &str) -> bool {
        matches!(&self.credential, Credential::LongLived(token) if token.sha256_hex() == sha256)
    }

    /// The record for the store, as JSON.
    pub(crate) fn to_record(&self) -> Zeroizing<String> {
        let refresh = match &self.credential {
            Credential::Refresh(refresh) => Some(refresh),
            _ => None,
        };
        let record = Record {
            id: self.id.clone(),
            profile: self.profile.clone(),
            client_id: self.client_id.clone(),
            issuer: self.issuer.clone(),
            subject: self.identity.subject.clone(),
            subject_issuer: self.identity.issuer.clone(),
            home_id: self.identity.home_id.clone(),
            local_id: self.identity.local_id.clone(),
            tenant: self.identity.tenant.clone(),
            username: self.identity.username.clone(),
            target_tenant: self.target.tenant.clone(),
            target_resource: self.target.resource.clone(),
            target_audience: self.target.audience.clone(),
            scope: self.scope.to_string(),
            asked: self.asked.to_string(),
            signed_in_at: self.signed_in_at.as_second(),
            refresh_token: refresh.map(|refresh| refresh.token.expose().to_owned()),
            previous: refresh.and_then(|refresh| Some(refresh.previous.as_ref()?.expose().to_owned())),
            intent: refresh.and_then(|refresh| refresh.intent).map(Timestamp::as_second),
            rotates: refresh.and_then(|refresh| refresh.rotates),
            access_token: match &self.credential {
                Credential::LongLived(token) => Some(token.expose().to_owned()),
                _ => None,
            },
            family: self.family.clone(),
            refresh_issued_at: refresh.and_then(|refresh| refresh.life).map(|life| life.issued_at.as_second()),
            refresh_expires_at: refresh.and_then(|refresh| refresh.life).map(|life| life.expires_at.as_second()),
        };
        wiped::json_text(&record)
    }

    /// Reads a record; the error never quotes it.
    pub(crate) fn from_record(text: &str) -> Result<Self, &'static str> {
        let mut record: Record = serde_json::from_str(text).map_err(|_| "the record is not one of this version's")?;
        let credential = match (record.refresh_token.take(), record.access_token.take()) {
            (Some(token), _) => Credential::Refresh(Refresh {
                token: RefreshToken::new(token),
                previous: record.previous.take().map(RefreshToken::new),
                intent: record.intent.and_then(|at| Timestamp::from_second(at).ok()),
                rotates: record.rotates,
                life: record.refresh_life(),
            }),
            (None, Some(token)) => Credential::LongLived(AccessToken::new(token)),
            (None, None) => Credential::Dead,
        };
        Ok(Self {
            id: record.id.clone(),
            profile: std::mem::take(&mut record.profile),
            client_id: std::mem::take(&mut record.client_id),
            issuer: std::mem::take(&mut record.issuer),
            identity: Identity {
                subject: record.subject.take(),
                issuer: record.subject_issuer.take(),
                home_id: record.home_id.take(),
                local_id: record.local_id.take(),
                tenant: record.tenant.take(),
                username: record.username.take(),
            },
            target: Target {
                tenant: record.target_tenant.take(),
                resource: record.target_resource.take(),
                audience: record.target_audience.take(),
            },
            scope: ScopeSet::parse(&record.scope),
            asked: ScopeSet::parse(&record.asked),
            credential,
            signed_in_at: Timestamp::from_second(record.signed_in_at).map_err(|_| "the record's time is absurd")?,
            family: record.family.take(),
        })
    }
}

/// The record. Fields may be added; a reader ignores those it does not know, so that going back one version loses nothing.
#[derive(Serialize, Deserialize)]
struct Record {
    id: AccountId,
    profile: String,
    client_id: String,
    issuer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// `iss` of the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    home_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_audience: Option<String>,
    scope: String,
    asked: String,
    signed_in_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotates: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_issued_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_expires_at: Option<i64>,
}

impl Record {
    fn refresh_life(&self) -> Option<RefreshLife> {
        let at = |second: Option<i64>| Timestamp::from_second(second?).ok();
        Some(RefreshLife { issued_at: at(self.refresh_issued_at)?, expires_at: at(self.refresh_expires_at)? })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        for secret in [&mut self.refresh_token, &mut self.previous, &mut self.access_token] {
            secret.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(credential: Credential) -> Grant {
        let identity = Identity {
            subject: Some("alice".into()),
            issuer: Some("https://a.example".into()),
            username: Some("Alice".into()),
            ..Identity::default()
        };
        Grant {
            id: AccountId::derive("work", "https://a.example", &identity),
            profile: "work".into(),
            client_id: "cli".into(),
            issuer: "https://a.example".into(),
            identity,
            target: Target { resource: Some("urn:files".into()), ..Target::default() },
            scope: ScopeSet::parse("a b"),
            asked: ScopeSet::parse("a b c"),
            credential,
            signed_in_at: Timestamp::UNIX_EPOCH,
            family: Some("1".into()),
        }
    }

    #[test]
    fn a_record_comes_back_whole() {
        let refresh = Refresh {
            token: RefreshToken::new("new"),
            previous: Some(RefreshToken::new("old")),
            intent: Timestamp::from_second(7).ok(),
            rotates: Some(true),
            life: Some(RefreshLife {
                issued_at: Timestamp::UNIX_EPOCH,
                expires_at: Timestamp::from_second(1800).unwrap(),
            }),
        };
        let before = grant(Credential::Refresh(refresh));
        let after = Grant::from_record(&before.to_record()).unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        let Credential::Refresh(refresh) = after.credential else { panic!("no refresh token") };
        assert_eq!((refresh.token.expose(), refresh.previous.unwrap().expose()), ("new", "old"));
    }

    #[test]
    fn a_dead_grant_stays_dead_and_tells_no_secret() {
        let record = grant(Credential::Dead).to_record();
        assert!(!record.contains("token"));
        assert!(matches!(Grant::from_record(&record).unwrap().credential, Credential::Dead));
    }

    #[test]
    fn a_newer_versions_fields_are_ignored_and_rubbish_is_refused() {
        let record = grant(Credential::Dead).to_record().replace("{\"id\"", "{\"future\":1,\"id\"");
        assert!(Grant::from_record(&record).is_ok());
        assert!(Grant::from_record("{}").is_err());
    }

    #[test]
    fn ids_are_stable_and_their_parts_do_not_run_together() {
        let who = |subject: &str| Identity { subject: Some(subject.into()), ..Identity::default() };
        let id = AccountId::derive("work", "https://a.example", &who("alice"));
        assert_eq!(id, AccountId::derive("work", "https://a.example", &who("alice")));
        assert_ne!(id, AccountId::derive("workh", "ttps://a.example", &who("alice")));
        assert_eq!(AccountId::parse(id.as_str()), Some(id));
        for bad in ["", "../../etc", "zzzzzzzzzzzzzzzzzzzz"] {
            assert_eq!(AccountId::parse(bad), None);
        }
    }
}
