//! git, cloning over HTTP from its own `git http-backend` behind a server that wants a token.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use support::processes::Output;
use support::resource::{Answer, Asked, Resource, answer, unauthorized};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Desk, command, daemon, finish, host, link};
use crate::real_parts::skip;
use crate::stage::Stage;

const BEARER: &str = "Bearer realm=\"code\"";
const BASIC: &str = "Basic realm=\"code\"";

/// A git of this machine.
struct Git {
    path: PathBuf,
    version: (u32, u32),
}

impl Git {
    /// Returns each one there is, and puts on record what of this test it cannot show.
    async fn all(test: &str) -> Vec<Self> {
        let mut found = Vec::new();
        for path in ["/usr/local/bin/git", "/usr/bin/git", "/bin/git"].map(PathBuf::from) {
            let Ok(output) = Command::new(&path).arg("--version").output().await else { continue };
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut numbers = told.trim_start_matches("git version ").split('.').map_while(|part| part.parse().ok());
            let version = (numbers.next().expect("a version"), numbers.next().expect("a version"));
            if found.iter().all(|git: &Self| git.version != version) {
                found.push(Self { path, version });
            }
        }
        if !found.iter().any(Self::knows_bearer) {
            skip(test, "no git here is 2.46 or later: a bearer token was not shown").expect("a record");
        }
        found
    }

    /// `authtype` came with 2.46.
    fn knows_bearer(&self) -> bool {
        self.version >= (2, 46)
    }

    /// Clones into a new directory.
    async fn clone(&self, stage: &Stage, server: &Resource, into: &Path) -> Output {
        let mut git = command(stage, &self.path);
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1");
        git.args(["-c", "credential.helper=brokerd", "clone", "--quiet"]);
        git.arg(format!("http://127.0.0.1:{}/project.git", server.port())).arg(into);
        finish(stage, git).await
    }
}

/// Makes a repository with one commit in it, and returns the directory it is in.
async fn repositories(stage: &Stage) -> PathBuf {
    let root = stage.home.path().join("repositories");
    let script = format!(
        "git init --quiet --bare -b main {root}/project.git && git init --quiet -b main w && cd w && echo hello >README \
         && git add README && git -c user.name=Ada -c user.email=ada@x.test commit --quiet -m first \
         && git push --quiet {root}/project.git main",
        root = root.display()
    );
    let mut sh = command(stage, "/bin/sh");
    sh.args(["-c", &script]);
    let output = finish(stage, sh).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    root
}

/// How the server judges who asks.
#[derive(Clone, Copy, PartialEq)]
enum Door {
    /// Tokens that the authorization server knows.
    Tokens,
    /// Nothing is right.
    Shut,
}

/// A server with the repository, the schemes it asks for, and tokens it does not take though they are good.
async fn serve(stage: &Stage, schemes: &'static [&'static str], door: Door) -> (Resource, Arc<Mutex<Vec<String>>>) {
    let root = repositories(stage).await;
    let (tokens, refused) = (stage.server.clone(), Arc::<Mutex<Vec<String>>>::default());
    let not_these = Arc::clone(&refused);
    let server = Resource::http(move |asked: Asked| {
        let token = asked.bearer().map(str::to_owned).or_else(|| Some(asked.basic()?.1));
        let good = |token: String| {
            tokens.access_token(&token).is_some() && !not_these.lock().expect("no panic").contains(&token)
        };
        let welcome = door == Door::Tokens && token.is_some_and(good);
        let root = root.clone();
        async move { if welcome { backend(&root, &asked).await } else { unauthorized(schemes) } }
    });
    (server.await.expect("a server"), refused)
}

/// What `git http-backend` says, by CGI (RFC 3875).
async fn backend(root: &Path, asked: &Asked) -> Answer {
    let mut backend = Command::new("git");
    backend.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("REQUEST_METHOD", asked.method.as_str()).env("PATH_INFO", asked.uri.path());
    backend.env("QUERY_STRING", asked.uri.query().unwrap_or_default());
    backend.env("CONTENT_LENGTH", asked.body.len().to_string());
    for (variable, header) in [
        ("CONTENT_TYPE", "content-type"),
        ("GIT_PROTOCOL", "git-protocol"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
    ] {
        backend.env(variable, asked.header(header).unwrap_or_default());
    }
    let mut running = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git http-backend");
    running.stdin.take().expect("its stdin").write_all(&asked.body).await.expect("it reads");
    let said = running.wait_with_output().await.expect("it ends").stdout;
    let end = said.windows(4).position(|at| at == b"\r\n\r\n").expect("headers");
    let head = String::from_utf8_lossy(&said[..end]).into_owned();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let status = header("Status").and_then(|status| status.get(..3)?.parse().ok()).unwrap_or(200);
    answer(status, header("Content-Type").unwrap_or("text/plain"), said[end + 4..].to_vec())
}

#[tokio::test]
async fn it_clones_with_a_bearer_token_or_with_the_token_for_a_password() {
    let test = "real_clients::git::it_clones_with_a_bearer_token_or_with_the_token_for_a_password";
    for schemes in [&[BEARER, BASIC][..], &[BASIC]] {
        let stage = Stage::new().await;
        let (server, _) = serve(&stage, schemes, Door::Tokens).await;
        let desk = Desk::at(stage, &host(&server)).await;
        for git in Git::all(test).await {
            let into = desk.stage.home.path().join(format!("clone-{}", git.version.1));
            let before = server.log().len();
            let output = git.clone(&desk.stage, &server, &into).await;
            assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{:?}: {output:?}", git.version);
            assert_eq!(std::fs::read_to_string(into.join("README")).expect("a file"), "hello\n");
            let asked = &server.log()[before..];
            // git asks without first; and where it sends a password, libcurl does so too.
            let by_bearer = schemes.contains(&BEARER) && git.knows_bearer();
            let with = asked.iter().filter(|asked| asked.header("authorization").is_some()).collect::<Vec<_>>();
            assert!(with.len() >= 2 && with.len() < asked.len(), "{:?}: {asked:?}", git.version);
            for asked in with {
                if by_bearer {
                    assert_eq!(asked.bearer(), Some(desk.token.as_str()));
                } else {
                    assert_eq!(asked.basic(), Some(("token".into(), desk.token.clone())));
                }
            }
            desk.stage.home.canary().check_directory(&into);
        }
        assert_eq!(desk.stage.refreshes(), 0, "a token at hand serves them all");
    }
}

#[tokio::test]
async fn a_refused_token_costs_one_refresh_and_the_next_command_has_another() {
    let test = "real_clients::git::a_refused_token_costs_one_refresh_and_the_next_command_has_another";
    for git in Git::all(test).await {
        let stage = Stage::new().await;
        let (server, refused) = serve(&stage, &[BEARER, BASIC], Door::Tokens).await;
        let desk = Desk::at(stage, &host(&server)).await;
        refused.lock().expect("no panic").push(desk.token.clone());
        let into = desk.stage.home.path().join("clone");
        let output = git.clone(&desk.stage, &server, &into).await;
        assert_eq!(output.code, Some(128), "{:?}: {output:?}", git.version);
        assert!(output.stderr.contains("Authentication failed"), "{output:?}");
        assert_eq!(desk.stage.refreshes(), 1, "it told the helper, which asked for another");
        let output = git.clone(&desk.stage, &server, &into).await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{:?}: {output:?}", git.version);
        assert_eq!(desk.stage.refreshes(), 1, "the one that was fetched then");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_token_ends_the_command_and_not_more() {
    let test = "real_clients::git::a_server_that_takes_no_token_ends_the_command_and_not_more";
    for git in Git::all(test).await {
        let stage = Stage::new().await;
        let (server, _) = serve(&stage, &[BEARER, BASIC], Door::Shut).await;
        let desk = Desk::at(stage, &host(&server)).await;
        for commands in 1..=2 {
            let output = git.clone(&desk.stage, &server, &desk.stage.home.path().join("clone")).await;
            assert_eq!(output.code, Some(128), "{:?}: {output:?}", git.version);
            let log = server.log();
            let with = log.iter().filter(|asked| asked.header("authorization").is_some()).count();
            assert_eq!(with, commands, "each shows its token once: {log:?}");
            assert!(log.len() <= commands * 3, "{log:?}");
            assert_eq!(desk.stage.refreshes(), commands, "one for each token that was refused");
        }
    }
}

#[tokio::test]
async fn without_brokerd_or_a_sign_in_git_fails_in_its_own_words_after_one_line() {
    let test = "real_clients::git::without_brokerd_or_a_sign_in_git_fails_in_its_own_words_after_one_line";
    for git in Git::all(test).await {
        let stage = Stage::new().await;
        let (server, _) = serve(&stage, &[BEARER, BASIC], Door::Tokens).await;
        let into = stage.home.path().join("clone");
        link(&stage);
        let away = git.clone(&stage, &server, &into).await;
        let daemon = daemon(&stage, &host(&server)).await;
        let nobody = git.clone(&stage, &server, &into).await;
        for (output, why) in [(away, "brokerd is not running"), (nobody, "brokerctl login")] {
            assert_eq!(output.code, Some(128), "{output:?}");
            let lines: Vec<_> = output.stderr.lines().collect();
            assert!(lines.len() == 2 && lines[0].contains(why), "{output:?}");
            assert!(lines[1].starts_with("fatal: could not read Username"), "{output:?}");
        }
        drop(daemon);
    }
}
