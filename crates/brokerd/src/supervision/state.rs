//! How the daemon is, on one line: what `systemctl status` shows. Numbers and states, and no name of an account.

use std::fmt;
use std::sync::Arc;

use broker_ipc::api::AccountState;

use crate::broker::Broker;

/// How the daemon is.
pub(super) struct State {
    /// Why the configuration is not in force, if it is not.
    configuration: Option<String>,
    profiles: usize,
    accounts: usize,
    /// Accounts that a person must sign in to again.
    ended: usize,
    /// Accounts whose newest refresh token is in memory only.
    unsaved: usize,
    prompts: usize,
    store: String,
    /// The store's: `ok`, `locked`, …
    standing: String,
}

impl State {
    pub(super) async fn of(broker: &Arc<Broker>) -> Self {
        let states: Vec<_> = broker.describe().await.into_iter().map(|described| described.account.state).collect();
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        let (profiles, store) = (broker.profiles(), broker.vault.status());
        Self {
            configuration: profiles.error.as_ref().map(ToString::to_string),
            profiles: profiles.providers.len(),
            accounts: states.len(),
            ended: count(AccountState::SignInRequired),
            unsaved: count(AccountState::Unsaved),
            prompts: broker.sign_ins.prompts(broker.clock.now()).len(),
            store: store.kind,
            standing: store.state,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |count: usize| if count == 1 { "" } else { "s" };
        if let Some(why) = &self.configuration {
            write!(f, "configuration not in force: {why}; ")?;
        }
        write!(f, "{} profile{}, ", self.profiles, several(self.profiles))?;
        write!(f, "{} account{}", self.accounts, several(self.accounts))?;
        if self.ended > 0 {
            write!(f, ", {} to be signed in again", self.ended)?;
        }
        if self.unsaved > 0 {
            write!(f, ", {} not saved", self.unsaved)?;
        }
        if self.prompts > 0 {
            write!(f, ", {} prompt{} open", self.prompts, several(self.prompts))?;
        }
        write!(f, "; store {}", self.store)?;
        // Opened by whoever needs it first: nothing to report until then.
        if !matches!(self.standing.as_str(), "ok" | "opening") {
            write!(f, " {}", self.standing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> State {
        State {
            configuration: None,
            profiles: 1,
            accounts: 2,
            ended: 0,
            unsaved: 0,
            prompts: 0,
            store: "keyring".into(),
            standing: "ok".into(),
        }
    }

    #[test]
    fn what_is_well_is_short_and_trouble_shows() {
        assert_eq!(well().to_string(), "1 profile, 2 accounts; store keyring");
        let ill = State {
            configuration: Some("/c line 3: unknown key".into()),
            ended: 1,
            unsaved: 1,
            prompts: 2,
            standing: "locked".into(),
            ..well()
        };
        assert_eq!(
            ill.to_string(),
            "configuration not in force: /c line 3: unknown key; 1 profile, 2 accounts, 1 to be signed in again, \
             1 not saved, 2 prompts open; store keyring locked"
        );
    }
}
