//! What a kill cuts off.

use anyhow::{Context as _, ensure};

use crate::fake_as::{Endpoint, Grant};
use crate::figures::crowd::Kept;
use crate::figures::{Set, sign_in};

/// What is under way when the daemon is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A refresh that a client waits for.
    Refresh,
    /// A sign-in, by a person who consents at once.
    SignIn,
    /// A sign-out.
    SignOut,
    /// A start that finds a refresh cut off before the provider got to it, and finishes that.
    Start,
}

impl Deed {
    /// Brings the set to where the deed may begin.
    pub(super) async fn prepare(self, set: &mut Set) -> anyhow::Result<()> {
        let accounts = set.client()?.accounts().await?.accounts;
        match accounts.first() {
            Some(account) if self == Self::SignIn => drop(set.client()?.sign_out(&account.id).await?),
            None if self != Self::SignIn => set.sign_in().await?,
            _ => {}
        }
        if self == Self::Start {
            let gate = set.server.hold(Grant::RefreshToken);
            let mut waiting = set.connect().await?;
            waiting.send(true).await?;
            gate.arrived().await;
            set.kill().await;
        }
        Ok(())
    }

    /// Does it, as a client would, and returns when that has its answer. A client that signs in waits for a daemon to come back.
    pub(super) fn begin(self, set: &Set) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
        let (client, server, socket) = (set.client()?, set.server.clone(), set.socket());
        Ok(async move {
            match self {
                Self::Refresh | Self::Start => {
                    let mut client = Kept::connect(&socket).await?;
                    let status = client.ask(self == Self::Refresh).await?;
                    ensure!(status == 200, "status {status}");
                }
                Self::SignIn => sign_in(&client, &server).await?,
                Self::SignOut => {
                    let accounts = client.accounts().await?.accounts;
                    client.sign_out(&accounts.first().context("nobody is signed in")?.id).await?;
                }
            }
            Ok(())
        })
    }

    /// How often the provider was asked for what this is about.
    pub(super) fn asked(self, set: &Set) -> usize {
        match self {
            Self::Refresh | Self::Start => set.server.count(Grant::RefreshToken),
            Self::SignIn => set.server.count(Grant::DeviceCode),
            Self::SignOut => set.server.count(Endpoint::Revocation),
        }
    }

    /// How often the provider gave what is lost if it is not saved.
    pub(super) fn answered(self, set: &Set) -> usize {
        let families = set.server.families();
        if self == Self::SignIn { families.len() } else { families.iter().map(|family| family.refreshes).sum() }
    }

    /// Whether the sign-in is good, with everything that belongs to it. One that is neither that nor gone is an error, and so
    /// is one that has not become what its client was told.
    pub(super) async fn is_whole(self, set: &Set, told: bool) -> anyhow::Result<bool> {
        let good = set.connect().await?.ask(false).await? == 200;
        let known = !set.client()?.accounts().await?.accounts.is_empty();
        match self {
            // One that has ended is still known.
            Self::Refresh | Self::Start => ensure!(known, "the account is not known any more"),
            Self::SignIn => {
                ensure!(known == good, "half a sign-in: known {known}, good {good}");
                ensure!(good || !told, "told of a sign-in that is not there");
            }
            Self::SignOut => {
                ensure!(known == good, "half a sign-out: known {known}, good {good}");
                ensure!(!good || !told, "told of a sign-out that has not happened");
            }
        }
        Ok(good)
    }
}
