//! npm, which has no helper: its `.npmrc` reads what `exec` sets.

use anyhow::Result;
use serde_json::json;
use support::processes::binaries;
use support::resource::{Asked, Resource, answer, unauthorized};

use super::{Desk, command, finish};
use crate::real_parts::part;
use crate::stage::Stage;

#[tokio::test]
async fn it_shows_the_token_that_exec_put_into_its_environment() -> Result<()> {
    let test = "real_clients::npm::it_shows_the_token_that_exec_put_into_its_environment";
    if part("BROKERD_TEST_OIDC_PROVIDER", test)?.is_none() {
        return Ok(());
    }
    let desk = Desk::at(Stage::new().await, "").await;
    let token = desk.token.clone();
    let registry = Resource::http(move |asked: Asked| {
        let welcome = asked.bearer() == Some(token.as_str());
        async move {
            let package = json!({"name": "thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {
                "name": "thing", "version": "1.0.0", "dist": {"tarball": "http://127.0.0.1:1/thing.tgz", "shasum": "0"}}}});
            if welcome { answer(200, "application/json", package.to_string()) } else { unauthorized(&["Bearer"]) }
        }
    });
    let registry = registry.await?;
    let at = format!("127.0.0.1:{}/", registry.port());
    let npmrc = format!("registry=http://{at}\n//{at}:_authToken=${{NPM_TOKEN}}\nupdate-notifier=false\n");
    desk.stage.home.write(".npmrc", npmrc.as_bytes())?;
    let mut exec = command(&desk.stage, &binaries().brokerctl);
    exec.args(["exec", "work", "--env", "NPM_TOKEN", "--", "npm", "view", "thing", "version"]);
    let output = finish(&desk.stage, exec).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "1.0.0\n"), "{output:?}");
    // Nor does it stay behind in npm's own logs and cache.
    desk.stage.home.canary().check_directory(&desk.stage.home.path().join(".npm"));
    Ok(())
}
