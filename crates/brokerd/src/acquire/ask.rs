//! What a request asks for, checked.

use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::extra::ExtraParameters;
use broker_oauth::scope::ScopeSet;
use broker_oauth::text::is_resource_indicator;
use jiff::SignedDuration;

use super::Caller;
use crate::account::Ask;
use crate::config::Authority;
use crate::provider::Provider;

impl Caller {
    /// What is asked of an account; `Err` names what in the request is wrong.
    pub(super) fn ask(&self, provider: &Provider) -> Result<Ask, ErrorBody> {
        let request = &self.request;
        let bad = |what: String| Err(ErrorBody::new(ErrorCode::BadRequest, what));
        if let Some(scope) = request.scopes.iter().find(|scope| !broker_oauth::scope::is_scope_token(scope)) {
            let what = bad(format!("{scope:?} is no scope"));
            return what.map_err(|body| body.with_hint("a scope is one word: repeat -s for each"));
        }
        // As from a script's variable that is not set: nobody answers to it, whoever signs in.
        if request.account.as_deref() == Some("") {
            return bad("account is empty".into());
        }
        if request.reject_token_sha256.as_deref().is_some_and(|hash| !is_lower_hex_sha256(hash)) {
            return bad("reject_token_sha256 is not 64 lower-case hex digits".into());
        }
        // It goes into a query and a form as it is.
        if request.locale.as_deref().is_some_and(|locale| !is_language_tag(locale)) {
            return bad("locale is no language tag: letters, digits and '-' only, as in de-DE".into());
        }
        if let Some(tenant) = &request.tenant
            && !matches!(provider.profile.authority, Authority::Entra { .. })
        {
            let (name, kind) = (&provider.profile.name, provider.profile.registration.provider.as_str());
            let what = format!("tenant {tenant:?}: profile {name} is of provider {kind}, and only entra has tenants");
            return bad(what).map_err(|body| body.with_hint("leave the tenant out"));
        }
        // RFC 8707 §2. Sent as it is, it could cost the sign-in: some servers spend the refresh token before they look.
        if let Some(resource) = &request.resource
            && !is_resource_indicator(resource)
        {
            return bad(format!("resource {resource:?} is no absolute URI without a fragment"));
        }
        let extra = match ExtraParameters::new(request.extra_parameters.clone()) {
            Ok(extra) => provider.profile.registration.extra.with(&extra),
            Err(error) => return bad(format!("extra_parameters: {error}")),
        };
        let own = &provider.profile.target;
        let mut target = own.clone();
        target.tenant.clone_from(&request.tenant);
        target.resource = request.resource.clone().or(target.resource);
        target.audience = request.audience.clone().or(target.audience);
        let scopes: ScopeSet = request.scopes.iter().map(String::as_str).collect();
        Ok(Ask {
            scopes: if scopes.is_empty() { provider.profile.registration.scopes.clone() } else { scopes },
            target,
            min_validity: request
                .min_validity
                .map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
            force: request.force_refresh,
            reject: request.reject_token_sha256.clone(),
            keeps_others: self.client.socket.is_some(),
            claims: request.claims.clone().map(|claims| serde_json::Value::Object(claims).to_string()),
            extra,
            most: self.client.most(),
        })
    }
}

/// Whether a text can be a tag of BCP 47: RFC 5646 §4.4.1 wants room for 35 characters.
fn is_language_tag(text: &str) -> bool {
    (1..=35).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_lower_hex_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_tag_is_short_and_plain() {
        for good in ["de", "de-DE", "zh-Hant-TW", "es-419", &"a".repeat(35)] {
            assert!(is_language_tag(good), "{good}");
        }
        for bad in ["", "de_DE", "de DE", "de&x=1", "de\n", "dé", "*", &"a".repeat(36)] {
            assert!(!is_language_tag(bad), "{bad:?}");
        }
    }
}
