//! A pending prompt in the vault, so that it outlives the daemon.
//!
//! The record has what it takes to poll on, the device code among it. It is written before anybody sees the prompt, and never
//! again: what has become of the polling is in the [marks](super::marks), which cost no write to a keyring.

use std::collections::BTreeMap;
use std::time::Duration;

use broker_ipc::api::Requester;
use broker_oauth::device::DeviceAuthorization;
use broker_oauth::extra::ExtraParameters;
use broker_oauth::scope::ScopeSet;
use broker_oauth::secret::{CodeVerifier, DeviceCode};
use broker_oauth::token::Target;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::marks::Mark;
use super::{Bound, Kept, Wish};
use crate::broker::Broker;
use crate::wiped;

const PREFIX: &str = "prompt-";

/// The key of a prompt's record in the vault.
pub(super) fn key(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// The prompt whose record a key of the vault names.
pub(crate) fn prompt_of(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

/// The record. Fields may be added; a reader ignores those it does not know.
#[derive(Serialize, Deserialize)]
struct Record {
    profile: String,
    client_id: String,
    issuer: String,
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    expires_at: i64,
    bound: Bound,
    scopes: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claims: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extra: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_verifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    requested_by: Requester,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.device_code.zeroize();
        self.code_verifier.zeroize();
    }
}

/// The record of a prompt that runs out at `expires_at`, as JSON.
pub(super) fn to_record(
    wish: &Wish,
    authorization: &DeviceAuthorization,
    expires_at: Timestamp,
    correlation_id: Option<&str>,
) -> Zeroizing<String> {
    let profile = &wish.provider.profile;
    let record = Record {
        profile: profile.name.clone(),
        client_id: profile.registration.client_id.clone(),
        issuer: profile.bound_to(),
        device_code: authorization.device_code.expose().to_owned(),
        user_code: authorization.user_code.clone(),
        verification_uri: authorization.verification_uri.clone(),
        verification_uri_complete: authorization.verification_uri_complete.clone(),
        expires_at: expires_at.as_second(),
        bound: wish.bound.clone(),
        scopes: wish.scopes.to_string(),
        tenant: wish.target.tenant.clone(),
        resource: wish.target.resource.clone(),
        audience: wish.target.audience.clone(),
        claims: wish.claims.clone(),
        extra: wish.extra.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        code_verifier: authorization.code_verifier.as_ref().map(|verifier| verifier.expose().to_owned()),
        locale: wish.locale.clone(),
        requested_by: wish.requested_by.clone(),
        account_name: wish.account_name.clone(),
        correlation_id: correlation_id.map(str::to_owned),
    };
    wiped::json_text(&record)
}

/// Reads a record; the mark says what its polling had come to. `None` if it cannot be gone on with: it is no record of this
/// version's, its codes have run out, or its profile leads elsewhere now.
pub(super) fn from_record(broker: &Broker, text: &str, mark: &Mark) -> Option<(Wish, Kept)> {
    let mut record: Record = serde_json::from_str(text).ok()?;
    let expires_at = Timestamp::from_second(record.expires_at).ok()?;
    let left = expires_at.duration_since(broker.clock.now());
    if left <= SignedDuration::ZERO {
        return None;
    }
    let provider = broker.provider(Some(&record.profile)).ok()?;
    if (&record.client_id, &record.issuer) != (&provider.profile.registration.client_id, &provider.profile.bound_to()) {
        return None;
    }
    let authorization = DeviceAuthorization {
        device_code: DeviceCode::new(std::mem::take(&mut record.device_code)),
        user_code: std::mem::take(&mut record.user_code),
        verification_uri: std::mem::take(&mut record.verification_uri),
        verification_uri_complete: record.verification_uri_complete.take(),
        expires_in: Duration::try_from(left).ok()?,
        interval: mark.interval(),
        code_verifier: record.code_verifier.take().map(CodeVerifier::new),
    };
    let kept = Kept { authorization, polled: mark.polled, correlation_id: record.correlation_id.take() };
    let wish = Wish {
        provider,
        bound: record.bound.clone(),
        scopes: ScopeSet::parse(&record.scopes),
        target: Target {
            tenant: record.tenant.take(),
            resource: record.resource.take(),
            audience: record.audience.take(),
        },
        claims: record.claims.take(),
        extra: ExtraParameters::new(std::mem::take(&mut record.extra)).ok()?,
        locale: record.locale.take(),
        requested_by: record.requested_by.clone(),
        account_name: record.account_name.take(),
    };
    Some((wish, kept))
}
