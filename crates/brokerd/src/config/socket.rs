//! `[[sockets]]`: endpoints that give less than the user's own, for containers, other machines and whom one trusts less.

use std::path::{Path, PathBuf};

use broker_oauth::scope::{ScopeSet, is_scope_token};
use serde::Deserialize;

/// As the file has it; `keys::SOCKET` names the same fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSocket {
    path: PathBuf,
    profiles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    interaction: Relay,
    #[serde(default)]
    allow_uids: Vec<u32>,
}

/// What becomes of prompts on a restricted socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relay {
    /// There are none: `interaction_required`.
    #[default]
    Never,
    /// They go to the caller, who shows them where it is.
    Relay,
}

/// A restricted socket. Two that are equal are the same, so a reload can tell what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where it is.
    pub path: PathBuf,
    /// The profiles it serves; at least one.
    pub profiles: Vec<String>,
    /// The most a token from it may be good for; empty: whatever the profiles give.
    pub scopes: ScopeSet,
    /// What becomes of prompts.
    pub interaction: Relay,
    /// Users who may connect besides the daemon's own.
    pub allow_uids: Vec<u32>,
}

impl Socket {
    pub(super) fn build(raw: RawSocket, directory: &Path) -> Result<Self, String> {
        let path = directory.join(&raw.path);
        let wrong = |what: &str| Err(format!("{}: {what}", path.display()));
        if !path.is_absolute() || path.file_name().is_none() {
            return wrong("path is no name for a socket");
        }
        if raw.profiles.is_empty() {
            return wrong("profiles is empty: name those that it serves");
        }
        if let Some(scope) = raw.scopes.iter().find(|scope| !is_scope_token(scope)) {
            return wrong(&format!("{scope:?} is no scope"));
        }
        Ok(Self {
            profiles: raw.profiles,
            scopes: raw.scopes.into_iter().collect(),
            interaction: raw.interaction,
            allow_uids: raw.allow_uids,
            path,
        })
    }
}
