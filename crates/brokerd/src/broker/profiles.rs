//! The profiles in force, and how a new configuration takes their place.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use broker_ipc::api::Reloaded;
use broker_ipc::error::{ErrorBody, ErrorCode};

use super::Broker;
use crate::account::Command;
use crate::config::{Config, ConfigError, Host};
use crate::provider::{Gates, Provider};
use crate::store::StoreConfig;

/// The profiles in force.
pub(crate) struct Profiles {
    pub(crate) default: Option<String>,
    pub(crate) providers: BTreeMap<String, Arc<Provider>>,
    /// Why the file is not in force, if it is not.
    pub(crate) error: Option<ConfigError>,
    /// The file's `[store]` table.
    pub(crate) store: StoreConfig,
    /// Which profile is for whom.
    pub(crate) hosts: Vec<Host>,
    /// The command that raises a prompt, if there is one.
    pub(crate) prompt_command: Vec<String>,
}

impl Profiles {
    /// None yet.
    pub(super) fn none(store: StoreConfig) -> Self {
        Self {
            default: None,
            providers: BTreeMap::new(),
            error: None,
            store,
            hosts: Vec::new(),
            prompt_command: Vec::new(),
        }
    }
}

impl Broker {
    pub(crate) fn profiles(&self) -> Arc<Profiles> {
        Arc::clone(&self.profiles.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The provider of a profile.
    pub(crate) fn provider(&self, profile: Option<&str>) -> Result<Arc<Provider>, ErrorBody> {
        let profiles = self.profiles();
        let names = || profiles.providers.keys().map(String::as_str).collect::<Vec<_>>();
        if profiles.providers.is_empty() {
            return Err(match &profiles.error {
                Some(error) => {
                    ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint.clone())
                }
                None => ErrorBody::new(
                    ErrorCode::Configuration,
                    format!("{}: there is no profile in it", self.config_file.display()),
                )
                .with_hint(crate::config::FIRST_PROFILE),
            });
        }
        let Some(name) = profile.or(profiles.default.as_deref()) else {
            return match profiles.providers.values().next() {
                Some(only) if profiles.providers.len() == 1 => Ok(Arc::clone(only)),
                _ => Err(ErrorBody::new(
                    ErrorCode::ProfileRequired,
                    format!("which profile? there are: {}", names().join(", ")),
                )
                .with_hint("name one, or set default_profile in the configuration")),
            };
        };
        profiles.providers.get(name).cloned().ok_or_else(|| {
            let hint = match crate::config::nearest(name, &names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("there are: {}", names().join(", ")),
            };
            ErrorBody::new(ErrorCode::UnknownProfile, format!("there is no profile {name:?}")).with_hint(hint)
        })
    }

    /// The variables about proxies and certificates that are set: names only.
    pub(crate) fn variables(&self) -> &[&'static str] {
        self.outbound.variables()
    }

    /// A provider made for a probe; nothing else uses it.
    pub(crate) fn probe_provider(&self, profile: Arc<crate::config::Profile>) -> Provider {
        Provider::new(profile, self.outbound.clone(), Gates::default(), self.clock, self.vault.clone())
    }

    /// Reads the configuration again. A file that is not right leaves the old one in force.
    pub fn reload(self: &Arc<Self>) -> Result<Reloaded, ErrorBody> {
        let _reloading = self.manager.reloading();
        // Certificates are read anew as well, the system's among them.
        self.outbound.begin_anew();
        self.gates.try_again();
        let config = Config::load(&self.config_file).and_then(|config| self.of_this_store(config));
        let refused = config.as_ref().err().cloned();
        let changed = self.put_in_force(config);
        match refused {
            Some(error) => Err(ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint)),
            None => Ok(Reloaded { changed, profiles: self.profiles().providers.keys().cloned().collect() }),
        }
    }

    /// A file that was unreadable at the start could not say which store it meant. In another one, nobody would be signed in.
    fn of_this_store(&self, config: Config) -> Result<Config, ConfigError> {
        if self.store_is_fixed || !self.profiles().providers.is_empty() || config.store == self.store_at_start {
            return Ok(config);
        }
        let message = "[store] is another than brokerd began with, when it had no configuration that is right";
        Err(ConfigError {
            path: self.config_file.clone(),
            line: None,
            message: message.into(),
            hint: "restart brokerd".into(),
        })
    }

    /// Puts a configuration in force; profiles that did not change keep their tokens and flights. Returns those that did.
    pub(super) fn put_in_force(self: &Arc<Self>, config: Result<Config, ConfigError>) -> Vec<String> {
        let old = self.profiles();
        let new = match config {
            Ok(config) => {
                let provider = |profile: Arc<crate::config::Profile>| match old.providers.get(&profile.name) {
                    Some(same) if same.profile == profile => Arc::clone(same),
                    _ => Arc::new(Provider::new(
                        profile,
                        self.outbound.clone(),
                        self.gates.clone(),
                        self.clock,
                        self.vault.clone(),
                    )),
                };
                self.sockets.send_replace(config.sockets);
                let providers = config.profiles.into_iter().map(|(name, profile)| (name, provider(profile))).collect();
                Profiles {
                    default: config.default_profile,
                    providers,
                    error: None,
                    store: config.store,
                    hosts: config.hosts,
                    prompt_command: config.prompt_command,
                }
            }
            Err(error) => {
                tracing::warn!(%error, hint = error.hint, "the configuration is not in force");
                Profiles {
                    default: old.default.clone(),
                    providers: old.providers.clone(),
                    error: Some(error),
                    store: old.store.clone(),
                    hosts: old.hosts.clone(),
                    prompt_command: old.prompt_command.clone(),
                }
            }
        };
        let is_same = |name: &String| match (old.providers.get(name), new.providers.get(name)) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        let mut changed: Vec<String> =
            old.providers.keys().chain(new.providers.keys()).filter(|name| !is_same(name)).cloned().collect();
        changed.sort();
        changed.dedup();
        *self.profiles.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        for name in &changed {
            self.sign_ins.cancel_profile(name);
            self.families.forget(name);
        }
        for card in self.accounts.cards().into_iter().filter(|card| changed.contains(&card.profile)) {
            let provider = self.profiles().providers.get(&card.profile).cloned();
            // At once, so that nobody who asks under the new profile is answered under the old one.
            if let Some(mailbox) = self.accounts.mailbox(&card.id)
                && let Some(command) = mailbox.try_send(Command::Reconfigure { provider })
            {
                // A full mailbox is drained in a moment; the task must not be left with the old profile.
                let stop = self.stop.clone();
                self.tasks.spawn(async move {
                    tokio::select! {
                        sent = mailbox.send(command) => drop(sent),
                        () = stop.cancelled() => {}
                    }
                });
            }
        }
        changed
    }
}
