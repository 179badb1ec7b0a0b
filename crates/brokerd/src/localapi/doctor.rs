//! `GET /v1/doctor` and `POST /v1/probe`: the checks that only the daemon can make, because only it looks outward.

use std::path::Path;
use std::sync::Arc;

use broker_ipc::api::{Finding, Findings, ProbeRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};

use super::parse;
use super::reply::Reply;
use crate::broker::Broker;
use crate::config::Profile;
use crate::explain;
use crate::provider::Provider;

pub(super) async fn doctor(broker: &Arc<Broker>) -> Findings {
    let profiles = broker.profiles();
    let mut findings = vec![configuration(broker), store(broker).await];
    // All at once: one provider that does not answer must not hide the others behind its timeout.
    let probes = profiles.providers.values().map(|provider| probe_profile(broker, Arc::clone(&provider.profile)));
    for found in futures_util::future::join_all(probes).await {
        findings.extend(found);
    }
    Findings { ok: findings.iter().all(|finding| finding.ok), findings }
}

pub(super) async fn probe(broker: &Arc<Broker>, body: &[u8]) -> Result<Reply, ErrorBody> {
    let request: ProbeRequest = parse(body)?;
    let profile = match &request {
        ProbeRequest { provider: None, issuer: None, tenant: None, profile } => {
            Arc::clone(&broker.provider(profile.as_deref())?.profile)
        }
        ProbeRequest { profile: Some(_), .. } => {
            return Err(ErrorBody::new(ErrorCode::BadRequest, "name a profile, or a provider to try, not both"));
        }
        ProbeRequest { provider, issuer, tenant, .. } => {
            let profile = Profile::to_probe(provider.clone(), issuer.clone(), tenant.clone());
            Arc::new(profile.map_err(|(what, hint)| ErrorBody::new(ErrorCode::Configuration, what).with_hint(hint))?)
        }
    };
    let findings = probe_profile(broker, profile).await;
    Ok(Reply::json(&Findings { ok: findings.iter().all(|finding| finding.ok), findings }))
}

fn good(check: &str, subject: &str, detail: impl Into<String>) -> Finding {
    Finding { check: check.into(), subject: subject.into(), ok: true, detail: detail.into(), hint: None }
}

fn bad(check: &str, subject: &str, body: ErrorBody) -> Finding {
    Finding { check: check.into(), subject: subject.into(), ok: false, detail: body.error_description, hint: body.hint }
}

fn configuration(broker: &Broker) -> Finding {
    let path = broker.config_file.display().to_string();
    match &broker.profiles().error {
        None => good("configuration", "", path),
        Some(error) => bad(
            "configuration",
            "",
            ErrorBody::new(ErrorCode::Configuration, error.to_string()).with_hint(error.hint.clone()),
        ),
    }
}

async fn store(broker: &Broker) -> Finding {
    match broker.vault.check().await {
        Ok(()) => {
            let status = broker.vault.status();
            good("store", "", format!("{}: written to and read back; {}", status.kind, status.durability))
        }
        Err(error) => bad("store", "", error.body()),
    }
}

/// Reads the provider's metadata anew and looks for what a device flow needs.
async fn probe_profile(broker: &Broker, profile: Arc<Profile>) -> Vec<Finding> {
    let name = profile.name.clone();
    let provider: Provider = broker.probe_provider(Arc::clone(&profile));
    match provider.probe().await {
        Err(fault) => vec![bad("provider", &name, explain::fault(&fault, &profile).body)],
        Ok(endpoints) => {
            let device = match &endpoints.device_authorization {
                Some(url) => good("device flow", &name, url.to_string()),
                None => bad(
                    "device flow",
                    &name,
                    ErrorBody::new(ErrorCode::Configuration, "the provider names no device authorization endpoint")
                        .with_hint("it does not do RFC 8628, or it must be enabled there"),
                ),
            };
            vec![good("provider", &name, format!("{} answers", profile.issuer())), device]
        }
    }
}

impl Profile {
    /// A profile to try a provider with, before there is one in the file.
    fn to_probe(
        provider: Option<String>,
        issuer: Option<String>,
        tenant: Option<String>,
    ) -> Result<Self, (String, &'static str)> {
        let mut table = toml::Table::new();
        for (key, value) in [("provider", provider), ("issuer", issuer), ("tenant", tenant)] {
            table.extend(value.map(|value| (key.to_owned(), toml::Value::String(value))));
        }
        table.insert("client_id".into(), "probe".into());
        Self::from_table(table, Path::new(""))
    }
}
