//! The story, step by step. Each step checks at the authorization server that what it tells is so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use support::browser;
use support::fake_as::{Endpoint, Grant};
use support::processes::{Output, Stderr};
use tokio::time::{self, Instant};

use crate::stage::{SEALED_FILE, Stage, TOKEN_LIFETIME};

/// Tells it all; an error names the step that did not do what it says.
pub(crate) async fn tell(stage: &mut Stage) -> anyhow::Result<()> {
    stage.start_daemon().await?;
    let life = TOKEN_LIFETIME.as_secs();
    println!("\nA test authorization server is at {}; its access tokens live {life} s.", stage.server.issuer());
    println!("brokerd runs as process {}, with everything in {}.", stage.pid(), stage.home.path().display());
    println!("Each brokerctl below is run with --socket {}.", stage.home.socket().display());

    let first = sign_in(stage).await.context("step 1, sign in")?;
    ask_again(stage, &first).await.context("step 2, ask again")?;
    let second = outlive(stage, &first).await.context("step 3, outlive the token")?;
    survive(stage, &second).await.context("step 4, survive kill -9")?;
    look_for_secrets(stage).context("step 5, look for secrets")?;
    println!("\nAll five steps did what they said.");
    Ok(())
}

/// Step 1: a person signs in, once.
async fn sign_in(stage: &Stage) -> anyhow::Result<String> {
    heading(1, "Nobody is signed in, so a person is asked. This is the only time.");
    if stage.approve {
        println!("   (--approve: the demo opens the page and confirms as alice.)");
    } else {
        println!("   Open the page in a browser, choose alice or bob, and confirm.");
        println!("   Without a browser at hand: Ctrl-C, then `cargo demo --approve`.");
    }
    command("get-token demo");
    let stderr = if stage.approve { Stderr::Echo } else { Stderr::Inherit };
    let ctl = stage.ctl(stderr).limit(if stage.approve { APPROVED } else { BY_A_PERSON });
    let mut running = ctl.try_spawn(["get-token", "demo"])?;
    if stage.approve {
        let shown = |text: &str| shown_code(stage, text).is_some();
        let text = running.try_stderr_until(shown).await.context("waiting for the prompt")?;
        let code = shown_code(stage, &text).context("no code in the prompt")?;
        let page = format!("{}/device?user_code={code}", stage.server.issuer());
        browser::confirm(&page, "alice").await.context("confirming on the page")?;
    }
    let token = token(&running.try_finish().await?)?;
    let granted = stage.server.access_token(&token).context("the server does not know that token")?;
    println!("   {}  for {}, good for {}", shortened(&token), granted.user, granted.scope.join(" "));
    ensure!(stage.server.count(Endpoint::DeviceAuthorization) == 1, "it asked for more than one prompt");
    Ok(token)
}

/// Step 2: the same token, and no request.
async fn ask_again(stage: &Stage, first: &str) -> anyhow::Result<()> {
    heading(2, "Any tool that asks now gets the same token at once.");
    let before = requests(stage);
    let started = Instant::now();
    let again = silently(stage).await?;
    let took = started.elapsed();
    let requests = requests(stage) - before;
    println!("   {}  after {} ms, the process included", shortened(&again), took.as_millis());
    println!("   The authorization server saw {requests} requests.");
    ensure!(again == first, "that is another token");
    ensure!(requests == 0, "the authorization server was asked");
    Ok(())
}

/// Step 3: the token expires; the next one comes by a refresh.
async fn outlive(stage: &Stage, first: &str) -> anyhow::Result<String> {
    let before = stage.server.count(Grant::RefreshToken);
    let expires = stage.server.access_token(first).context("the token has expired too early")?.expires;
    let wait = expires.saturating_duration_since(Instant::now());
    heading(3, &format!("That token expires in {} s. Waiting for it ...", wait.as_secs() + 1));
    time::sleep_until(expires).await;
    ensure!(stage.server.access_token(first).is_none(), "the token is still valid");
    let second = silently(stage).await?;
    let refreshes = stage.server.count(Grant::RefreshToken) - before;
    println!("   {}  a new one, and nobody was asked", shortened(&second));
    println!("   The authorization server saw {refreshes} refresh.");
    ensure!(second != first, "that is the expired token");
    ensure!(refreshes == 1, "{refreshes} refreshes where one does");
    Ok(second)
}

/// Step 4: the daemon dies and comes back; the sign-in was on disk.
async fn survive(stage: &mut Stage, second: &str) -> anyhow::Result<()> {
    heading(4, "The sign-in survives the daemon.");
    println!("   $ kill -9 {}", stage.pid());
    stage.kill_daemon().await;
    println!("   $ brokerd --config {} ... &", stage.home.config_file().display());
    stage.start_daemon().await?;
    let third = silently(stage).await?;
    println!("   {}  from process {}, and nobody was asked", shortened(&third), stage.pid());
    ensure!(stage.server.access_token(&third).is_some(), "the token is not valid");
    ensure!(third != second, "an access token was kept on disk");
    ensure!(stage.server.count(Endpoint::DeviceAuthorization) == 1, "it asked for another prompt");
    ensure!(stage.server.reuse_detected() == 0, "a refresh token was spent twice");
    Ok(())
}

/// Step 5: nothing secret is in clear in any file the daemon has written.
fn look_for_secrets(stage: &Stage) -> anyhow::Result<()> {
    let sealed = stage.home.state().join(SEALED_FILE);
    heading(5, "What is on disk is sealed.");
    let size = fs::metadata(&sealed).with_context(|| sealed.display().to_string())?.len();
    ensure!(size > 0, "{} is empty", sealed.display());
    println!("   {} ({size} bytes) holds the sign-in.", sealed.display());
    let mut secrets = stage.server.secrets();
    secrets.retain(|secret| secret.kind != "client_secret");
    let files = files(stage.home.path())?;
    for file in &files {
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        let content = String::from_utf8_lossy(&content);
        let leak = secrets.iter().find(|secret| content.contains(&secret.value));
        if let Some(leak) = leak {
            bail!("{} holds a {} in clear", file.display(), leak.kind);
        }
    }
    println!("   {} tokens and codes were given out; none of them is in clear in the", secrets.len());
    println!("   {} files here, brokerd's log included.", files.len());
    println!("   This run's key lay beside the file. On a desktop the keyring takes the place of both.");
    Ok(())
}

/// Counts what clients asked the server: a browser's page, and the icon it looks for beside it, are the person's.
fn requests(stage: &Stage) -> usize {
    let log = stage.server.log();
    let page = [Endpoint::DevicePage, Endpoint::Unknown];
    log.iter().filter(|request| !page.contains(&request.endpoint)).count()
}

/// Gets a token where a prompt would be a failure.
async fn silently(stage: &Stage) -> anyhow::Result<String> {
    command("get-token demo --no-prompt");
    let ctl = stage.ctl(Stderr::Capture).limit(APPROVED);
    token(&ctl.try_spawn(["get-token", "demo", "--no-prompt"])?.try_finish().await?)
}

/// Returns the token brokerctl printed: one line, and success.
fn token(output: &Output) -> anyhow::Result<String> {
    if output.code != Some(0) {
        let code = output.code.map_or_else(|| "a signal".into(), |code| code.to_string());
        bail!("brokerctl ended with {code}\n{}", output.stderr);
    }
    let token = output.stdout.trim_end();
    ensure!(!token.is_empty() && !token.contains(char::is_whitespace), "brokerctl printed no token");
    Ok(token.to_owned())
}

/// Returns the pending user code that is on the terminal, if one is.
fn shown_code(stage: &Stage, text: &str) -> Option<String> {
    stage.server.pending_user_codes().into_iter().find(|code| text.contains(code))
}

/// Returns all files below a directory.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn heading(number: usize, text: &str) {
    println!("\n{number}. {text}");
}

fn command(arguments: &str) {
    println!("   $ brokerctl {arguments}");
}

fn shortened(token: &str) -> String {
    let start: String = token.chars().take(12).collect();
    format!("{start}...")
}

/// How long brokerctl may take where nobody has to do anything.
const APPROVED: Duration = Duration::from_secs(30);
/// And where somebody has: longer than the code lives, so that it is brokerctl that gives up.
const BY_A_PERSON: Duration = Duration::from_secs(16 * 60);
