//! The daemon about itself: prompts, events, status, findings.

use serde::{Deserialize, Serialize};

use super::{AccountRef, AccountState, DevicePrompt};
use crate::error::ErrorCode;

/// `GET /v1/prompts`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Prompts {
    /// Prompts pending now, oldest first.
    pub prompts: Vec<DevicePrompt>,
}

/// One line of `GET /v1/events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A prompt appeared; those pending when the stream opens come first.
    PromptStarted(Box<DevicePrompt>),
    /// A prompt ended.
    PromptEnded {
        /// Which.
        id: String,
        /// `signed_in`, or the error code it ended with.
        outcome: String,
    },
    /// An account appeared, changed its state, or was signed out.
    AccountChanged {
        /// Which.
        account: AccountRef,
        /// Its profile.
        profile: String,
        /// Its state; absent once signed out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<AccountState>,
    },
    /// The reader was too slow and missed some; ask `/v1/prompts` and `/v1/accounts`.
    Lagged {
        /// How many were missed.
        missed: u64,
    },
    /// A kind of a newer daemon: to be ignored.
    #[serde(other)]
    Unknown,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime: u64,
    /// Where grants are kept, and for how long.
    pub store: StoreStatus,
    /// The configuration file and whether it is in force.
    pub configuration: ConfigurationStatus,
    /// The profiles in force.
    pub profiles: Vec<ProfileSummary>,
    /// How many accounts there are, whatever their state.
    pub accounts: usize,
    /// Acquisitions in the air: refreshes and device flows.
    pub flights: Vec<FlightSummary>,
    /// What the user should know: repaired indexes, unsaved grants, a store that does not last.
    #[serde(default)]
    pub notices: Vec<String>,
}

/// Where grants are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `keyring`, `kernel`, `file` or `memory`; `auto` until it is open, where the configuration names none.
    pub kind: String,
    /// How long sign-ins last there, in a sentence.
    pub durability: String,
    /// `ok`, `locked`, `unavailable` or `opening`.
    pub state: String,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What `POST /v1/store/unlock` is to be given: `passphrase`, or `new_passphrase` where none has been chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlock: Option<String>,
}

/// The configuration in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// The file looked at.
    pub path: String,
    /// Why it is not in force, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A profile, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileSummary {
    /// Its name.
    pub name: String,
    /// `entra`, `github`, `google`, `okta`, `auth0`, `keycloak`, `gitlab`, `adfs` or `oidc`.
    pub provider: String,
    /// The issuer or authority.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// Its default scopes.
    pub scopes: Vec<String>,
    /// Whether it is the default profile.
    pub default: bool,
    /// The proxy its requests go through. Absent from a daemon that does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySummary>,
    /// The CA certificates trusted beside the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// How a profile's provider is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProxySummary {
    /// Where it was found: `configuration`, `environment`, `system`, or `none` if there is no proxy.
    pub from: String,
    /// `http://host:port`, without user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why what was found is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An acquisition in the air.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlightSummary {
    /// `refresh` or `device_code`.
    pub kind: String,
    /// The profile.
    pub profile: String,
    /// The account, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How many callers wait for it.
    pub waiters: usize,
}

/// `POST /v1/probe`: a provider to try, by profile or before there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeRequest {
    /// A profile of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Or a provider, as in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What to call the provider's profile-to-be in the findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// With its issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Or tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Or authority: of AD FS, of a GitHub server, of a cloud of Entra.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Or cloud of Entra, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// Or endpoints, for a provider without discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// The other one that a device flow needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// The CA certificates to trust beside the platform's: an absolute path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The proxy to go through, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// `GET /v1/doctor` and `POST /v1/probe`: findings, best news first within each.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Whether every finding is good.
    pub ok: bool,
    /// One a check.
    pub findings: Vec<Finding>,
}

/// One check's outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked, for instance `store` or `discovery`.
    pub check: String,
    /// What it was checked on: a profile, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Whether it is well.
    pub ok: bool,
    /// What went wrong, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorCode>,
    /// One line of what was found.
    pub detail: String,
    /// One line of what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// `POST /v1/reload`: what the configuration now is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// Profiles that changed; their cached tokens were dropped.
    pub changed: Vec<String>,
    /// Profiles in force.
    pub profiles: Vec<String>,
}
