//! `GET /v1/status`: what is, without asking anybody outside.

use std::sync::Arc;

use broker_ipc::api::{AccountState, ConfigurationStatus, ProfileSummary, ProxySummary, Status};

use crate::account::Description;
use crate::broker::Broker;
use crate::outbound::Source;
use crate::provider::Provider;

pub(super) async fn status(broker: &Arc<Broker>) -> Status {
    let profiles = broker.profiles();
    let summary = |name: &String, provider: &Provider| {
        let default = profiles.default.as_ref() == Some(name) || profiles.providers.len() == 1;
        ProfileSummary { proxy: Some(proxy(provider)), ..provider.profile.summary(default) }
    };
    let mut notices = broker.notices.all();
    notices.extend(broker.absent.all());
    notices.extend(broker.accounts.complaint().filter(|complaint| !notices.contains(complaint)));
    if profiles.store != broker.store_at_start {
        notices.push("[store] in the configuration is another than at the start: restart brokerd to use it".into());
    }
    let described = broker.describe().await;
    let accounts = described.len();
    let mut flights = broker.sign_ins.flights();
    for Description { account, flights: refreshes } in described {
        flights.extend(refreshes);
        if account.state != AccountState::Unsaved {
            continue;
        }
        notices.push(format!(
            "the sign-in of {} under profile {} is not saved: the keyring does not take it; it is tried again, and lost if \
             brokerd ends before",
            account.username, account.profile
        ));
    }
    Status {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        uptime: broker.started.elapsed().as_secs(),
        store: broker.vault.status(),
        configuration: ConfigurationStatus {
            path: broker.config_file.display().to_string(),
            error: profiles.error.as_ref().map(ToString::to_string),
        },
        profiles: profiles.providers.iter().map(|(name, provider)| summary(name, provider)).collect(),
        accounts,
        flights,
        notices,
    }
}

fn proxy(provider: &Provider) -> ProxySummary {
    let summary = |from: Source, address, error| ProxySummary { from: from.as_str().into(), address, error };
    match provider.proxy() {
        Ok(Some((proxy, from))) => summary(from, Some(proxy.address()), None),
        Ok(None) => summary(Source::None, None, None),
        Err(why) => summary(Source::None, None, Some(why)),
    }
}
