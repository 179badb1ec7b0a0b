//! cargo, with a registry that is for those with a token.

use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::processes::Output;
use support::resource::{Answer, Asked, Resource, answer};

use super::{Desk, command, daemon, finish, host, link};
use crate::stage::Stage;

/// Packs a crate, and returns the file.
async fn pack(stage: &Stage) -> Vec<u8> {
    let mut sh = command(stage, "/bin/sh");
    sh.args([
        "-c",
        "mkdir -p pack/thing-1.0.0/src && cd pack && : >thing-1.0.0/src/lib.rs \
         && printf '[package]\\nname = \"thing\"\\nversion = \"1.0.0\"\\n' >thing-1.0.0/Cargo.toml \
         && tar -czf thing.crate thing-1.0.0",
    ]);
    let output = finish(stage, sh).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    std::fs::read(stage.home.path().join("pack/thing.crate")).expect("a file")
}

/// A sparse registry with the crate in it.
async fn registry(stage: &Stage) -> Resource {
    let (tokens, package) = (stage.server.clone(), pack(stage).await);
    let registry = Resource::http(move |asked: Asked| {
        let welcome = asked.bearer().is_some_and(|token| tokens.access_token(token).is_some());
        let package = package.clone();
        async move { if welcome { serve(&asked, package) } else { answer(401, "text/plain", "who are you?\n") } }
    });
    registry.await.expect("a server")
}

fn serve(asked: &Asked, package: Vec<u8>) -> Answer {
    let host = asked.header("host").unwrap_or_default();
    match asked.uri.path() {
        "/index/config.json" => {
            let config =
                json!({"dl": format!("http://{host}/dl"), "api": format!("http://{host}"), "auth-required": true});
            answer(200, "application/json", config.to_string())
        }
        "/index/th/in/thing" => {
            let digest = Sha256::digest(&package);
            let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            let line =
                json!({"name": "thing", "vers": "1.0.0", "deps": [], "cksum": hex, "features": {}, "yanked": false});
            answer(200, "text/plain", line.to_string())
        }
        "/dl/thing/1.0.0/download" => answer(200, "application/gzip", package),
        _ => answer(404, "text/plain", "no\n"),
    }
}

/// Has cargo fetch the crate for a project, into a directory of its own.
async fn fetch(stage: &Stage, registry: &Resource) -> Output {
    let project = stage.home.path().join("project");
    std::fs::create_dir_all(project.join("src")).expect("a directory");
    std::fs::create_dir_all(project.join(".cargo")).expect("a directory");
    std::fs::write(project.join("src/lib.rs"), "").expect("a file");
    let manifest = "[package]\nname = \"project\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\nthing = { version = \"1\", registry = \"internal\" }\n\n[workspace]\n";
    std::fs::write(project.join("Cargo.toml"), manifest).expect("a file");
    let config = format!(
        "[registries.internal]\nindex = \"sparse+http://127.0.0.1:{}/index/\"\n\
         credential-provider = [\"cargo-credential-brokerd\"]\n",
        registry.port()
    );
    std::fs::write(project.join(".cargo/config.toml"), config).expect("a file");
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let beside = cargo.parent().unwrap_or(Path::new("/usr/bin")).display().to_string();
    let mut fetch = command(stage, &cargo);
    let links = super::links(stage).display().to_string();
    fetch.env("PATH", format!("{links}:{beside}:/usr/local/bin:/usr/bin:/bin"));
    fetch.env("CARGO_HOME", stage.home.path().join("cargo")).current_dir(&project).args(["fetch", "--quiet"]);
    finish(stage, fetch).await
}

#[tokio::test]
async fn it_fetches_from_a_registry_that_wants_a_token() {
    let stage = Stage::new().await;
    let registry = registry(&stage).await;
    let desk = Desk::at(stage, &host(&registry)).await;
    let output = fetch(&desk.stage, &registry).await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let log = registry.log();
    assert!(log.iter().any(|asked| asked.uri.path().starts_with("/dl/")), "{log:?}");
    let shown = log.iter().filter_map(Asked::bearer).collect::<Vec<_>>();
    assert!(shown.len() >= 3 && shown.iter().all(|token| *token == desk.token), "{log:?}");
    // cargo keeps a token no longer than it runs.
    desk.stage.home.canary().check_directory(&desk.stage.home.path().join("cargo"));
    desk.stage.home.canary().check_directory(&desk.stage.home.path().join("project"));
}

#[tokio::test]
async fn without_brokerd_or_a_sign_in_it_finds_no_token() {
    let stage = Stage::new().await;
    let registry = registry(&stage).await;
    link(&stage);
    let away = fetch(&stage, &registry).await;
    let _daemon = daemon(&stage, &host(&registry)).await;
    let nobody = fetch(&stage, &registry).await;
    for (output, why) in [(away, "brokerd is not running"), (nobody, "brokerctl login")] {
        assert_eq!(output.code, Some(101), "{output:?}");
        assert!(output.stderr.contains(why) && output.stderr.contains("no token found for `internal`"), "{output:?}");
    }
}
