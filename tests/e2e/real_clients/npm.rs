//! npm, which has no helper, so that its `.npmrc` reads what `exec` sets; and pnpm, which has one.

use std::future::ready;

use anyhow::Result;
use serde_json::json;
use support::processes::{Output, binaries};
use support::resource::{Asked, Resource, answer, unauthorized};

use super::{Desk, command, daemon, finish, link, links};
use crate::real_parts::part;
use crate::stage::Stage;

/// A registry with one package, for those with a good token.
async fn registry(stage: &Stage) -> Result<Resource> {
    let tokens = stage.server.clone();
    let registry = Resource::http(move |asked: Asked| {
        let welcome = asked.bearer().is_some_and(|token| tokens.access_token(token).is_some());
        let dist = json!({"tarball": "http://127.0.0.1:1/thing.tgz", "integrity": "sha512-AA=="});
        let version = json!({"name": "thing", "version": "1.0.0", "dist": dist});
        let package = json!({"name": "thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}});
        let there = answer(200, "application/json", package.to_string());
        ready(if welcome { there } else { unauthorized(&["Bearer"]) })
    });
    Ok(registry.await?)
}

/// Writes the user's `.npmrc`: the registry, and how its token is found.
fn configure(stage: &Stage, registry: &Resource, how: &str) -> Result<()> {
    let at = format!("127.0.0.1:{}/", registry.port());
    let npmrc = format!("registry=http://{at}\n//{at}:{how}\nupdate-notifier=false\n");
    stage.home.write(".npmrc", npmrc.as_bytes())?;
    Ok(())
}

#[tokio::test]
async fn npm_shows_the_token_that_exec_put_into_its_environment() -> Result<()> {
    let test = "real_clients::npm::npm_shows_the_token_that_exec_put_into_its_environment";
    if part("BROKERD_TEST_OIDC_PROVIDER", test)?.is_none() {
        return Ok(());
    }
    let desk = Desk::at(Stage::new().await, "").await;
    let registry = registry(&desk.stage).await?;
    configure(&desk.stage, &registry, "_authToken=${NPM_TOKEN}")?;
    let mut exec = command(&desk.stage, &binaries().brokerctl);
    exec.args(["exec", "work", "--env", "NPM_TOKEN", "--", "npm", "view", "thing", "version"]);
    let output = finish(&desk.stage, exec).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "1.0.0\n"), "{output:?}");
    assert!(registry.log().iter().any(|asked| asked.bearer() == Some(desk.token.as_str())));
    // Nor does it stay behind in npm's own logs and cache.
    desk.stage.home.canary().check_directory(&desk.stage.home.path().join(".npm"));
    Ok(())
}

/// Has pnpm look the package up for a project.
async fn resolve(stage: &Stage, pnpm: &std::path::Path) -> Result<Output> {
    let project = stage.home.path().join("project");
    std::fs::create_dir_all(&project)?;
    std::fs::write(project.join("package.json"), r#"{"name":"p","version":"1.0.0","dependencies":{"thing":"1.0.0"}}"#)?;
    let mut command = command(stage, pnpm);
    command.args(["install", "--lockfile-only", "--config.fetch-retries=0"]).env("CI", "1").current_dir(&project);
    Ok(finish(stage, command).await)
}

#[tokio::test]
async fn pnpm_has_its_token_from_the_helper_and_none_without() -> Result<()> {
    let test = "real_clients::npm::pnpm_has_its_token_from_the_helper_and_none_without";
    let Some(pnpm) = part("BROKERD_TEST_PNPM", test)? else { return Ok(()) };
    let stage = Stage::new().await;
    let registry = registry(&stage).await?;
    link(&stage);
    let helper = links(&stage).join("npm-credential-brokerd");
    configure(&stage, &registry, &format!("tokenHelper={}", helper.display()))?;
    let away = resolve(&stage, &pnpm).await?;
    let _daemon = daemon(&stage, "").await;
    let nobody = resolve(&stage, &pnpm).await?;
    for output in [away, nobody] {
        assert_ne!(output.code, Some(0), "{output:?}");
    }
    assert!(registry.log().iter().all(|asked| asked.bearer().is_none()), "{:?}", registry.log());

    let token = stage.sign_in("alice").await;
    let output = resolve(&stage, &pnpm).await?;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(registry.log().last().and_then(Asked::bearer), Some(token.as_str()), "{output:?}");
    Ok(())
}
