//! A profile: a client registration as the file has it, and as the daemon uses it.

mod authority;
mod binding;
mod client;
mod preset;
mod silent;
mod transport;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use broker_ipc::api::ProfileSummary;
use broker_oauth::registration::Registration;
use broker_oauth::text::is_resource_indicator;
use broker_oauth::token::Target;
use serde::Deserialize;

pub use self::authority::Authority;
pub use self::silent::Silent;
pub use self::transport::{HttpProxy, Proxy, Transport};
use super::file::open_file;

/// As the file has it; `keys::PROFILE` names the same fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawProfile {
    provider: Option<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    authority: Option<String>,
    cloud: Option<String>,
    client_id: Option<String>,
    /// Any value: one that is not the word must not be quoted by a parser either.
    client_secret: Option<toml::Value>,
    client_secret_file: Option<PathBuf>,
    client_authentication: Option<String>,
    pkce: Option<bool>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    extra_parameters: BTreeMap<String, String>,
    audience: Option<String>,
    resource: Option<String>,
    default_account: Option<String>,
    #[serde(default)]
    client_capabilities: Vec<String>,
    #[serde(default)]
    share_family: bool,
    #[serde(default)]
    outage_grace: bool,
    #[serde(default)]
    keep_alive: bool,
    ca_file: Option<PathBuf>,
    proxy: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
}

/// As the daemon uses it. Two that are equal serve the same tokens, so a reload can tell what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The client.
    pub registration: Registration,
    /// Whether the client's secret is in the keyring; the registration has none then.
    pub secret_in_keyring: bool,
    /// Where its endpoints come from.
    pub authority: Authority,
    /// What its tokens are for, unless a request says otherwise.
    pub target: Target,
    /// The account of requests that name none.
    pub default_account: Option<String>,
    /// What is done without a person.
    pub silent: Silent,
    /// How its provider is reached.
    pub transport: Transport,
}

/// What is wrong with a profile.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

fn wrong<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), hint })
}

impl Profile {
    /// Where it signs in, with the tenant: as people are shown it, and what a device code is bound to.
    pub fn issuer(&self) -> String {
        self.authority.shown()
    }

    /// What people are shown of it, without how its provider is reached from here.
    pub(crate) fn summary(&self, default: bool) -> ProfileSummary {
        ProfileSummary {
            name: self.name.clone(),
            provider: self.registration.provider.as_str().into(),
            issuer: self.issuer(),
            client_id: self.registration.client_id.clone(),
            scopes: self.registration.scopes.iter().map(str::to_owned).collect(),
            default,
            proxy: None,
            ca_file: self.transport.ca_file.as_ref().map(|file| file.display().to_string()),
        }
    }

    /// A profile that is not in the file. Fails with what is wrong and what to do.
    pub(crate) fn from_table(
        name: &str,
        mut table: toml::Table,
        directory: &Path,
    ) -> Result<Self, (String, &'static str)> {
        // Nothing is sent that would need it.
        table.entry("client_secret").or_insert_with(|| client::IN_KEYRING.into());
        let raw =
            table.try_into().map_err(|error: toml::de::Error| (error.message().to_owned(), "check the request"))?;
        Self::build(name, raw, directory).map_err(|wrong| (wrong.message, wrong.hint))
    }

    pub(super) fn build(name: &str, mut raw: RawProfile, directory: &Path) -> Result<Self, Wrong> {
        let sane = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !sane {
            return wrong("the name may have letters, digits, '.', '_' and '-' only", "rename the profile");
        }
        let provider = preset::provider(raw.provider.as_deref())?;
        let authority = preset::authority(provider, &mut raw)?;
        let (registration, secret_in_keyring) = client::registration(provider, &raw, directory)?;
        let ca_file = raw.ca_file.as_ref().map(|file| directory.join(file));
        if let Some(Err(unfit)) = ca_file.as_deref().map(open_file) {
            return wrong(format!("ca_file: {unfit}"), unfit.hint);
        }
        if let Some(resource) = raw.resource.as_ref().filter(|resource| !is_resource_indicator(resource)) {
            return wrong(
                format!("resource {resource:?} is no absolute URI"),
                "write it as the provider has it: https://… or urn:…",
            );
        }
        let silent = silent::silent(&raw, provider)?;
        Ok(Self {
            name: name.into(),
            registration,
            secret_in_keyring,
            authority,
            target: Target { tenant: None, resource: raw.resource, audience: raw.audience },
            silent,
            default_account: raw.default_account,
            transport: Transport { ca_file, proxy: transport::proxy(raw.proxy.as_deref())? },
        })
    }
}
