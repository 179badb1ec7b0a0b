//! What a person is asked to type: is the end of it understood, and is the terminal as it was however it ends?

use anyhow::{Result, ensure};
use support::processes::Daemon;

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
