//! What `brokerctl profile` asks of `brokerd --edit-config`, and what that answers.
//!
//! This is not `LocalAPI`: the configuration decides where refresh tokens are sent, and whoever may only reach the socket has no
//! business in it. The request is one JSON object on stdin; the answer, on stdout, is one of the types below with exit code 0, else
//! an [`ErrorBody`](crate::error::ErrorBody) with its exit code.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::ProfileSummary;

/// What to do with the configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum ConfigEdit {
    /// List the profiles: [`ListedProfiles`].
    List,
    /// Show what is in force for one: [`ShownProfile`].
    Show {
        /// Which; the default profile if there is none here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
    },
    /// Add or replace one: [`AddedProfile`].
    Add(AddProfile),
    /// Remove one: [`RemovedProfile`].
    Remove {
        /// Which.
        profile: String,
    },
}

/// A profile to write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddProfile {
    /// Its name.
    pub profile: String,
    /// Its keys and values, as `docs/CONFIG.md` has them.
    pub settings: Map<String, Value>,
    /// Whether one of that name may be replaced; what is not in `settings` is gone then.
    pub replace: bool,
    /// Whether it becomes the default profile.
    pub default: bool,
    /// Whether only to say whether it could be done.
    pub dry_run: bool,
}

/// The profiles of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedProfiles {
    /// The file.
    pub path: String,
    /// By name.
    pub profiles: Vec<ProfileSummary>,
}

/// One profile, as brokerd would use it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownProfile {
    /// The file.
    pub path: String,
    /// The profile's name.
    pub profile: String,
    /// Whether requests that name none mean this one.
    pub default: bool,
    /// Every key with the value in force. No secret: of a proxy's address, user and password are left out.
    pub settings: Map<String, Value>,
    /// The keys that stand in the file; the others are by default, by the provider, or follow.
    pub in_file: Vec<String>,
}

/// A profile that was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddedProfile {
    /// The file.
    pub path: String,
    /// The profile.
    pub profile: ProfileSummary,
    /// Whether there was one of that name.
    pub replaced: bool,
    /// Whether a client secret has to be put into the keyring before it can be used.
    pub wants_client_secret: bool,
    /// Whether it is of another client or issuer than the one that it replaces, so that nobody can use or revoke what was signed in under that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_another: bool,
    /// The profile that was the default as the only one, if there is no default any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_default_after: Option<String>,
}

/// A profile that was removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemovedProfile {
    /// The file.
    pub path: String,
    /// The profile's name.
    pub profile: String,
    /// Whether it was the default profile; there is none now.
    pub was_default: bool,
}
