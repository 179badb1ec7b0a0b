//! Who signed in, where the token response does not say: a question to the provider with the new token.

use std::time::Duration;

use broker_oauth::identity::{self, Identity};
use broker_oauth::token::IssuedToken;
use broker_oauth::wire::ProviderRequest;

use super::Provider;

/// The user has consented and waits, and the grant is not saved before the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Each in its share of the time.
const TRIES: u32 = 2;

impl Provider {
    /// Asks whose a token is. `None` if the provider has no such question, or does not answer it: a sign-in is kept all the
    /// same, without a name.
    pub(crate) async fn who(&self, token: &IssuedToken) -> Option<Identity> {
        let fields = self.profile.registration.provider.dialect().userinfo?;
        let granted = |scope: &str| token.scope.contains(scope) || token.asked.contains(scope);
        if !fields.needs_scope.is_none_or(granted) {
            return None;
        }
        for _ in 0..TRIES {
            let asked = tokio::time::timeout(TIMEOUT / TRIES, async {
                let url = self.endpoints(token.target.tenant.as_deref()).await.ok()?.userinfo?;
                self.fetch(&ProviderRequest::get_with(url, &token.access_token)).await.ok()
            });
            let response = match asked.await {
                // The address is not known, or there was no answer: the same the second time, as a rule quickly.
                Ok(None) | Err(_) => continue,
                Ok(Some(response)) => response,
            };
            let answer = response.object().filter(|_| response.status == 200);
            if let Some(identity) = answer.and_then(|answer| identity::from_userinfo(&answer, &fields)) {
                return Some(identity);
            }
        }
        tracing::info!(profile = self.profile.name, "the provider does not say who signed in");
        None
    }
}
