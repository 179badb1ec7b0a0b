//! The exec plugin protocol of client-go (`client.authentication.k8s.io`): kubectl, helm and the client libraries.

use serde::Deserialize;
use serde_json::json;

use super::{Asker, Target, input};
use crate::failure::Failure;
use crate::output;

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// `KUBERNETES_EXEC_INFO`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    api_version: String,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    interactive: bool,
    cluster: Option<Cluster>,
}

/// With `provideClusterInfo: true`.
#[derive(Deserialize)]
struct Cluster {
    server: String,
}

pub(super) fn run(mut asker: Asker<'_>, takes_id_token: bool) -> Result<(), Failure> {
    asker.takes_id_token = takes_id_token;
    let Info { api_version, spec } = info(std::env::var("KUBERNETES_EXEC_INFO").ok())?;
    // `interactive` speaks of stdin; where stderr is a terminal as well, the prompt is seen.
    asker.is_seen &= spec.interactive;
    let credential = match &spec.cluster {
        Some(cluster) => asker.for_target(&Target::parse(&cluster.server)?)?,
        None => asker.for_profile()?,
    };
    let mut status = json!({"token": credential.token()});
    if let Some(expires) = credential.expires_at() {
        status["expirationTimestamp"] = expires.into();
    }
    output::json(&json!({"apiVersion": api_version, "kind": "ExecCredential", "status": status}))
}

/// A client older than the variable knows v1beta1.
fn info(variable: Option<String>) -> Result<Info, Failure> {
    const NAME: &str = "Kubernetes in KUBERNETES_EXEC_INFO";
    let Some(text) = variable.filter(|text| !text.is_empty()) else {
        return Ok(Info { api_version: V1BETA1.to_owned(), spec: Spec { interactive: true, cluster: None } });
    };
    let info: Info = input::json(NAME, &text)?;
    match info.api_version.as_str() {
        V1 | V1BETA1 => Ok(info),
        _ => Err(input::malformed(NAME, "is of a version this helper does not know: it has v1 and v1beta1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_asked_for_is_the_one_answered() {
        let told = |text: &str| info(Some(text.to_owned()));
        let v1 = told(r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true,"cluster":{"server":"https://k.test:6443","certificate-authority-data":"x"}}}"#).unwrap();
        assert_eq!((v1.api_version.as_str(), v1.spec.interactive), (V1, true));
        assert_eq!(v1.spec.cluster.unwrap().server, "https://k.test:6443");
        let beta = told(r#"{"apiVersion":"client.authentication.k8s.io/v1beta1"}"#).unwrap();
        assert_eq!((beta.api_version.as_str(), beta.spec.interactive), (V1BETA1, false));
        assert_eq!(info(None).unwrap().api_version, V1BETA1);
        for bad in ["{", "[]", r#"{"apiVersion":"client.authentication.k8s.io/v2"}"#, r#"{"apiVersion":7}"#] {
            assert!(told(bad).is_err(), "{bad}");
        }
    }
}
