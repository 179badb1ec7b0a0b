//! Kubernetes' own clients, which run a helper as an exec plugin and show its token to the API.

use std::path::{Path, PathBuf};

use anyhow::Result;
use support::fake_as::Ca;
use support::processes::{Output, binaries};
use support::resource::{Answer, Asked, Resource, answer};

use super::{Desk, command, daemon, finish, link, script};
use crate::real_parts::{part, skip};
use crate::stage::Stage;

/// Both versions of `ExecCredential` that are in use.
const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// An API server as far as these clients look, which wants a token.
async fn api(stage: &Stage, ca: &Ca) -> Resource {
    let tokens = stage.server.clone();
    let api = Resource::https(ca, move |asked: Asked| {
        let welcome = asked.bearer().is_some_and(|token| tokens.access_token(token).is_some());
        async move { if welcome { serve(asked.uri.path()) } else { status(401, "Unauthorized") } }
    });
    api.await.expect("a server")
}

fn serve(path: &str) -> Answer {
    let json = |text: &str| answer(200, "application/json", text.to_owned());
    match path {
        "/api" => json(r#"{"kind":"APIVersions","versions":["v1"]}"#),
        "/apis" => json(r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#),
        "/api/v1" => json(
            r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"namespaces","singularName":"namespace",
                "namespaced":false,"kind":"Namespace","verbs":["get","list"]}]}"#,
        ),
        "/api/v1/namespaces" => json(
            r#"{"kind":"NamespaceList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"blue"},"spec":{},
                "status":{"phase":"Active"}}]}"#,
        ),
        _ => status(404, "NotFound"),
    }
}

fn status(code: u16, reason: &str) -> Answer {
    let body = format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","reason":"{reason}","code":{code}}}"#
    );
    answer(code, "application/json", body)
}

/// Writes a kubeconfig with this version of the plugin's words and these arguments for it.
fn kubeconfig(stage: &Stage, api: &Resource, version: &str, arguments: &str) -> PathBuf {
    let ca = stage.home.path().join("ca.pem");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {{cluster: k, user: me}}\n\
         clusters:\n- name: k\n  cluster: {{server: 'https://localhost:{port}', certificate-authority: {ca}}}\n\
         users:\n- name: me\n  user:\n    exec:\n      apiVersion: {version}\n      command: {command}\n      \
         args: [{arguments}]\n      interactiveMode: IfAvailable\n      provideClusterInfo: true\n",
        port = api.port(),
        ca = ca.display(),
        command = binaries().brokerctl.display(),
    );
    stage.home.write("kubeconfig", text.as_bytes()).expect("a file")
}

/// A client, and how it is asked for the namespaces.
struct Client {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Client {
    /// Returns those this machine has; what it has not is on record.
    async fn all(test: &str) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        if let Some(python) = part("BROKERD_TEST_PYTHON", test)? {
            let arguments = vec!["-B".to_owned(), script("kube.py").display().to_string()];
            found.push(Self { name: "Python", program: python.join("python"), arguments });
        }
        match kubectl().await {
            Some(program) => {
                let arguments = "get namespaces --output name --request-timeout 10s --kubeconfig".split(' ');
                found.push(Self { name: "kubectl", program, arguments: arguments.map(str::to_owned).collect() });
            }
            None => skip(test, "no kubectl here is 1.22 or later, which knows ExecCredential v1")?,
        }
        Ok(found)
    }

    async fn namespaces(&self, stage: &Stage, kubeconfig: &Path) -> Output {
        let mut command = command(stage, &self.program);
        command.args(&self.arguments).arg(kubeconfig);
        finish(stage, command).await
    }
}

/// Returns kubectl, if it is new enough.
async fn kubectl() -> Option<PathBuf> {
    let path =
        ["/usr/local/bin/kubectl", "/usr/bin/kubectl"].map(PathBuf::from).into_iter().find(|path| path.exists())?;
    let output = tokio::process::Command::new(&path).args(["version", "--client", "--output", "json"]).output().await;
    let version: serde_json::Value = serde_json::from_slice(&output.ok()?.stdout).ok()?;
    let minor = version["clientVersion"]["minor"].as_str()?.trim_end_matches('+').parse::<u32>().ok()?;
    (minor >= 22).then_some(path)
}

#[tokio::test]
async fn each_client_shows_the_token_to_the_api() -> Result<()> {
    let test = "real_clients::kubernetes::each_client_shows_the_token_to_the_api";
    let (stage, ca) = (Stage::new().await, Ca::new());
    stage.home.write("ca.pem", ca.pem().as_bytes())?;
    let api = api(&stage, &ca).await;
    // The cluster's address decides, as the plugin is told it.
    let hosts = format!("[[hosts]]\nmatch = \"localhost:{}\"\nprofile = \"work\"\n", api.port());
    let desk = Desk::at(stage, &hosts).await;
    for client in Client::all(test).await? {
        for version in VERSIONS {
            for arguments in ["helper, kubernetes", "helper, kubernetes, --profile, work"] {
                let config = kubeconfig(&desk.stage, &api, version, arguments);
                let output = client.namespaces(&desk.stage, &config).await;
                let name = output.stdout.trim_end().trim_start_matches("namespace/");
                assert_eq!((output.code, name), (Some(0), "blue"), "{} {version}: {output:?}", client.name);
                let log = api.log();
                let last = log.last().expect("a request");
                assert_eq!(last.uri.path(), "/api/v1/namespaces", "{} {version}", client.name);
                assert_eq!(last.bearer(), Some(desk.token.as_str()), "{} {version}", client.name);
            }
        }
    }
    desk.stage.home.canary().check_directory(&desk.stage.home.path().join(".kube"));
    Ok(())
}

#[tokio::test]
async fn without_brokerd_or_a_sign_in_each_client_says_why() -> Result<()> {
    let test = "real_clients::kubernetes::without_brokerd_or_a_sign_in_each_client_says_why";
    let (stage, ca) = (Stage::new().await, Ca::new());
    stage.home.write("ca.pem", ca.pem().as_bytes())?;
    let api = api(&stage, &ca).await;
    let config = kubeconfig(&stage, &api, VERSIONS[0], "helper, kubernetes, --profile, work");
    link(&stage);
    let clients = Client::all(test).await?;
    let fails = async |why: &str| {
        for client in &clients {
            let output = client.namespaces(&stage, &config).await;
            let told = format!("{}{}", output.stdout, output.stderr);
            assert!(output.code != Some(0) && told.contains(why), "{}: {output:?}", client.name);
        }
    };
    fails("brokerd is not running").await;
    let _daemon = daemon(&stage, "").await;
    fails("brokerctl login").await;
    assert!(api.log().iter().all(|asked| asked.bearer().is_none()), "{:?}", api.log());
    Ok(())
}
