//! How a profile's tokens come without a person: what is on by request only.

use broker_oauth::registration::Provider;
use broker_oauth::scope::is_scope_token;

use super::{Authority, Profile, RawProfile, Wrong, wrong};

/// What a profile asks for beyond the ordinary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// What the client tells Entra it can do; `CP1`: handle claims challenges.
    pub client_capabilities: Vec<String>,
    /// Whether it shares family refresh tokens with the other profiles that do.
    pub share_family: bool,
    /// Whether a token serves to the end of its extended life while the provider is away.
    pub outage_grace: bool,
    /// Whether refresh tokens that would end unused are used in time.
    pub keep_alive: bool,
}

impl Profile {
    /// Whether the other profile's users are at home in the same cloud (Entra): a refresh token is good nowhere else.
    pub(crate) fn is_in_cloud_of(&self, other: &Self) -> bool {
        match (&self.authority, &other.authority) {
            (Authority::Entra { authority: own, .. }, Authority::Entra { authority, .. }) => own == authority,
            _ => false,
        }
    }
}

pub(super) fn silent(raw: &RawProfile, provider: Provider) -> Result<Silent, Wrong> {
    let dialect = provider.dialect();
    if !dialect.client_capabilities && !raw.client_capabilities.is_empty() {
        return wrong("client_capabilities belongs to provider = \"entra\"", "add that, or leave it out");
    }
    if !dialect.families && raw.share_family {
        return wrong("share_family belongs to provider = \"entra\"", "add that, or leave it out");
    }
    if let Some(bad) = raw.client_capabilities.iter().find(|name| !is_scope_token(name)) {
        return wrong(format!("client_capabilities: {bad:?} is no capability"), "the one there is, is \"CP1\"");
    }
    Ok(Silent {
        client_capabilities: raw.client_capabilities.clone(),
        share_family: raw.share_family,
        outage_grace: raw.outage_grace,
        keep_alive: raw.keep_alive,
    })
}
