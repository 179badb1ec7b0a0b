//! A prompt whose caller cannot show it: is the caller answered in time, and does somebody hear of the prompt?

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use support::fake_as::{Endpoint, Grant, Options};
use support::processes::{Daemon, Output};
use tokio::time::{self, Instant};

use crate::stage::{PATIENCE, Stage, options, prompted};

/// After this Bazel and the Azure SDKs have gone on without.
const THEIR_PATIENCE: Duration = Duration::from_secs(10);

/// Leaves what it was told in a file: its arguments a line each, its variables, its stdin.
const HOOK: &str = "#!/bin/sh\ncd \"$HOME\" || exit\n\
    { for word; do printf '%s\\n' \"$word\"; done; env | grep ^BROKERD_; cat; } >told.new && mv told.new told\n";

/// A stage whose configuration names the command.
async fn with_hook(options: Options) -> (Stage, Daemon) {
    let stage = Stage::with(options).await;
    let hook = stage.home.program("hook", HOOK.as_bytes()).expect("a file");
    let command =
        format!("[prompt]\ncommand = [{:?}, \"two words\", \"$BROKERD_USER_CODE\"]\n", hook.display().to_string());
    let daemon = Daemon::start(&stage.home, &(stage.config() + &command)).await;
    (stage, daemon)
}

fn told(stage: &Stage) -> PathBuf {
    stage.home.path().join("told")
}

/// Waits until the command was told something, and takes that.
async fn heard(stage: &Stage) -> String {
    let hearing = async {
        loop {
            if let Ok(text) = fs::read_to_string(told(stage)) {
                fs::remove_file(told(stage)).expect("it was read");
                return text;
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    time::timeout(PATIENCE, hearing).await.expect("the command runs")
}

/// Asks as a build tool does, in its time.
async fn ask(stage: &Stage) -> Output {
    let begun = Instant::now();
    let output = stage.run("helper npm").await;
    assert!(begun.elapsed() < THEIR_PATIENCE, "{output:?}");
    output
}

#[tokio::test]
async fn the_command_is_told_and_whoever_asks_again_has_the_token() {
    let (stage, _daemon) = with_hook(options()).await;
    let output = ask(&stage).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
    assert!(output.stderr.lines().count() == 1 && output.stderr.contains("brokerctl prompts"), "{output:?}");
    let text = heard(&stage).await;
    stage.home.canary().check("what the command was told", text.as_bytes(), &["user_code"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["two words", "$BROKERD_USER_CODE"], "its arguments are as they stand in the file");
    let values: HashMap<_, _> = lines[2..].iter().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| *values.get(name).unwrap_or_else(|| panic!("no {name}: {text}"));
    assert_eq!((value("BROKERD_PROFILE"), value("BROKERD_REQUESTED_BY")), ("work", "brokerctl"));
    assert_eq!(value("BROKERD_SCOPES"), "offline_access openid profile");
    assert!(value("BROKERD_VERIFICATION_URI").starts_with(&stage.server.issuer()));
    assert!(value("BROKERD_VERIFICATION_URI_COMPLETE").contains(value("BROKERD_USER_CODE")));
    assert!(value("BROKERD_EXPIRES_AT").ends_with('Z') && value("BROKERD_REQUESTED_BY_PID").parse::<u32>().is_ok());
    let prompts = stage.json("prompts -o json").await;
    assert_eq!(prompts["prompts"][0]["id"], value("BROKERD_PROMPT_ID"));

    stage.server.approve(value("BROKERD_USER_CODE"), "alice");
    let output = stage.until("helper npm", |output| output.code == Some(0)).await;
    assert!(stage.server.access_token(output.stdout.trim_end().trim_start_matches("Bearer ")).is_some(), "{output:?}");
    assert!(!told(&stage).exists(), "one prompt is told of once");
}

/// What a timer runs: it goes on at once, and who must sign in hears of it.
#[tokio::test]
async fn get_token_and_exec_have_brokerd_ask_if_told_so() {
    let (stage, _daemon) = with_hook(options()).await;
    let begun = Instant::now();
    let output = stage.run("get-token work --prompt-elsewhere").await;
    assert!(begun.elapsed() < THEIR_PATIENCE, "{output:?}");
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
    assert!(output.stderr.contains("a prompt has been raised"), "{output:?}");
    let text = heard(&stage).await;
    let output = stage.run("exec work --env A --prompt-elsewhere -- echo ran").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1, "it is the same prompt");
    let code = text.lines().find_map(|line| line.strip_prefix("BROKERD_USER_CODE=")).expect("a code");
    stage.server.approve(code, "alice");
    let output = stage.until("get-token work --prompt-elsewhere", |output| output.code == Some(0)).await;
    assert!(stage.server.access_token(output.stdout.trim_end()).is_some(), "{output:?}");
}

#[tokio::test]
async fn a_watcher_sees_it_and_a_login_joins_it() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut watching = stage.spawn("watch -o json");
    // Until it has connected nobody would see a prompt, and none is raised.
    stage.until("helper npm", |output| output.stderr.contains("a prompt has been raised")).await;
    let seen = watching.stdout_until(|seen| seen.contains("prompt_started") && seen.ends_with('\n')).await;
    let mut login = stage.spawn("login work");
    let code = prompted(&mut login).await;
    assert!(seen.contains(&code), "{seen}");
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1);
    stage.server.approve(&code, "alice");
    assert_eq!(login.finish().await.code, Some(0));
    watching.kill9().await;
}

/// The provider takes longer than the tool waits: the prompt comes when its caller has long gone.
#[tokio::test]
async fn a_slow_provider_costs_the_caller_its_answer_and_not_the_prompt() {
    let (stage, _daemon) = with_hook(Options { access_token_lifetime: Duration::from_secs(3), ..options() }).await;
    let gate = stage.server.hold(Endpoint::DeviceAuthorization);
    assert_eq!(ask(&stage).await.code, Some(3), "it is told at once that somebody must sign in");
    gate.arrived().await;
    gate.open();
    let text = heard(&stage).await;
    let code = text.lines().find_map(|line| line.strip_prefix("BROKERD_USER_CODE=")).expect("a code");
    stage.server.approve(code, "alice");
    let first = stage.until("helper npm", |output| output.code == Some(0)).await.stdout;

    // The refresh hangs, and when it ends it says that the sign-in has ended.
    stage.until_expired(first.trim_end().trim_start_matches("Bearer ")).await;
    let gate = stage.server.hold(Grant::RefreshToken);
    let output = ask(&stage).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(5), ""), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    stage.server.revoke_user("alice");
    gate.open();
    assert!(heard(&stage).await.contains("BROKERD_USER_CODE="), "the prompt is raised without its caller");
}
