//! The device authorization grant (RFC 8628), the server's side.
//!
//! 1. `authorize_device`: the client asks, and gets a device code and a user code (§3.1, §3.2).
//! 2. `decide`: the user confirms or declines (§3.3).
//! 3. `redeem_device_code`: the client polls until there is a decision (§3.4, §3.5).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::dialects::prove;
use super::failure::{Dead, Failure};
use super::journal::{Family, Issued, Revoked, lookup};
use super::options::Rotation;
use super::state::{Call, Dialect, State};
use super::{random, token};

/// A device authorization request that was answered.
pub(super) struct Device {
    /// Which of all, for the order of those pending.
    pub(super) number: usize,
    pub(super) user_code: String,
    pub(super) client_id: String,
    pub(super) scope: Vec<String>,
    pub(super) audience: Vec<String>,
    /// Microsoft Entra reports the first request's id in every answer to a poll.
    pub(super) correlation_id: String,
    expires: Instant,
    interval: Duration,
    last_poll: Option<Instant>,
    /// RFC 7636 §4.3.
    challenge: Option<String>,
    stage: Stage,
}

enum Stage {
    Approved { user: String },
    Denied,
    Pending,
    Redeemed { family: usize },
}

impl Device {
    pub(super) fn is_pending(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Pending) && now < self.expires
    }

    /// RFC 8628 §3.5: every `slow_down` makes the interval five seconds longer, for good.
    pub(super) fn slow_down(&mut self, now: Instant) {
        self.last_poll = Some(now);
        self.interval += Duration::from_secs(5);
    }

    /// Notes a poll and tells whether it came too early.
    fn polled_too_early(&mut self, now: Instant) -> bool {
        let last = self.last_poll.replace(now);
        last.is_some_and(|last| now.duration_since(last) < self.interval)
    }
}

impl State {
    pub(super) fn authorize_device(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let scope = call.scopes();
        if let Some(scope) = scope.iter().find(|scope| !is_scope_token(scope)) {
            return Err(Failure::InvalidScope(scope.clone()));
        }
        let entra = matches!(call.dialect, Dialect::Entra(_));
        let device_code = self.remember("device_code", random::token("dc"));
        let user_code = if entra { random::entra_user_code() } else { random::user_code() };
        let user_code = self.remember("user_code", user_code);
        let page = format!("{}{}/device", self.origin(), self.issuer_path());
        let mut answer = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "expires_in": self.options.device_code_lifetime.as_secs(),
        });
        if let Some(interval) = self.options.interval {
            answer["interval"] = interval.as_secs().into();
        }
        if entra {
            answer["message"] = format!(
                "To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."
            )
            .into();
        } else {
            answer["verification_uri_complete"] = format!("{page}?user_code={user_code}").into();
        }
        let device = Device {
            number: self.devices.len(),
            user_code,
            client_id: call.client_id.into(),
            scope,
            audience: call.audience(),
            correlation_id: call.correlation_id.into(),
            expires: call.now + self.options.device_code_lifetime,
            interval: self.options.interval.unwrap_or(Duration::from_secs(5)),
            last_poll: None,
            challenge: lookup(call.form, "code_challenge").map(ToOwned::to_owned),
            stage: Stage::Pending,
        };
        self.devices.insert(device_code, device);
        token::lay_over(&mut answer, &self.options.device_overrides);
        Ok(answer)
    }

    pub(super) fn redeem_device_code(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let code = call.required("device_code")?;
        let enforce = self.options.enforce_interval;
        let device = self.devices.get_mut(code).ok_or(Failure::UnknownDeviceCode)?;
        if device.client_id != call.client_id {
            return Err(Failure::InvalidGrant(Dead::WrongClient));
        }
        let verifier = lookup(call.form, "code_verifier");
        prove(device.challenge.as_deref(), verifier)?;
        // It comes with every poll.
        if let Some(verifier) = verifier.filter(|verifier| self.issued.iter().all(|known| known.value != *verifier)) {
            self.issued.push(Issued { kind: "code_verifier", value: verifier.to_owned() });
        }
        if let Stage::Redeemed { family } = device.stage {
            if self.options.second_redemption_revokes {
                self.revoke(family, Revoked::Redeemed);
            }
            return Err(Failure::InvalidGrant(Dead::Spent));
        }
        if call.now >= device.expires {
            return Err(Failure::ExpiredToken);
        }
        if device.polled_too_early(call.now) && enforce {
            device.slow_down(call.now);
            return Err(Failure::SlowDown);
        }
        let user = match &device.stage {
            Stage::Approved { user } => user.clone(),
            Stage::Denied => return Err(Failure::AccessDenied),
            Stage::Pending | Stage::Redeemed { .. } => return Err(Failure::AuthorizationPending),
        };
        let (asked, audience) = (device.scope.clone(), device.audience.clone());
        self.demand_secret(call)?;
        let family = self.families.len();
        if let Some(device) = self.devices.get_mut(code) {
            device.stage = Stage::Redeemed { family };
        }
        let scope = self.grantable(asked);
        self.families.push(Family {
            user,
            client_id: call.client_id.into(),
            scope: scope.clone(),
            began: call.now,
            refreshes: 0,
            revoked: None,
        });
        Ok(self.issue(call, family, &scope, audience, Rotation::Strict))
    }

    /// Finds a pending request by what a person typed: case and hyphens do not matter (RFC 8628 §6.1).
    pub(super) fn pending(&self, user_code: &str, now: Instant) -> Option<&Device> {
        self.devices.values().find(|device| device.is_pending(now) && same_code(&device.user_code, user_code))
    }

    /// Records what the user decided; with nobody's name, the user declined. Returns whether there was something pending.
    pub(super) fn decide(&mut self, user_code: &str, user: Option<&str>, now: Instant) -> bool {
        let device =
            self.devices.values_mut().find(|device| device.is_pending(now) && same_code(&device.user_code, user_code));
        let Some(device) = device else { return false };
        device.stage = match user {
            Some(user) => Stage::Approved { user: user.into() },
            None => Stage::Denied,
        };
        true
    }

    /// Answers a poll with a scripted `slow_down` and holds the client to it.
    pub(super) fn slow_down(&mut self, form: &[(String, String)], now: Instant) {
        let device = lookup(form, "device_code").and_then(|code| self.devices.get_mut(code));
        if let Some(device) = device {
            device.slow_down(now);
        }
    }

    fn grantable(&self, mut scope: Vec<String>) -> Vec<String> {
        if let Some(grantable) = &self.options.grantable_scopes {
            scope.retain(|scope| grantable.contains(scope));
        }
        scope
    }
}

/// RFC 6749 §3.3.
fn is_scope_token(scope: &str) -> bool {
    scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn same_code(one: &str, other: &str) -> bool {
    let plain = |code: &str| -> String {
        let letters = code.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_uppercase()).collect()
    };
    plain(one) == plain(other)
}
