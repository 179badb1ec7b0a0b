//! Docker's command, and skopeo, which shares its library with podman and buildah, looking a credential up for a registry.

use std::future::{Ready, ready};
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use support::fake_as::Ca;
use support::processes::Output;
use support::resource::{Answer, Asked, Resource, answer, unauthorized};

use super::{Desk, command, daemon, finish, host, link};
use crate::real_parts::{part, skip};
use crate::stage::Stage;

/// How the registry wants the credential.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// With each request.
    Basic,
    /// Once, for a token of its own.
    TokenServer,
}

/// What a registry with one image answers, which is for those with a good token as their password.
fn registry(stage: &Stage, way: Way) -> impl Fn(Asked) -> Ready<Answer> + Clone + Send + Sync + 'static {
    let tokens = stage.server.clone();
    move |asked: Asked| {
        let good = |(user, password): (String, String)| user == "token" && tokens.access_token(&password).is_some();
        ready(serve(&asked, way, asked.basic().is_some_and(good)))
    }
}

fn serve(asked: &Asked, way: Way, welcome: bool) -> Answer {
    let json = |value: &Value| answer(200, "application/json", value.to_string());
    if way == Way::TokenServer && asked.uri.path() == "/token" {
        return if welcome { json(&json!({"token": OF_ITS_OWN})) } else { unauthorized(&["Basic realm=\"r\""]) };
    }
    let host = asked.header("host").unwrap_or_default();
    let (challenge, inside) = match way {
        Way::Basic => ("Basic realm=\"r\"".to_owned(), welcome),
        Way::TokenServer => {
            (format!("Bearer realm=\"http://{host}/token\",service=\"r\""), asked.bearer() == Some(OF_ITS_OWN))
        }
    };
    match asked.uri.path() {
        _ if !inside => unauthorized(&[&challenge]),
        "/v2/" => json(&json!({})),
        "/v2/tools/image/manifests/latest" => answer(200, MANIFEST, MANIFEST_TEXT),
        path if path.starts_with("/v2/tools/image/blobs/") => answer(200, "application/octet-stream", "{}"),
        _ => answer(404, "text/plain", "no\n"),
    }
}

const OF_ITS_OWN: &str = "the-registrys-own";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const MANIFEST_TEXT: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#;

/// Asks for the image's manifest.
async fn inspect(stage: &Stage, registry: &Resource) -> Output {
    let host = format!("127.0.0.1:{}", registry.port());
    let auth = json!({"credHelpers": {&host: "brokerd"}}).to_string();
    let auth = stage.home.write("auth.json", auth.as_bytes()).expect("a file");
    let mut skopeo = command(stage, "/usr/bin/skopeo");
    skopeo.env("REGISTRY_AUTH_FILE", auth).args(["inspect", "--raw", "--tls-verify=false"]);
    skopeo.arg(format!("docker://{host}/tools/image:latest"));
    finish(stage, skopeo).await
}

#[tokio::test]
async fn skopeo_has_its_credential_from_the_helper() -> Result<()> {
    let test = "real_clients::containers::skopeo_has_its_credential_from_the_helper";
    if part("BROKERD_TEST_SKOPEO", test)?.is_none() {
        return Ok(());
    }
    for way in [Way::Basic, Way::TokenServer] {
        let stage = Stage::new().await;
        let registry = Resource::http(registry(&stage, way)).await?;
        let desk = Desk::at(stage, &host(&registry)).await;
        let output = inspect(&desk.stage, &registry).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), MANIFEST_TEXT), "{way:?}: {output:?}");
        let shown = registry.log().iter().any(|asked| asked.basic() == Some(("token".into(), desk.token.clone())));
        assert!(shown, "{way:?}: {:?}", registry.log());
    }
    Ok(())
}

#[tokio::test]
async fn without_brokerd_it_goes_on_as_nobody() -> Result<()> {
    let test = "real_clients::containers::without_brokerd_it_goes_on_as_nobody";
    if part("BROKERD_TEST_SKOPEO", test)?.is_none() {
        return Ok(());
    }
    let stage = Stage::new().await;
    let registry = Resource::http(registry(&stage, Way::Basic)).await?;
    link(&stage);
    let away = inspect(&stage, &registry).await;
    let _daemon = daemon(&stage, &host(&registry)).await;
    let nobody = inspect(&stage, &registry).await;
    for output in [away, nobody] {
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
        assert!(
            output.stderr.contains("authentication required") || output.stderr.contains("unauthorized"),
            "{output:?}"
        );
    }
    // It is then nobody, with no password, by name.
    let nothing = |asked: &Asked| asked.basic().is_none_or(|pair| pair == (String::new(), String::new()));
    assert!(registry.log().iter().all(nothing), "{:?}", registry.log());
    Ok(())
}

/// The one command of Docker's that asks a registry itself; the others have an engine do it, with the same lookup.
#[tokio::test]
async fn docker_has_its_credential_from_the_helper_and_none_without() -> Result<()> {
    let test = "real_clients::containers::docker_has_its_credential_from_the_helper_and_none_without";
    let docker = ["/usr/local/bin/docker", "/usr/bin/docker"].into_iter().find(|path| Path::new(path).exists());
    let Some(docker) = docker else { return skip(test, "there is no docker here") };
    let stage = Stage::new().await;
    let registry = Resource::https(&Ca::new(), registry(&stage, Way::Basic)).await?;
    let host = format!("127.0.0.1:{}", registry.port());
    let config = json!({"credHelpers": {&host: "brokerd"}}).to_string();
    std::fs::create_dir(stage.home.path().join(".docker"))?;
    stage.home.write(".docker/config.json", config.as_bytes())?;
    link(&stage);
    let inspect = async || {
        let mut docker = command(&stage, docker);
        docker.args(["manifest", "inspect", "--insecure", &format!("{host}/tools/image:latest")]);
        finish(&stage, docker).await
    };
    let away = inspect().await;
    let _daemon = daemon(&stage, &super::host(&registry)).await;
    let nobody = inspect().await;
    assert!(away.code != Some(0) && nobody.code != Some(0), "{away:?} {nobody:?}");
    assert!(registry.log().iter().all(|asked| asked.basic().is_none()), "{:?}", registry.log());

    let token = stage.sign_in("alice").await;
    let output = inspect().await;
    assert!(output.code == Some(0) && output.stdout.contains("sha256:44136fa355b3"), "{output:?}");
    assert!(registry.log().iter().any(|asked| asked.basic() == Some(("token".into(), token.clone()))), "{output:?}");
    Ok(())
}
