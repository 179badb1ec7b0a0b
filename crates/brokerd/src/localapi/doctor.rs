//! `GET /v1/doctor` and `POST /v1/probe`: the checks that only the daemon can make, because only it looks outward.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api::{Account, AccountState, Finding, Findings, ProbeRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};
use jiff::SignedDuration;

use super::parse;
use super::reply::Reply;
use crate::broker::Broker;
use crate::config::Profile;
use crate::explain;
use crate::outbound::{DOCTOR_TRIES, Unreachable};
use crate::provider::{Fault, Provider};

/// How long one provider may take, however many exchanges that is. Whoever asks waits for it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// How far apart two clocks may be that are both right enough.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

pub(super) async fn doctor(broker: &Arc<Broker>) -> Findings {
    let profiles = broker.profiles();
    // All at once: one provider that does not answer must not hide the others behind its timeout.
    let probes = profiles.providers.values().map(|provider| probe_profile(broker, Arc::clone(&provider.profile)));
    let (store, providers) = futures_util::join!(store(broker), futures_util::future::join_all(probes));
    let mut findings = vec![configuration(broker), service(), environment(broker.variables()), store];
    findings.extend(unsaved(broker).await);
    findings.extend(providers.into_iter().flatten());
    Findings { ok: findings.iter().all(|finding| finding.ok), findings }
}

pub(super) async fn probe(broker: &Arc<Broker>, body: &[u8]) -> Result<Reply, ErrorBody> {
    let request: ProbeRequest = parse(body)?;
    let ProbeRequest { profile, .. } = &request;
    let by_name = ProbeRequest { profile: profile.clone(), ..ProbeRequest::default() };
    let profile = if request == by_name {
        Arc::clone(&broker.provider(profile.as_deref())?.profile)
    } else if profile.is_some() {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "name a profile, or a provider to try, not both"));
    } else {
        let profile = Profile::to_probe(&request);
        Arc::new(profile.map_err(|(what, hint)| ErrorBody::new(ErrorCode::Configuration, what).with_hint(hint))?)
    };
    let findings = probe_profile(broker, profile).await;
    Ok(Reply::json(&Findings { ok: findings.iter().all(|finding| finding.ok), findings }))
}

fn good(check: &str, subject: &str, detail: impl Into<String>) -> Finding {
    Finding { check: check.into(), subject: subject.into(), ok: true, error: None, detail: detail.into(), hint: None }
}

fn bad(check: &str, subject: &str, body: ErrorBody) -> Finding {
    // Who reads this has just had the doctor try.
    let hint = body.hint.map(|hint| hint.strip_suffix(DOCTOR_TRIES).map(str::to_owned).unwrap_or(hint));
    let (check, subject, detail) = (check.into(), subject.into(), body.error_description);
    Finding { check, subject, ok: false, error: Some(body.error), detail, hint }
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

/// A user service does not have the variables of the shell, which is the usual reason why a proxy "does not work".
fn environment(variables: &[&str]) -> Finding {
    let detail = if variables.is_empty() {
        "brokerd has no variable about proxies or certificates".to_owned()
    } else {
        format!("brokerd has {}", variables.join(", "))
    };
    good("environment", "", detail)
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

/// Goes the way to the provider, reads its metadata anew and looks for what a device flow needs.
async fn probe_profile(broker: &Broker, profile: Arc<Profile>) -> Vec<Finding> {
    let name = profile.name.clone();
    let provider: Provider = broker.probe_provider(Arc::clone(&profile));
    let mut findings = Vec::new();
    let looking = look(&provider, &mut findings);
    if tokio::time::timeout(PROBE_TIMEOUT, looking).await.is_err() {
        let late = Fault::from(Unreachable::new(format!("no answer in {} s", PROBE_TIMEOUT.as_secs())));
        findings.push(bad("provider", &name, explain::fault(&late, &profile).body));
    }
    findings
}

/// Adds what is found as it is found. Nothing is asked over a way that does not lead there.
async fn look(provider: &Provider, findings: &mut Vec<Finding>) {
    let profile = &provider.profile;
    let name = &profile.name;
    for step in provider.steps().await {
        match step.outcome {
            Ok(found) => findings.push(good(step.name, name, found)),
            Err(why) => {
                findings.push(bad(step.name, name, explain::fault(&Fault::from(why), profile).body));
                return;
            }
        }
    }
    match provider.probe().await {
        Err(fault) => findings.push(bad("provider", name, explain::fault(&fault, profile).body)),
        Ok(endpoints) => {
            let way = by_proxy(provider);
            findings.push(good("provider", name, format!("{} answers{way}", profile.issuer())));
            findings.push(match &endpoints.device_authorization {
                Some(url) => good("device flow", name, url.to_string()),
                None => bad(
                    "device flow",
                    name,
                    ErrorBody::new(ErrorCode::Configuration, "the provider names no device authorization endpoint")
                        .with_hint("it does not do RFC 8628, or it must be enabled there"),
                ),
            });
            findings.extend(provider.clock_ahead().map(|ahead| clock(name, ahead)));
        }
    }
}

/// What is signed against the provider's clock is not valid yet, or not any more, when this one is far off. A `Date` is as
/// old as the way here was long, and servers differ by seconds.
fn clock(name: &str, ahead: SignedDuration) -> Finding {
    let seconds = ahead.as_secs();
    let way = if seconds < 0 { "behind" } else { "ahead of" };
    if ahead.abs() <= CLOCK_TOLERANCE {
        return good("clock", name, format!("within {} s of the provider's", seconds.abs().max(1)));
    }
    let what = format!("this machine's clock is {} s {way} the provider's", seconds.abs());
    let body = ErrorBody::new(ErrorCode::Configuration, what);
    bad(
        "clock",
        name,
        body.with_hint("set it, and have it kept right: timedatectl set-ntp true, or your system's settings"),
    )
}

/// Who sees to it that brokerd runs.
fn service() -> Finding {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let detail = if set("INVOCATION_ID") {
        "brokerd is run by systemd"
    } else if set("XPC_SERVICE_NAME") {
        "brokerd is run by launchd"
    } else {
        "brokerd was started by hand, and is there as long as whatever it was started from"
    };
    good("service", "", detail)
}

/// Sign-ins that the store has not taken, and would be lost.
async fn unsaved(broker: &Arc<Broker>) -> Vec<Finding> {
    let accounts = broker.describe().await.into_iter().map(|described| described.account);
    let unsaved = accounts.filter(|account| account.state == AccountState::Unsaved);
    let finding = |account: Account| {
        let what = format!("the sign-in of {} is not saved, and lost if brokerd ends", account.username);
        let body = ErrorBody::new(ErrorCode::KeyringUnavailable, what);
        bad("account", &account.profile, body.with_hint("unlock or mend the store; saving is tried again and again"))
    };
    unsaved.map(finding).collect()
}

fn by_proxy(provider: &Provider) -> String {
    match provider.proxy() {
        Ok(Some((proxy, from))) => format!(", through the proxy {} ({})", proxy.address(), from.as_str()),
        _ => String::new(),
    }
}

impl Profile {
    /// A profile to try a provider with, before there is one in the file.
    fn to_probe(request: &ProbeRequest) -> Result<Self, (String, &'static str)> {
        // The password would be in a type that does not hide it.
        if request.proxy.as_ref().is_some_and(|proxy| proxy.contains('@')) {
            return Err(("proxy has a user or a password in it".into(), "write it into a profile, and name that"));
        }
        if request.ca_file.as_ref().is_some_and(|file| !Path::new(file).is_absolute()) {
            return Err((
                "ca_file is not an absolute path".into(),
                "brokerd runs in another directory: write it in full",
            ));
        }
        // Its fields but the name are keys of a profile.
        let table = toml::Table::try_from(request);
        let mut table = table.map_err(|error| (error.to_string(), "check the request"))?;
        table.remove("name");
        table.insert("client_id".into(), "probe".into());
        Self::from_table(request.name.as_deref().unwrap_or("probe"), table, Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_told_by_how_much_and_what_to_do() {
        for (seconds, ok, words) in [
            (0, true, "within 1 s"),
            (120, true, "within 120 s"),
            (-121, false, "121 s behind the provider's"),
            (3600, false, "3600 s ahead of the provider's"),
        ] {
            let found = clock("work", SignedDuration::from_secs(seconds));
            assert!(found.ok == ok && found.detail.contains(words), "{found:?}");
            assert_eq!(found.hint.is_some_and(|hint| hint.contains("timedatectl")), !ok);
        }
    }
}
