//! Do the small clients of docs/PROTOCOL.md get a token as they stand there: signed in by a person, and then in silence?

use std::path::{Path, PathBuf};
use std::process::Stdio;

use support::processes::Home;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::real_parts::skip;
use crate::stage::{PATIENCE, Stage};

/// The block of a language under a heading.
pub(crate) fn client(heading: &str, language: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROTOCOL.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let section = page.split(&format!("\n### {heading}\n")).nth(1).expect("the heading");
    let block = section.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("\n```").next());
    block.expect("a block").to_owned() + "\n"
}

/// The first of these programs that the path has; that there is none goes on record.
fn have(test: &str, programs: &[&str]) -> bool {
    let home = Home::new();
    let there = |program: &&str| home.command(program.as_ref()).into_std().arg("--version").output().is_ok();
    let missing: Vec<_> = programs.iter().copied().filter(|program| !there(program)).collect();
    if !missing.is_empty() {
        skip(test, &format!("there is no {}", missing.join(" and no "))).expect("a record");
    }
    missing.is_empty()
}

fn start(home: &Home, program: &str, script: &PathBuf, arguments: &[&str]) -> Child {
    let mut command: Command = home.command(program.as_ref());
    command.arg(script).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().expect("a process")
}

/// Runs it twice: the first time a person confirms, the second nobody is asked. Then it is told of a mistake.
async fn gets_a_token(program: &str, script: &str, arguments: &[&str]) {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let script = stage.home.write("client", script.as_bytes()).expect("a file");

    let mut asked = start(&stage.home, program, &script, arguments);
    let mut told = BufReader::new(asked.stderr.take().expect("stderr")).lines();
    let line = timeout(PATIENCE, told.next_line()).await.expect("in time").expect("text").expect("a prompt");
    let words: Vec<_> = line.split(' ').collect();
    let ["Open", page, "and", "enter", code] = words.as_slice() else { panic!("{line}") };
    assert_eq!(*page, format!("{}/device", stage.server.issuer()));
    stage.server.approve(code, "alice");
    let first = output(&mut asked).await;
    assert!(stage.server.access_token(first.trim_end()).is_some(), "a token is all it prints");

    let second = output(&mut start(&stage.home, program, &script, arguments)).await;
    assert_eq!(second, first);

    let wrong = std::fs::read_to_string(&script).expect("the script").replace("profile=\"work\"", "profile=\"wrok\"");
    let script = stage.home.write("mistaken", wrong.as_bytes()).expect("a file");
    let arguments: Vec<_> = arguments.iter().map(|_| "wrok").collect();
    let failed = start(&stage.home, program, &script, &arguments).wait_with_output();
    let failed = timeout(PATIENCE, failed).await.expect("in time").expect("an end");
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && failed.stdout.is_empty() && told.contains("wrok"), "{told}");
}

async fn output(running: &mut Child) -> String {
    let mut text = String::new();
    let mut stdout = running.stdout.take().expect("stdout");
    timeout(PATIENCE, stdout.read_to_string(&mut text)).await.expect("in time").expect("text");
    assert!(running.wait().await.expect("an end").success());
    text
}

#[tokio::test]
async fn the_one_in_python_gets_a_token() {
    if have("small_clients::the_one_in_python_gets_a_token", &["python3"]) {
        gets_a_token("python3", &client("Python", "python"), &[]).await;
    }
}

#[tokio::test]
async fn the_one_in_shell_gets_a_token() {
    if have("small_clients::the_one_in_shell_gets_a_token", &["curl", "jq"]) {
        gets_a_token("sh", &client("Shell", "sh"), &["work"]).await;
    }
}
