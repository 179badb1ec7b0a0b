//! Which account a request means.

use std::sync::Arc;

use broker_ipc::error::{ErrorBody, ErrorCode};

use super::{Caller, Goal};
use crate::accounts::Card;
use crate::explain::Refusal;
use crate::grant::AccountId;
use crate::provider::Provider;

impl Caller {
    /// The name the account is meant by, if one is given.
    pub(super) fn name<'n>(&'n self, provider: &'n Provider) -> Option<&'n str> {
        let default = provider.profile.default_account.as_deref().filter(|_| self.goal == Goal::Token);
        self.request.account.as_deref().or(default)
    }

    /// The account meant; `None` if nobody has signed in as it.
    pub(super) async fn resolve(&self, provider: &Provider) -> Result<Option<Arc<Card>>, ErrorBody> {
        let profile = &provider.profile;
        let name = self.name(provider);
        // A sign-in that names nobody is for anybody, whoever is signed in already.
        if self.goal == Goal::SignIn && name.is_none() {
            return Ok(None);
        }
        let mut found = self.broker.accounts.find(profile, name);
        if found.is_empty() {
            self.broker.reconciled().await?;
            found = self.broker.accounts.find(profile, name);
        }
        match found.len() {
            0 if name.is_some_and(|name| AccountId::parse(name).is_some()) => {
                // Ids are made here: nobody can sign in as one.
                Err(ErrorBody::new(
                    ErrorCode::UnknownAccount,
                    format!("there is no account {}", name.unwrap_or_default()),
                )
                .with_hint("see: brokerctl accounts"))
            }
            0 => Ok(None),
            1 => Ok(found.pop()),
            _ => Err(self.which_of(&profile.name, &found)),
        }
    }

    /// Several are meant. Whoever may see them is told which.
    fn which_of(&self, profile: &str, found: &[Arc<Card>]) -> ErrorBody {
        if !self.client.sees_accounts() {
            let what = format!("which account of profile {profile}? a restricted socket does not say which there are");
            return ErrorBody::new(ErrorCode::AccountRequired, what).with_hint(
                "name one with --account: who runs brokerd knows it, and may set default_account in the profile",
            );
        }
        let names: Vec<_> = found.iter().map(|card| card.username.as_str()).collect();
        let what = format!("which account of profile {profile}? there are: {}", names.join(", "));
        let mut body = ErrorBody::new(ErrorCode::AccountRequired, what)
            .with_hint("name one with --account, or set default_account in the profile");
        body.accounts = found.iter().map(|card| card.reference()).collect();
        body
    }

    /// Why a person must sign in, before anybody has been asked.
    pub(super) fn nobody(&self, provider: &Provider, who: Option<&Card>) -> Refusal {
        let profile = &provider.profile.name;
        Refusal::sign_in(match (who, self.name(provider)) {
            (Some(_), _) => "a sign-in was asked for".into(),
            (None, Some(name)) => {
                format!("nobody is signed in as {name} under profile {profile}{}", self.others(provider))
            }
            (None, None) => format!("nobody is signed in under profile {profile}"),
        })
    }

    /// A name that was mistyped is seen beside those there are.
    fn others(&self, provider: &Provider) -> String {
        if !self.client.sees_accounts() {
            return String::new();
        }
        let others = self.broker.accounts.find(&provider.profile, None);
        let others: Vec<_> = others.iter().map(|card| card.username.as_str()).collect();
        if others.is_empty() { String::new() } else { format!("; there are: {}", others.join(", ")) }
    }
}
