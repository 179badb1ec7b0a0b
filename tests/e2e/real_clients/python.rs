//! pip and uv, which run a program named `keyring` for the password of an index.

use std::path::Path;

use anyhow::Result;
use support::processes::Output;
use support::resource::{Answer, Asked, Resource, answer, unauthorized};

use super::{Desk, command, daemon, finish, host, link};
use crate::real_parts::part;
use crate::stage::Stage;

const WHEEL: &str = "thing-1.0-py3-none-any.whl";
const PACK: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('thing.py', '')
    wheel.writestr('thing-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n')
    wheel.writestr('thing-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('thing-1.0.dist-info/RECORD', 'thing.py,,\\n')
";

/// An index with one package.
async fn index(stage: &Stage, python: &Path) -> Resource {
    let wheel = stage.home.path().join(WHEEL);
    let mut pack = command(stage, python.join("python"));
    pack.args(["-c", PACK]).arg(&wheel);
    let output = finish(stage, pack).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let (tokens, wheel) = (stage.server.clone(), std::fs::read(&wheel).expect("a file"));
    let index = Resource::http(move |asked: Asked| {
        let welcome = asked.basic().is_some_and(|(_, password)| tokens.access_token(&password).is_some());
        let answer = if welcome { serve(asked.uri.path(), &wheel) } else { unauthorized(&["Basic realm=\"index\""]) };
        async move { answer }
    });
    index.await.expect("a server")
}

fn serve(path: &str, wheel: &[u8]) -> Answer {
    match path.strip_prefix("/files/") {
        _ if path == "/simple/thing/" => {
            answer(200, "text/html", format!("<!doctype html><a href=\"/files/{WHEEL}\">{WHEEL}</a>"))
        }
        Some(WHEEL) => answer(200, "application/octet-stream", wheel.to_vec()),
        _ => answer(404, "text/plain", "no\n"),
    }
}

/// Has pip or uv put the package into a directory.
async fn install(stage: &Stage, python: &Path, tool: &str, index: &Resource) -> Output {
    let mut command = command(stage, python.join(if tool == "pip" { "python" } else { tool }));
    if tool == "pip" {
        command.args(["-m", "pip", "--quiet", "--isolated", "--disable-pip-version-check", "install", "--no-input"]);
        command.args(["--keyring-provider", "subprocess"]);
    } else {
        command.args(["--quiet", "--no-config", "pip", "install", "--keyring-provider", "subprocess", "--python"]);
        command.arg(python.join("python"));
    }
    command.args(["--no-deps", "--target"]).arg(stage.home.path().join(tool));
    command.args(["--index-url", &format!("http://token@127.0.0.1:{}/simple/", index.port()), "thing"]);
    finish(stage, command).await
}

#[tokio::test]
async fn pip_and_uv_install_from_an_index_that_wants_a_password() -> Result<()> {
    let test = "real_clients::python::pip_and_uv_install_from_an_index_that_wants_a_password";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    for tool in ["pip", "uv"] {
        let stage = Stage::new().await;
        let index = index(&stage, &python).await;
        let desk = Desk::at(stage, &host(&index)).await;
        let output = install(&desk.stage, &python, tool, &index).await;
        assert_eq!(output.code, Some(0), "{tool}: {output:?}");
        assert!(desk.stage.home.path().join(tool).join("thing.py").exists(), "{tool}: {output:?}");
        let log = index.log();
        assert_eq!(log.last().and_then(Asked::basic), Some(("token".into(), desk.token.clone())), "{tool}: {log:?}");
    }
    Ok(())
}

#[tokio::test]
async fn without_brokerd_or_a_sign_in_they_have_no_password() -> Result<()> {
    let test = "real_clients::python::without_brokerd_or_a_sign_in_they_have_no_password";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    let stage = Stage::new().await;
    let index = index(&stage, &python).await;
    link(&stage);
    let mut failed = Vec::new();
    for tool in ["pip", "uv"] {
        failed.push(install(&stage, &python, tool, &index).await);
    }
    let _daemon = daemon(&stage, &host(&index)).await;
    for tool in ["pip", "uv"] {
        failed.push(install(&stage, &python, tool, &index).await);
    }
    for output in failed {
        assert!(output.code != Some(0) && output.stderr.contains("401"), "{output:?}");
    }
    Ok(())
}
