//! The token endpoint's answers: refresh with rotation (RFC 6749 §6, RFC 9700 §4.14.2), and revocation (RFC 7009).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::failure::{Dead, Failure};
use super::fault::Grant;
use super::journal::{AccessToken, Family, Revoked};
use super::options::{RefreshTokens, Rotation, Tenant, User};
use super::random;
use super::state::{Call, Dialect, RefreshToken, State};

impl State {
    pub(super) fn token(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let grant_type = call.required("grant_type")?;
        match Grant::from_grant_type(grant_type) {
            Some(Grant::DeviceCode) => self.redeem_device_code(call),
            Some(Grant::RefreshToken) => self.refresh(call),
            None => Err(Failure::UnsupportedGrantType(grant_type.into())),
        }
    }

    fn refresh(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let value = call.required("refresh_token")?;
        let dead = |dead| Err(Failure::InvalidGrant(dead));
        let Some(token) = self.refresh_tokens.get(value) else {
            return dead(Dead::Unknown);
        };
        let (index, spent) = (token.family, token.spent);
        let family = &self.families[index];
        let expired = call.now >= token.last_used + self.refresh_life(&family.scope).0;
        if family.client_id != call.client_id && !self.of_one_family(&family.client_id, call) {
            return dead(Dead::WrongClient);
        }
        if self.is_reuse(call, spent) {
            self.reuse_detected += 1;
            self.revoke(index, Revoked::Reuse);
            return dead(Dead::Spent);
        }
        if family.revoked.is_some() {
            return dead(Dead::Revoked);
        }
        if expired {
            return dead(Dead::Expired);
        }
        let scope = refreshed_scope(call, &family.scope)?;
        if let Some(token) = self.refresh_tokens.get_mut(value) {
            token.last_used = call.now;
            if self.options.rotation != Rotation::None {
                token.spent.get_or_insert(call.now);
            }
        }
        self.families[index].refreshes += 1;
        let mut answer = self.issue(call, index, &scope, call.audience(), self.options.rotation);
        if self.options.quirks.unsaid_scope {
            answer.as_object_mut().expect("an object").remove("scope");
        }
        Ok(answer)
    }

    fn is_reuse(&self, call: &Call<'_>, spent: Option<tokio::time::Instant>) -> bool {
        let Some(spent) = spent else { return false };
        match self.options.rotation {
            Rotation::Grace(grace) => call.now.duration_since(spent) > grace,
            Rotation::None | Rotation::Tolerant => false,
            Rotation::Strict => true,
        }
    }

    /// Makes the tokens of an answer; with `Rotation::None` there is no new refresh token among them.
    pub(super) fn issue(
        &mut self,
        call: &Call<'_>,
        index: usize,
        scope: &[String],
        audience: Vec<String>,
        rotation: Rotation,
    ) -> Value {
        let family = self.families[index].clone();
        let lifetime = self.options.access_token_lifetime;
        let access_token = self.access_token(call, index, scope, audience);
        let mut answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
            "scope": scope.join(" "),
        });
        let offline = match self.options.refresh_tokens {
            RefreshTokens::Always => true,
            RefreshTokens::Never => false,
            RefreshTokens::WithOfflineAccess => has(&family.scope, "offline_access"),
        };
        if offline && rotation != Rotation::None {
            let refresh_token = self.remember("refresh_token", random::token("rt"));
            let token = RefreshToken { family: index, last_used: call.now, spent: None };
            self.refresh_tokens.insert(refresh_token.clone(), token);
            answer["refresh_token"] = refresh_token.into();
        }
        if let (_, Some(seconds)) = self.refresh_life(&family.scope) {
            answer["refresh_expires_in"] = seconds.into();
        }
        let user = self.user(&family.user).cloned().expect("a sign-in belongs to a user");
        if has(scope, "openid") {
            answer["id_token"] = self.id_token(call, &user).into();
        }
        if let Dialect::Entra(_) = call.dialect {
            self.speak_entra(call, &user, scope, &mut answer);
        }
        lay_over(&mut answer, &self.options.token_overrides);
        answer
    }

    /// Makes an access token: opaque, or a JWT where it is asked for somebody in particular (as node-oidc-provider does).
    fn access_token(&mut self, call: &Call<'_>, index: usize, scope: &[String], audience: Vec<String>) -> String {
        let family = &self.families[index];
        let expires = call.now + self.options.access_token_lifetime;
        let token = AccessToken {
            user: family.user.clone(),
            client_id: family.client_id.clone(),
            scope: scope.to_vec(),
            audience,
            tenant: call.dialect.tenant().map(|tenant| tenant.id.clone()),
            issued: call.now,
            expires,
        };
        let value = if token.audience.is_empty() {
            random::token("at")
        } else {
            jwt(&json!({
                "iss": self.options.issuer,
                "aud": token.audience,
                "client_id": token.client_id,
                "scope": scope.join(" "),
                "exp": self.wall(expires),
                "jti": random::token("at"),
            }))
        };
        self.access_tokens.insert(value.clone(), (index, token));
        self.remember("access_token", value)
    }

    fn id_token(&mut self, call: &Call<'_>, user: &User) -> String {
        let mut claims = json!({
            "iss": self.options.issuer,
            "aud": call.client_id,
            "sub": user.sub,
            "preferred_username": user.username,
            "name": user.name,
            "iat": self.wall(call.now),
            "exp": self.wall(call.now + self.options.access_token_lifetime),
            "jti": random::uuid(),
        });
        if let Some(tenant) = call.dialect.tenant() {
            claims["iss"] = format!("{}/{}/v2.0", self.origin(), tenant.id).into();
            claims["oid"] = user.sub.clone().into();
            claims["tid"] = tenant.id.clone().into();
            claims["ver"] = "2.0".into();
        }
        let value = jwt(&claims);
        self.remember("id_token", value)
    }

    /// RFC 7009 §2: whatever the token was, afterwards it is not; an unknown one is no error.
    pub(super) fn revoke_token(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let value = call.required("token")?;
        if let Some(token) = self.refresh_tokens.get(value) {
            let family = token.family;
            if self.families[family].client_id == call.client_id {
                self.end_by_client(family);
            }
        } else {
            self.access_tokens.remove(value);
        }
        Ok(Value::Null)
    }

    /// Ends a sign-in as its client wished, and with `revocation_ends_all` those that are the same to such a server.
    fn end_by_client(&mut self, family: usize) {
        let Family { user, client_id, .. } = self.families[family].clone();
        for index in 0..self.families.len() {
            let other = &self.families[index];
            let is_same = self.options.revocation_ends_all && (&other.user, &other.client_id) == (&user, &client_id);
            if index == family || is_same {
                self.revoke(index, Revoked::Client);
            }
        }
    }
}

impl Dialect {
    fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Entra(tenant) => Some(tenant),
            Self::OAuth => None,
        }
    }
}

/// Lays members over an answer; `null` takes one out.
pub(super) fn lay_over(answer: &mut Value, overrides: &Map<String, Value>) {
    let Some(members) = answer.as_object_mut() else {
        return;
    };
    for (name, value) in overrides {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
}

/// RFC 6749 §6: at most what was granted. A refresh token of Microsoft Entra is good for any resource.
fn refreshed_scope(call: &Call<'_>, granted: &[String]) -> Result<Vec<String>, Failure> {
    let asked = call.scopes();
    if asked.is_empty() {
        return Ok(granted.to_vec());
    }
    let beyond = asked.iter().find(|scope| !granted.contains(scope));
    match (call.dialect, beyond) {
        (Dialect::OAuth, Some(scope)) => Err(Failure::InvalidScope(scope.clone())),
        _ => Ok(asked),
    }
}

fn has(scope: &[String], name: &str) -> bool {
    scope.iter().any(|scope| scope == name)
}

/// Encodes claims as an unsigned JWT: clients of this server have no business with the signature (OpenID Connect Core
/// §3.1.3.7 lets them rely on the connection instead).
fn jwt(claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()))
}
