//! The programs that helpers are for, each with its own way of asking, against a server that wants what they bring.
//!
//! `docs/HELPERS.md` lists what was seen here. A program that the machine does not have is on record as skipped.

mod azure;
mod cargo;
mod containers;
mod git;
#[cfg(target_os = "linux")]
mod google;
mod kubernetes;
mod languages;
mod mail;
mod npm;
mod python;
mod ssh;
mod terraform;

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use support::processes::{Daemon, Output, binaries};
use support::resource::Resource;
use tokio::process::Command;
use tokio::time;

use crate::stage::{PATIENCE, Stage};

/// The names that programs find helpers by; `az`, `azd` and `keyring` stand apart, as the document has it.
const LINKS: [&str; 10] = [
    "apart/az",
    "apart/azd",
    "apart/keyring",
    "bazel-credential-brokerd",
    "cargo-credential-brokerd",
    "docker-credential-brokerd",
    "git-credential-brokerd",
    "kubectl-credential-brokerd",
    "npm-credential-brokerd",
    "terraform-credentials-brokerd",
];

/// A desk to work at: a daemon that somebody is signed in with, and the helpers' links in `PATH`.
struct Desk {
    stage: Stage,
    _daemon: Daemon,
    /// The first token.
    token: String,
}

impl Desk {
    /// Sets it up at a stage, with tables beside those of the profile `work`.
    async fn at(stage: Stage, tables: &str) -> Self {
        link(&stage);
        let daemon = daemon(&stage, tables).await;
        let token = stage.sign_in("alice").await;
        Self { stage, _daemon: daemon, token }
    }
}

/// Starts a daemon with these tables beside those of the profile `work`.
async fn daemon(stage: &Stage, tables: &str) -> Daemon {
    Daemon::start(&stage.home, &(stage.config() + tables)).await
}

/// Makes the links.
fn link(stage: &Stage) {
    let links = links(stage);
    std::fs::create_dir_all(links.join("apart")).expect("a directory");
    for name in LINKS {
        symlink(&binaries().brokerctl, links.join(name)).expect("a link");
    }
}

/// Returns the `[[hosts]]` entry for a server of this test.
fn host(server: &Resource) -> String {
    format!("[[hosts]]\nmatch = \"127.0.0.1:{}\"\nprofile = \"work\"\nusername = \"token\"\n", server.port())
}

/// Returns the directory of the links.
fn links(stage: &Stage) -> PathBuf {
    stage.home.path().join("links")
}

/// Returns a command of a user at this stage, whose `PATH` has the links first.
fn command(stage: &Stage, program: impl AsRef<OsStr>) -> Command {
    let mut command = stage.home.command(Path::new(program.as_ref()));
    let links = links(stage).display().to_string();
    command.env("PATH", format!("{links}:{links}/apart:/usr/local/bin:/usr/bin:/bin"));
    command.env("BROKERD_SOCKET", stage.home.socket()).stdin(Stdio::null());
    command
}

/// Runs it to its end. No secret may stand in what it says but an access token, where that is what was wanted of it.
async fn finish(stage: &Stage, mut command: Command) -> Output {
    let ended = time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    stage.home.canary().check("stdout", &ended.stdout, &["access_token", "id_token"]);
    stage.home.canary().check("stderr", &ended.stderr, &["user_code"]);
    Output { code: ended.status.code(), stdout: text(ended.stdout), stderr: text(ended.stderr) }
}

/// Returns a program of `tests/real/python`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real/python").join(name)
}

/// What is pinned is what the document says was seen.
#[test]
fn the_document_names_the_versions_that_are_pinned() {
    let pinned = std::fs::read_to_string(script("requirements.txt")).expect("the lock file");
    let document = script("../../../docs/HELPERS.md");
    let document = std::fs::read_to_string(document).expect("the document");
    let seen = |name: &str, version: &str| {
        let row = document.lines().find(|line| line.starts_with(&format!("| {name} ")));
        assert!(row.is_some_and(|row| row.contains(&format!("| {version} |"))), "{name} is {version} now: {row:?}");
    };
    let pnpm = std::fs::read(script("../pnpm/package.json")).expect("the manifest");
    let pnpm: serde_json::Value = serde_json::from_slice(&pnpm).expect("JSON");
    seen("pnpm", pnpm["dependencies"]["pnpm"].as_str().expect("a version"));
    for name in ["azure-identity", "google-auth", "kubernetes", "pip", "uv"] {
        let version = pinned.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=="));
        let version = version.and_then(|version| version.split(' ').next()).expect("it is pinned");
        seen(name, version);
    }
}
