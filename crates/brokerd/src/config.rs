//! The configuration: read, checked, and turned into profiles whose every field is good.
//!
//! `docs/CONFIG.md` is the reference. A file that is not right in every line is not in force at all, and the daemon goes
//! on without it: refusing to start would loop under socket activation.

mod file;
mod host;
mod keys;
mod profile;
mod prompt;
mod socket;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

#[cfg(windows)]
pub(crate) use self::file::check_secret;
pub(crate) use self::file::{open_file, read};
pub use self::host::Host;
use self::host::RawHost;
pub(crate) use self::keys::{PROFILE as PROFILE_KEYS, nearest};
use self::profile::RawProfile;
pub use self::profile::{Authority, HttpProxy, Profile, Proxy, Silent, Transport};
use self::prompt::RawPrompt;
use self::socket::RawSocket;
pub use self::socket::{Relay, Socket};
use crate::store::StoreConfig;

/// What to do where there is no profile yet.
pub(crate) const FIRST_PROFILE: &str =
    "run brokerctl login, which asks what to sign in to, or brokerctl profile add; docs/CONFIG.md has examples";

/// A configuration that is good throughout.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The profile of requests that name none.
    pub default_profile: Option<String>,
    /// Where grants are kept. Read once, at start.
    pub store: StoreConfig,
    /// By name.
    pub profiles: BTreeMap<String, Arc<Profile>>,
    /// Which profile is for whom; the first that fits counts.
    pub hosts: Vec<Host>,
    /// The command that raises a prompt; empty: there is none.
    pub prompt_command: Vec<String>,
    /// Restricted endpoints.
    pub sockets: Vec<Socket>,
}

/// What is wrong with the configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", path.display(), line.map(|line| format!(" line {line}")).unwrap_or_default())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, where it is about one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawConfig {
    default_profile: Option<String>,
    #[serde(default)]
    store: StoreConfig,
    #[serde(default)]
    profiles: BTreeMap<String, RawProfile>,
    #[serde(default)]
    hosts: Vec<RawHost>,
    #[serde(default)]
    prompt: RawPrompt,
    #[serde(default)]
    sockets: Vec<RawSocket>,
}

impl Config {
    /// Reads and checks a file. Files it names (secrets, CAs) are read as well. No file is an error: there is nothing to
    /// sign in to then.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = file::read(path)?;
        let config = Self::parse(path, &text)?;
        if config.profiles.values().any(|profile| profile.transport.has_secret())
            && let Err(why) = file::check_private(path)
        {
            let message = format!("there is a proxy's password in it, and {why}");
            return Err(ConfigError { path: path.into(), line: None, message, hint: "run: chmod 600 on it".into() });
        }
        Ok(config)
    }

    /// Whether requests that name no profile mean this one.
    pub(crate) fn is_default(&self, name: &str) -> bool {
        self.default_profile.as_deref() == Some(name) || self.profiles.len() == 1
    }

    /// Checks a configuration's text; `path` is for messages and for relative paths in it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let at =
            |line, message: String, hint: &str| ConfigError { path: path.into(), line, message, hint: hint.into() };
        let syntax = |error: toml::de::Error, key: Option<String>| {
            let line = error.span().map(|span| keys::line_of(text, span.start));
            let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
            at(line, format!("{key}{}", error.message()), "mend the line; docs/CONFIG.md has every key")
        };
        let table = toml::de::DeTable::parse(text).map_err(|error| syntax(error, None))?;
        keys::check(&table, text).map_err(|unknown| at(Some(unknown.line), unknown.message, &unknown.hint))?;
        let raw: RawConfig = toml::from_str(text).map_err(|error| {
            let key = error.span().and_then(|span| keys::key_at(table.get_ref(), span.start));
            syntax(error, key)
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut profiles = BTreeMap::new();
        for (name, raw) in raw.profiles {
            let profile = Profile::build(&name, raw, directory).map_err(|wrong| {
                let line = keys::line_of_key(&table, text, &["profiles", &name], &wrong.message);
                at(line, format!("profile {name:?}: {}", wrong.message), wrong.hint)
            })?;
            profiles.insert(name, Arc::new(profile));
        }
        if let Some(name) = &raw.default_profile
            && !profiles.contains_key(name)
        {
            let message = format!("default_profile is {name:?}, and there is no [profiles.{name}]");
            let line = keys::line_of_key(&table, text, &[], &message);
            return Err(at(line, message, "name one of the profiles of the file"));
        }
        let mut config = Self { default_profile: raw.default_profile, store: raw.store, profiles, ..Self::default() };
        config.prompt_command = raw.prompt.command().map_err(|why| {
            let line = keys::line_of_key(&table, text, &["prompt"], why);
            at(line, format!("[prompt]: {why}"), "name a program, or leave it out")
        })?;
        for (index, raw) in raw.hosts.into_iter().enumerate() {
            let line = keys::line_of_item(&table, text, "hosts", index);
            let host = Host::build(raw).and_then(|host| config.suits(&host).map(|()| host));
            config.hosts.push(host.map_err(|why| at(line, format!("[[hosts]]: {why}"), HOSTS_HINT))?);
        }
        for (index, raw) in raw.sockets.into_iter().enumerate() {
            let line = keys::line_of_item(&table, text, "sockets", index);
            let socket = Socket::build(raw, directory).and_then(|socket| config.fits(&socket).map(|()| socket));
            config.sockets.push(socket.map_err(|why| at(line, format!("[[sockets]]: {why}"), HOSTS_HINT))?);
        }
        Ok(config)
    }

    fn knows(&self, profile: &str) -> Result<(), String> {
        let missing = || format!("there is no [profiles.{profile}]");
        self.profiles.contains_key(profile).then_some(()).ok_or_else(missing)
    }

    fn suits(&self, host: &Host) -> Result<(), String> {
        self.knows(&host.profile)?;
        let profile = self.profiles.get(&host.profile);
        let has_tenants = profile.is_some_and(|profile| matches!(profile.authority, Authority::Entra { .. }));
        match &host.tenant {
            Some(tenant) if !has_tenants => {
                Err(format!("tenant {tenant:?}: profile {} is not of provider entra, which has tenants", host.profile))
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, socket: &Socket) -> Result<(), String> {
        if self.sockets.iter().any(|other| other.path == socket.path) {
            return Err(format!("{} stands there twice", socket.path.display()));
        }
        socket.profiles.iter().try_for_each(|profile| self.knows(profile))
    }
}

const HOSTS_HINT: &str = "docs/CONFIG.md has the keys";

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
default_profile = "work"

[store]
kind = "memory"

[profiles.work]
provider  = "entra"
tenant    = "contoso.onmicrosoft.com"
client_id = "11111111-2222-3333-4444-555555555555"
scopes    = ["User.Read"]

[profiles.sso]
issuer    = "https://sso.example.com/realms/main"
client_id = "cli"
scopes    = ["openid", "profile", "offline_access"]
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let file = if cfg!(windows) { r"C:\config.toml" } else { "/etc/config.toml" };
        Config::parse(Path::new(file), text)
    }

    #[test]
    fn the_documented_example_is_good() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.profiles.keys().collect::<Vec<_>>(), ["sso", "work"]);
        assert_eq!(config.profiles["work"].issuer(), "https://login.microsoftonline.com/contoso.onmicrosoft.com");
        assert_eq!(config.default_profile.as_deref(), Some("work"));
    }

    /// Each row: what to replace in the good file, by what, and what the error must name.
    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (from, to, line, named) in [
            ("client_id = \"cli\"", "clientid = \"cli\"", Some(15), "client_id"),
            ("[store]", "[stor]", Some(4), "store"),
            ("kind = \"memory\"", "kind = \"vault\"", Some(5), "vault"),
            ("default_profile = \"work\"", "default_profile = \"wrk\"", Some(2), "wrk"),
            ("default_profile", "default-profile", Some(2), "default_profile"),
            ("provider  = \"entra\"", "provider = \"azure\"", Some(8), "azure"),
            ("tenant    = \"contoso.onmicrosoft.com\"", "", Some(7), "tenant"),
            ("tenant    = \"contoso.onmicrosoft.com\"", "tenant = \"a/b\"", Some(9), "a/b"),
            ("https://sso.example.com", "http://sso.example.com", Some(14), "https"),
            ("issuer    = \"https://sso.example.com/realms/main\"", "", Some(13), "issuer"),
            ("client_id = \"cli\"", "", Some(13), "client_id"),
            ("client_id = \"cli\"", "client_id = 7", Some(15), "profiles.sso.client_id: invalid type"),
            ("[profiles.sso]", "[hosts]\n[profiles.sso]", Some(13), "hosts: invalid type"),
            (
                "[profiles.sso]",
                "[profiles]\nx = 7\n[profiles.sso]",
                Some(14),
                "profiles.x: invalid type: integer `7`, expected a table",
            ),
            ("client_id = \"cli\"", "client_id = \"cli\"\nresource = \"files\"", Some(16), "files"),
            ("client_id = \"cli\"", "client_id = \"cli\"\nclient_capabilities = [\"CP1\"]", Some(16), "entra"),
            ("client_id = \"cli\"", "client_id = \"cli\"\nshare_family = true", Some(16), "share_family"),
            ("scopes    = [\"User.Read\"]", "client_capabilities = [\"CP1 \"]", Some(11), "CP1 "),
            ("scopes    = [\"User.Read\"]", "scopes = [\"a b\"]", Some(11), "a b"),
            ("scopes    = [\"User.Read\"]", "scopes = [\n7]", Some(12), "profiles.work.scopes: invalid type"),
            ("client_id = \"cli\"", "client_id = \"cli", Some(15), "string"),
            ("[profiles.sso]", "[profiles.\"a b\"]", Some(13), "a b"),
            (
                "[profiles.sso]",
                "[[hosts]]\nmatch = \"x.test\"\nprofile = \"sso\"\n[[hosts]]\n[profiles.sso]",
                Some(16),
                "hosts: missing field `match`",
            ),
            ("[profiles.sso]", "[[hosts]]\nmatch = \"x y\"\nprofile = \"sso\"\n[profiles.sso]", Some(13), "x y"),
            ("[profiles.sso]", "[[hosts]]\nmatch = \"x\"\nprofile = \"off\"\n[profiles.sso]", Some(13), "off"),
            (
                "[profiles.sso]",
                "[[hosts]]\nmatch = \"x\"\nprofile = \"sso\"\ntenant = \"t\"\n[profiles.sso]",
                Some(13),
                "entra",
            ),
            (
                "[profiles.sso]",
                "[[hosts]]\nmatch = \"x\"\nprofile = \"work\"\ntenant = \"a b\"\n[profiles.sso]",
                Some(13),
                "a b",
            ),
            ("[profiles.sso]", "[[hosts]]\nmatch = \"x\"\nprofil = \"sso\"\n[profiles.sso]", Some(15), "profile"),
            ("[profiles.sso]", "[[sockets]]\npath = \"s\"\nprofiles = []\n[profiles.sso]", Some(13), "profiles"),
            ("[profiles.sso]", "[[sockets]]\npath = \"s\"\nprofiles = [\"off\"]\n[profiles.sso]", Some(13), "off"),
            ("[profiles.sso]", "[prompt]\ncommand = []\n[profiles.sso]", Some(14), "empty"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = parse(&GOOD.replace(from, to)).unwrap_err();
            assert_eq!(error.line, line, "{to}: {error}");
            let told = format!("{error}; {}", error.hint);
            assert!(told.contains(named) && !error.hint.is_empty(), "{to}: {told}");
        }
    }

    #[test]
    fn explicit_endpoints_need_no_discovery() {
        let config = parse(
            r#"
[profiles.p]
client_id = "cli"
token_endpoint = "https://a.example/token"
device_authorization_endpoint = "https://a.example/device"
"#,
        )
        .unwrap();
        let Authority::Explicit { endpoints, .. } = &config.profiles["p"].authority else { panic!("not explicit") };
        assert_eq!(endpoints.token.as_str(), "https://a.example/token");
    }

    #[test]
    fn an_empty_file_is_a_configuration_without_profiles() {
        assert!(parse("").unwrap().profiles.is_empty());
    }
}
