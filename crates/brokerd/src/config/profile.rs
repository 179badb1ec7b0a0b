//! A profile: a client registration as the file has it, and as the daemon uses it.

mod authority;
mod silent;
mod transport;

use std::path::{Path, PathBuf};

use broker_oauth::registration::{Provider, Registration};
use broker_oauth::scope::{ScopeSet, is_scope_token};
use broker_oauth::secret::ClientSecret;
use broker_oauth::token::Target;
use serde::Deserialize;

pub use self::authority::Authority;
pub use self::silent::Silent;
pub use self::transport::{HttpProxy, Proxy, Transport};
use super::file::{check_file, read_secret};

/// The preset whose endpoints are templated and whose dialect is the RFCs'.
const ADFS: &str = "adfs";

/// As the file has it; `keys::PROFILE` names the same fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    provider: Option<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    authority: Option<String>,
    cloud: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    #[serde(default)]
    scopes: Vec<String>,
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
}

/// As the daemon uses it. Two that are equal serve the same tokens, so a reload can tell what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The client.
    pub registration: Registration,
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
    /// What a grant of this profile is bound to: it is never sent anywhere else.
    pub fn bound_to(&self) -> String {
        self.authority.bound_to()
    }

    /// Where it signs in, with the tenant: as people are shown it, and what a device code is bound to.
    pub fn issuer(&self) -> String {
        self.authority.shown()
    }

    /// A profile that is not in the file. Fails with what is wrong and what to do.
    pub(crate) fn from_table(table: toml::Table, directory: &Path) -> Result<Self, (String, &'static str)> {
        let raw =
            table.try_into().map_err(|error: toml::de::Error| (error.message().to_owned(), "check the request"))?;
        Self::build("probe", raw, directory).map_err(|wrong| (wrong.message, wrong.hint))
    }

    pub(super) fn build(name: &str, raw: RawProfile, directory: &Path) -> Result<Self, Wrong> {
        let sane = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !sane {
            return wrong("the name may have letters, digits, '.', '_' and '-' only", "rename the profile");
        }
        let provider = provider(&raw)?;
        let authority = match provider {
            Provider::Entra => authority::entra(&raw)?,
            Provider::Oidc if raw.provider.as_deref() == Some(ADFS) => authority::adfs(&raw)?,
            Provider::Oidc => authority::oidc(&raw)?,
        };
        let Some(client_id) = raw.client_id.clone().filter(|id| !id.is_empty()) else {
            return wrong("client_id is missing", "add the id under which the application is registered");
        };
        let client_secret = match &raw.client_secret_file {
            Some(file) => match read_secret(&directory.join(file)) {
                Ok(secret) => Some(ClientSecret::new(secret.trim_end_matches(['\r', '\n']))),
                Err(why) => return wrong(format!("client_secret_file: {why}"), "give it to you alone: chmod 600"),
            },
            None => None,
        };
        let ca_file = raw.ca_file.as_ref().map(|file| directory.join(file));
        if let Some(Err(why)) = ca_file.as_deref().map(check_file) {
            return wrong(format!("ca_file: {why}"), "who writes it decides whom brokerd trusts: chmod go-w it");
        }
        let silent = silent::silent(&raw, provider)?;
        let registration = Registration { provider, client_id, client_secret, scopes: scopes(&raw.scopes)? };
        Ok(Self {
            name: name.into(),
            registration,
            authority,
            target: Target { tenant: None, resource: raw.resource, audience: raw.audience },
            silent,
            default_account: raw.default_account,
            transport: Transport { ca_file, proxy: transport::proxy(raw.proxy.as_deref())? },
        })
    }
}

fn provider(raw: &RawProfile) -> Result<Provider, Wrong> {
    match raw.provider.as_deref() {
        // AD FS speaks by the RFCs, from endpoints of its own.
        None | Some("oidc" | ADFS) => Ok(Provider::Oidc),
        Some("entra") => Ok(Provider::Entra),
        Some(other @ ("github" | "google")) => wrong(
            format!("provider {other:?} is not built in yet"),
            "name its issuer, or its token_endpoint and device_authorization_endpoint, with provider = \"oidc\"",
        ),
        Some(other) => wrong(format!("provider {other:?} is none of: entra, adfs, oidc"), "use one of these"),
    }
}

fn scopes(list: &[String]) -> Result<ScopeSet, Wrong> {
    match list.iter().find(|scope| !is_scope_token(scope)) {
        Some(bad) => {
            wrong(format!("scope {bad:?} has a character no scope may have"), "list each scope as its own string")
        }
        None => Ok(list.iter().map(String::as_str).collect()),
    }
}
