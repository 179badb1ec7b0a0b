//! Is the terminal as it was, however the prompt ends: by a panic, by any signal, stopped by others and killed?

use std::process::Command;

use anyhow::{Result, ensure};

use super::asked;
use super::tmux::Terminal;
use crate::stage::{Stage, prompted};

#[tokio::test]
async fn a_panic_gives_the_terminal_back_and_says_so_in_three_lines() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("a_panic", &stage.home, 100, 40).await? else { return Ok(()) };
    let clock = stage.home.path().join("broken_clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/real_terminal/broken_clock.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&clock).arg(source).status()?;
    ensure!(built.success(), "the preloaded clock");
    let broken = stage.home.path().join("broken");
    let command = format!("LD_PRELOAD={} BROKEN_CLOCK={} brokerctl get-token", clock.display(), broken.display());

    // The thread that draws: who waits goes on waiting, on a terminal that is the user's again.
    let daemon = stage.daemon().await;
    terminal.line(&format!("clear; {command} >token; echo exit $?"))?;
    let code = asked(&terminal).await;
    std::fs::write(broken.with_extension("other"), "")?;
    let screen = terminal.until(|screen| screen.contains("see: docs/ERRORS.md#internal")).await;
    ensure!(screen.contains("brokerctl: a mistake in brokerctl at ") && screen.contains("hint: "), "{screen}");
    ensure!(!screen.contains("Waiting for you") && !screen.contains("panicked"), "{screen}");
    terminal.key("x")?;
    terminal.until(|screen| screen.trim_end().ends_with('x')).await; // it is shown: echo is on again
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("exit 0")).await;
    terminal.key("C-u")?;
    terminal.assert_restored().await?;
    std::fs::remove_file(broken.with_extension("other"))?;

    // The one that waits: it ends as any other failure does.
    stage.ok("logout").await;
    terminal.line(&format!("clear; {command}; echo exit $?"))?;
    asked(&terminal).await;
    std::fs::write(broken.with_extension("main"), "")?;
    daemon.kill9().await;
    let screen = terminal.until(|screen| screen.contains("exit 1\n")).await;
    ensure!(screen.contains("brokerctl: a mistake in brokerctl at ") && !screen.contains("panicked"), "{screen}");
    terminal.assert_restored().await
}

#[tokio::test]
async fn any_signal_that_ends_the_prompt_leaves_the_terminal_as_it_was() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("any_signal", &stage.home, 80, 24).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let mut staying = stage.spawn("get-token");
    let code = prompted(&mut staying).await;
    // A shell that mends the terminal itself, as bash does, would show nothing: `stty` of a plain sh is asked.
    for (signal, status) in [("INT", 130), ("QUIT", 131), ("HUP", 129), ("TERM", 143)] {
        terminal.line("clear; sh -c 'brokerctl get-token; echo exit $?; stty -a | grep -c -w -e -icanon -e -echo'")?;
        assert_eq!(asked(&terminal).await, code, "everybody sees the same");
        signalled(&descendant(&terminal.running()?)?, signal)?;
        terminal.until(|screen| screen.contains(&format!("\nexit {status}\n0\n"))).await;
        terminal.assert_restored().await?;
    }
    stage.server.approve(&code, "alice");
    assert_eq!(staying.finish().await.code, Some(0), "who stayed is served");
    Ok(())
}

/// SIGSTOP asks nobody; whoever sends it has the terminal as it is, and SIGCONT has the prompt again.
#[tokio::test]
async fn stopped_by_others_and_continued_it_goes_on() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("stopped_by_others", &stage.home, 80, 24).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    terminal.line("clear; brokerctl get-token >token")?;
    let code = asked(&terminal).await;
    signalled(&terminal.running()?, "STOP")?;
    terminal.until(|screen| screen.contains("Stopped")).await;
    terminal.resize(60, 24)?;
    terminal.prompted().await;
    terminal.line("clear; fg")?;
    terminal.until(|screen| screen.contains("Waiting for you, ")).await;
    terminal.key("c")?;
    terminal.until(|screen| screen.contains("Code copied")).await;
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("signed in as alice@example.com")).await;
    terminal.assert_restored().await
}

/// A shell without line editing leaves the terminal as what it stopped has left it.
#[tokio::test]
async fn stopped_by_ctrl_z_it_leaves_the_terminal_as_it_was() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("stopped_by_ctrl_z", &stage.home, 80, 24).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    terminal.line("PS1='$ ' exec sh -i")?;
    // Its own prompt: that of the shell before it stands there until the line does.
    terminal.until(|screen| screen.contains("exec sh -i\n$")).await;
    terminal.line("clear; brokerctl get-token >token")?;
    let code = asked(&terminal).await;
    terminal.key("C-z")?;
    let screen = terminal.until(|screen| screen.contains("Stopped")).await;
    ensure!(!screen.contains("Waiting for you"), "what it drew has gone:\n{screen}");
    terminal.assert_restored().await?;
    terminal.line("fg")?;
    terminal.until(|screen| screen.contains("Waiting for you, ")).await;
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("signed in as alice@example.com")).await;
    terminal.assert_restored().await
}

/// As in `ssh -t host brokerctl login`: it is all that the terminal runs, and there is no shell to continue it.
#[tokio::test]
async fn where_nobody_could_continue_it_ctrl_z_does_nothing() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("where_nobody_could", &stage.home, 80, 24).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    // After a prompt, the handlers that were there for it do as little.
    let command = r#"sh -c "echo ready; read line; echo ended""#;
    terminal.line(&format!("clear; exec sh -c 'brokerctl exec --env A -- {command}; cat'"))?;
    let code = asked(&terminal).await;
    terminal.key("C-z")?;
    terminal.key("c")?;
    terminal.until(|screen| screen.contains("Code copied")).await;
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("\nready")).await;
    terminal.key("C-z")?;
    terminal.key("Enter")?;
    terminal.until(|screen| screen.contains("\nended")).await;
    Ok(())
}

pub(super) fn signalled(pid: &str, signal: &str) -> Result<()> {
    let sent = Command::new("kill").args([&format!("-{signal}"), pid]).status()?;
    ensure!(sent.success(), "kill -{signal} {pid}");
    Ok(())
}

/// The only child of a process.
pub(super) fn descendant(pid: &str) -> Result<String> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(children.trim().to_owned())
}
