//! Which profile is for a host.

use broker_ipc::api::TokenRequest;
use broker_ipc::error::{ErrorBody, ErrorCode};

use super::Broker;

impl Broker {
    /// Puts what the configuration says about a request's host in the host's place, and returns the user name that goes with
    /// the token. What the request says itself wins.
    pub(crate) fn settle_host(&self, request: &mut TokenRequest) -> Result<Option<String>, ErrorBody> {
        let Some(target) = request.host.take() else { return Ok(None) };
        if request.profile.is_some() {
            return Err(ErrorBody::new(ErrorCode::BadRequest, "a host and a profile: the host says which profile")
                .with_hint("leave one of them out"));
        }
        let profiles = self.profiles();
        let Some(host) = profiles.hosts.iter().find(|host| host.is_for(&target)) else {
            if let Some(error) = &profiles.error {
                return Err(ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint.clone()));
            }
            let shown = broker_oauth::text::clean(&target);
            let what = format!("no [[hosts]] in the configuration is for {shown}");
            return Err(ErrorBody::new(ErrorCode::UnknownHost, what).with_hint("add one, or name a profile"));
        };
        request.profile = Some(host.profile.clone());
        if request.scopes.is_empty() {
            request.scopes.clone_from(&host.scopes);
        }
        request.account = request.account.take().or_else(|| host.account.clone());
        request.tenant = request.tenant.take().or_else(|| host.tenant.clone());
        Ok(host.username.clone())
    }
}
