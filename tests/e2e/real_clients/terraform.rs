//! Terraform, which gets a module from a registry that is for those with a token.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use support::fake_as::Ca;
use support::processes::{Output, binaries};
use support::resource::{Answer, Asked, Resource, answer};

use super::{command, daemon, finish};
use crate::real_parts::skip;
use crate::stage::Stage;

const PROGRAMS: [&str; 2] = ["/usr/local/bin/terraform", "/usr/bin/terraform"];

/// A private registry with one module.
async fn registry(stage: &Stage, ca: &Ca) -> Resource {
    let mut sh = command(stage, "/bin/sh");
    sh.args(["-c", "mkdir m && echo 'output \"x\" { value = 1 }' >m/main.tf && tar -czf m.tar.gz -C m main.tf"]);
    assert_eq!(finish(stage, sh).await.code, Some(0));
    let archive = std::fs::read(stage.home.path().join("m.tar.gz")).expect("a file");
    let tokens = stage.server.clone();
    let registry = Resource::https(ca, move |asked: Asked| {
        let welcome = asked.bearer().is_some_and(|token| tokens.access_token(token).is_some());
        let answer = serve(&asked, welcome, &archive);
        async move { answer }
    });
    registry.await.expect("a server")
}

fn serve(asked: &Asked, welcome: bool, archive: &[u8]) -> Answer {
    let json = |text: &str| answer(200, "application/json", text.to_owned());
    let modules = asked.uri.path().strip_prefix("/v1/modules/tools/thing/local/");
    match (asked.uri.path(), modules) {
        ("/.well-known/terraform.json", _) => json(r#"{"modules.v1":"/v1/modules/"}"#),
        ("/m.tar.gz", _) => answer(200, "application/gzip", archive.to_vec()),
        (_, Some(_)) if !welcome => answer(401, "application/json", "{}"),
        (_, Some("versions")) => json(r#"{"modules":[{"versions":[{"version":"1.0.0"}]}]}"#),
        (_, Some("1.0.0/download")) => {
            let mut found = answer(204, "application/json", "");
            let at = format!("https://{}/m.tar.gz", asked.header("host").unwrap_or_default());
            found.headers_mut().insert("x-terraform-get", at.parse().expect("a URL"));
            found
        }
        _ => answer(404, "text/plain", "no\n"),
    }
}

/// Has Terraform set up a directory that uses the module.
async fn init(stage: &Stage, program: &str, registry: &Resource) -> Result<Output> {
    let (project, home) = (stage.home.path().join("project"), stage.home.path());
    std::fs::create_dir_all(&project)?;
    let source = format!("127.0.0.1:{}/tools/thing/local", registry.port());
    std::fs::write(
        project.join("main.tf"),
        format!("module \"thing\" {{\n  source = {source:?}\n  version = \"1.0.0\"\n}}\n"),
    )?;
    std::fs::write(home.join(".terraformrc"), "credentials_helper \"brokerd\" {}\n")?;
    let plugins = home.join(".terraform.d/plugins");
    if !plugins.exists() {
        std::fs::create_dir_all(&plugins)?;
        symlink(&binaries().brokerctl, plugins.join("terraform-credentials-brokerd"))?;
    }
    let mut terraform = command(stage, program);
    terraform.env("SSL_CERT_FILE", home.join("ca.pem")).env("CHECKPOINT_DISABLE", "1").current_dir(&project);
    terraform.args(["init", "-no-color", "-input=false"]);
    Ok(finish(stage, terraform).await)
}

#[tokio::test]
async fn it_gets_a_module_with_the_helpers_token_and_none_without() -> Result<()> {
    let test = "real_clients::terraform::it_gets_a_module_with_the_helpers_token_and_none_without";
    let Some(program) = PROGRAMS.into_iter().find(|program| Path::new(program).exists()) else {
        return skip(test, "there is no Terraform here");
    };
    let (stage, ca) = (Stage::new().await, Ca::new());
    stage.home.write("ca.pem", ca.pem().as_bytes())?;
    let registry = registry(&stage, &ca).await;
    let hosts = format!("[[hosts]]\nmatch = \"127.0.0.1:{}\"\nprofile = \"work\"\n", registry.port());
    let away = init(&stage, program, &registry).await?;
    let running = daemon(&stage, &hosts).await;
    let nobody = init(&stage, program, &registry).await?;
    for output in [away, nobody] {
        // What the helper says Terraform keeps to itself.
        assert!(output.code == Some(1) && output.stderr.contains("401 Unauthorized"), "{output:?}");
    }
    assert!(registry.log().iter().all(|asked| asked.bearer().is_none()), "{:?}", registry.log());

    let token = stage.sign_in("alice").await;
    let output = init(&stage, program, &registry).await?;
    assert_eq!(output.code, Some(0), "{output:?}");
    let shown: Vec<_> = registry.log().iter().filter_map(|asked| asked.bearer().map(str::to_owned)).collect();
    assert!(shown.len() >= 2 && shown.iter().all(|shown| *shown == token), "{:?}", registry.log());
    drop(running);
    Ok(())
}
