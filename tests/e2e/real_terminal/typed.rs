//! What a person is asked to type: is the end of it understood, and is the terminal as it was however it ends?

use anyhow::{Result, ensure};
use support::processes::Daemon;

use super::restored::{descendant, signalled};
use super::tmux::Terminal;
use crate::stage::Stage;

#[tokio::test]
async fn the_end_of_the_answers_makes_no_profile() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("the_end_of_the_answers", &stage.home, 80, 30).await? else { return Ok(()) };
    let _daemon = Daemon::start(&stage.home, &stage.store()).await;
    terminal.line(&format!(
        "clear; brokerctl login --issuer {} --client-id cli -s openid; echo exit $?",
        stage.server.issuer()
    ))?;
    terminal.until(|screen| screen.contains("What to call the profile [work]:")).await;
    terminal.key("C-d")?;
    let screen = terminal.until(|screen| screen.contains("\nexit ")).await;
    ensure!(screen.contains("the answers have ended") && screen.contains("exit 6"), "{screen}");
    ensure!(stage.json("profile list -o json").await["profiles"] == serde_json::json!([]), "{screen}");
    Ok(())
}

/// Who types it by hand would show the token, and who has forgotten to pipe it in would wait.
#[tokio::test]
async fn a_token_that_was_refused_is_not_typed() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("a_token_that_was_refused", &stage.home, 80, 30).await? else { return Ok(()) };
    terminal.line("clear; brokerctl get-token --rejected; echo exit $?")?;
    let screen = terminal.until(|screen| screen.contains("\nexit ")).await;
    ensure!(screen.contains("hint: pass the token that was refused") && screen.contains("exit 1"), "{screen}");
    Ok(())
}

/// Nobody sees what is typed, and whoever ends it from elsewhere does not leave the terminal so.
#[tokio::test]
async fn a_secret_that_is_typed_leaves_the_terminal_as_it_was() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("a_secret_that_is_typed", &stage.home, 80, 24).await? else { return Ok(()) };
    // `stty` of a plain sh is asked: bash mends the terminal itself.
    let modes = "stty -a | grep -c -w -e -icanon -e -echo -e -isig";
    for (signal, status) in [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        terminal.line(&format!("clear; sh -c 'brokerctl client-secret set work; echo exit $?; {modes}'"))?;
        terminal.until(|screen| screen.contains("client secret of work (not shown):")).await;
        signalled(&descendant(&terminal.running()?)?, signal)?;
        terminal.until(|screen| screen.contains(&format!("\nexit {status}\n0\n"))).await;
        terminal.assert_restored().await?;
    }
    // Stopped and continued, it asks again and still shows nothing.
    terminal.line("clear; brokerctl client-secret set work; echo exit $?")?;
    terminal.until(|screen| screen.contains("(not shown):")).await;
    signalled(&terminal.running()?, "TSTP")?;
    terminal.until(|screen| screen.contains("Stopped")).await;
    terminal.assert_restored().await?;
    terminal.line("clear; fg; echo exit $?")?;
    terminal.until(|screen| screen.contains("(not shown):")).await;
    terminal.line("hunter2")?;
    terminal.until(|screen| screen.contains("\nexit 7")).await;
    ensure!(!terminal.sent().contains("hunter2"), "it was shown");
    terminal.assert_restored().await
}
