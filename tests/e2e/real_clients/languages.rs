//! The examples of `docs/examples`: other languages at the LocalAPI, without a library of ours.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use support::processes::Output;
use support::resource::{Asked, Resource, answer, unauthorized};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;

use super::{Desk, command, daemon, finish, script};
use crate::real_parts::{part, skip};
use crate::stage::Stage;
use crate::strangers::can_become_another;

/// A language, and how its example is started.
struct Language {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Language {
    /// Returns those whose runtime this machine has; the others are on record.
    async fn all(test: &str) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        if let Some(python) = part("BROKERD_TEST_PYTHON", test)? {
            let arguments = vec!["-B".into(), example("python/brokerd.py").into()];
            found.push(Self { name: "Python", program: python.join("python"), arguments });
        }
        if part("BROKERD_TEST_OIDC_PROVIDER", test)?.is_some() {
            found.push(Self {
                name: "Node.js",
                program: "node".into(),
                arguments: vec![example("node/brokerd.mjs").into()],
            });
        }
        if java().await.is_some_and(|version| version >= 17) {
            let arguments = vec![example("java/Brokerd.java").into()];
            found.push(Self { name: "Java", program: "java".into(), arguments });
        } else {
            skip(test, "no Java here is 17 or later: that example was not run")?;
        }
        if part("BROKERD_TEST_GO", test)?.is_some() {
            let arguments = vec!["run".into(), example("go/brokerd.go").into()];
            found.push(Self { name: "Go", program: "go".into(), arguments });
        }
        skip(test, "the example of .NET is not run: it needs a project, and that needs NuGet")?;
        Ok(found)
    }

    fn command(&self, stage: &Stage, profile: &str) -> Command {
        let mut command = command(stage, &self.program);
        command.args(&self.arguments).arg(profile);
        prepared(command)
    }

    /// The same as cron starts it: nothing says where the session has its things, and `/run/user` has a directory of this user's.
    fn without_a_session(&self, stage: &Stage, profile: &str) -> Command {
        const SCRIPT: &str = "set -e; brokerd=$1 at=/run/user/$(id -u)/brokerd; shift; \
            mount -t tmpfs -o mode=755 none /run; mkdir -p \"$at\"; chmod 700 \"${at%/*}\"; mount --bind \"$brokerd\" \"$at\"; \
            exec env -u XDG_RUNTIME_DIR BROKERD_SOCKET= \"$@\"";
        let mut command = command(stage, "unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(stage.home.socket().with_file_name(""));
        command.arg(&self.program).args(&self.arguments).arg(profile);
        prepared(command)
    }
}

/// Go compiles its library once, and not at each start.
fn prepared(mut command: Command) -> Command {
    command.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"));
    command
}

/// Returns the version of Java, if there is one.
async fn java() -> Option<u32> {
    let output = Command::new("java").arg("--version").output().await.ok()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    told.split(|char: char| !char.is_ascii_digit()).find_map(|number| number.parse().ok())
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(name)
}

/// Plays the person who follows the prompt; returns its code.
async fn person(stage: &Stage) -> String {
    let prompts = stage.until("prompts -o json", |output| output.stdout.contains("user_code")).await;
    let prompts: Value = serde_json::from_str(&prompts.stdout).expect("JSON");
    let code = prompts["prompts"][0]["user_code"].as_str().expect("a code").to_owned();
    stage.server.approve(&code, "alice");
    code
}

#[tokio::test]
async fn each_example_shows_the_prompt_once_and_is_silent_after() -> Result<()> {
    let test = "real_clients::languages::each_example_shows_the_prompt_once_and_is_silent_after";
    for language in Language::all(test).await? {
        let name = language.name;
        let stage = Stage::new().await;
        let away = finish(&stage, language.command(&stage, "work")).await;
        assert!(away.code != Some(0) && away.stdout.is_empty(), "{name}: {away:?}");

        let _daemon = daemon(&stage, "").await;
        let (asked, code) = tokio::join!(finish(&stage, language.command(&stage, "work")), person(&stage));
        let Output { code: exit, stdout: token, stderr: told } = asked;
        assert_eq!(exit, Some(0), "{name}: {told}");
        assert!(stage.server.access_token(token.trim_end()).is_some(), "{name}: {told}");
        let prompt = told.lines().filter(|line| line.contains(&code) && line.contains("/device")).count();
        assert_eq!(prompt, 1, "{name}: {told}");

        let again = finish(&stage, language.command(&stage, "work")).await;
        assert_eq!((again.code, again.stdout, again.stderr.as_str()), (Some(0), token, ""), "{name}");
        let wrong = finish(&stage, language.command(&stage, "nonesuch")).await;
        assert!(wrong.code != Some(0) && wrong.stderr.contains("unknown_profile"), "{name}: {wrong:?}");
    }
    Ok(())
}

#[tokio::test]
async fn each_example_finds_the_socket_without_a_session() -> Result<()> {
    let test = "real_clients::languages::each_example_finds_the_socket_without_a_session";
    if !can_become_another(test) {
        return Ok(());
    }
    let desk = Desk::at(Stage::new().await, "").await;
    for language in Language::all(test).await? {
        let asked = finish(&desk.stage, language.without_a_session(&desk.stage, "work")).await;
        assert_eq!(
            (asked.code, asked.stdout.trim_end()),
            (Some(0), desk.token.as_str()),
            "{}: {asked:?}",
            language.name
        );
    }
    Ok(())
}

/// Plays a brokerd that says this to everybody.
fn say(stage: &Stage, events: &str) -> Result<()> {
    let socket = stage.home.socket();
    std::fs::create_dir_all(socket.with_file_name(""))?;
    let (listener, events) = (UnixListener::bind(&socket)?, events.to_owned());
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            answer_with(client, &events).await.ok();
        }
    });
    Ok(())
}

/// Waits for the end of a request's body, and answers with a stream, an event a chunk.
async fn answer_with(mut client: UnixStream, events: &str) -> std::io::Result<()> {
    const HEAD: &[u8] =
        b"HTTP/1.1 202 Accepted\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    while client.read_u8().await? != b'}' {}
    client.write_all(HEAD).await?;
    for event in events.lines() {
        client.write_all(format!("{:X}\r\n{event}\n\r\n", event.len() + 1).as_bytes()).await?;
    }
    client.write_all(b"0\r\n\r\n").await
}

/// As the protocol wants it of readers (docs/PROTOCOL.md, Versions), and with tokens as long as some are.
#[tokio::test]
async fn each_example_passes_over_an_event_that_it_does_not_know() -> Result<()> {
    let test = "real_clients::languages::each_example_passes_over_an_event_that_it_does_not_know";
    let stage = Stage::new().await;
    let token = "a".repeat(20_000);
    let events =
        [r#"{"event":"weather","rain":"no"}"#.to_owned(), format!(r#"{{"event":"token","access_token":"{token}"}}"#)];
    say(&stage, &events.join("\n"))?;
    for language in Language::all(test).await? {
        let asked = finish(&stage, language.command(&stage, "work")).await;
        let whole = asked.code == Some(0) && asked.stdout.trim_end() == token;
        assert!(whole, "{}: {:?} {}", language.name, asked.code, asked.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn each_example_says_why_there_is_no_token_in_brokerds_words() -> Result<()> {
    let test = "real_clients::languages::each_example_says_why_there_is_no_token_in_brokerds_words";
    let stage = Stage::new().await;
    let error = r#"{"event":"error","provider":{"error":"theirs","error_description":"theirs"},"error":"blocked","error_description":"\u006eo\/yes, says \"policy\" C:\\1"}"#;
    say(&stage, error)?;
    for language in Language::all(test).await? {
        let asked = finish(&stage, language.command(&stage, "work")).await;
        let told = &asked.stderr;
        assert!(asked.code != Some(0) && asked.stdout.is_empty(), "{}: {asked:?}", language.name);
        assert!(
            told.contains(r#"blocked: no/yes, says "policy" C:\1"#) && !told.contains("theirs"),
            "{}: {told}",
            language.name
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_azure_sdk_takes_the_credential_for_one_of_its_own() -> Result<()> {
    let test = "real_clients::languages::the_azure_sdk_takes_the_credential_for_one_of_its_own";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    let desk = Desk::at(Stage::new().await, "").await;
    let token = desk.token.clone();
    let api = Resource::http(move |asked: Asked| {
        let welcome = asked.bearer() == Some(token.as_str());
        async move { if welcome { answer(200, "text/plain", "hello\n") } else { unauthorized(&["Bearer"]) } }
    });
    let api = api.await?;
    let mut sdk = command(&desk.stage, python.join("python"));
    sdk.arg("-B").arg(script("core.py")).arg(example("python"));
    sdk.args(["work", "openid", &format!("http://127.0.0.1:{}/", api.port())]);
    let output = finish(&desk.stage, sdk).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "200\n"), "{output:?}");
    Ok(())
}

/// The document shows what was run.
#[test]
fn the_document_has_the_examples_as_they_are() {
    let document = std::fs::read_to_string(example("../EXAMPLES.md")).expect("the document");
    for name in [
        "python/brokerd.py",
        "python/credential.py",
        "node/brokerd.mjs",
        "java/Brokerd.java",
        "dotnet/Brokerd.cs",
        "go/brokerd.go",
    ] {
        let text = std::fs::read_to_string(example(name)).expect("an example");
        assert!(document.contains(&text), "docs/EXAMPLES.md has not docs/examples/{name} as it is");
    }
}
