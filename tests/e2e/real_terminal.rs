//! Is the prompt at home on a real terminal, and is that terminal as it was afterwards?

#[cfg(test)]
mod restored;
pub(crate) mod tmux;
#[cfg(test)]
mod typed;

use anyhow::{Result, ensure};
use support::processes::{Daemon, Home};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use self::restored::signalled;
use self::tmux::Terminal;
use crate::stage::{Stage, prompted};

/// The code in its frame.
pub(crate) fn code(screen: &str) -> Option<String> {
    let row = screen.lines().find(|line| line.contains("enter") && line.contains('│'))?;
    Some(row.split('│').nth(1)?.trim().to_owned())
}

/// Waits for the prompt in a terminal and returns its code.
async fn asked(terminal: &Terminal) -> String {
    let screen = terminal.until(|screen| code(screen).is_some() && screen.contains("Waiting for you, ")).await;
    code(&screen).expect("just seen")
}

#[tokio::test]
async fn a_prompt_is_live_and_ends_with_who_signed_in() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("a_prompt_is_live", &stage.home, 80, 30).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let opened = stage.home.path().join("opened");
    let browser = stage
        .home
        .program("browser", format!("#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >{}\n", opened.display()).as_bytes())?;
    // What is typed before there is a prompt answers none.
    terminal.line(&format!("clear; export BROWSER={}; echo x | brokerctl get-token >token", browser.display()))?;
    terminal.key("Enter")?;
    let code = asked(&terminal).await;
    let screen = terminal.screen()?;
    for words in
        ["Sign in to work", "asked by brokerctl (process ", "a code that somebody sent you", "Enter: open the page"]
    {
        assert!(screen.contains(words), "{words:?} is not in:\n{screen}");
    }
    assert!(screen.contains('▀'), "a picture for the phone:\n{screen}");
    assert!(!opened.exists(), "the page was opened by what was typed before");

    terminal.key("c")?;
    terminal.until(|screen| screen.contains("Code copied")).await;
    assert_eq!(terminal.clipboard()?, code);

    terminal.key("Enter")?;
    terminal.until(|screen| screen.contains("Page opened")).await;
    terminal.until(|_| opened.exists()).await;
    let page = std::fs::read_to_string(&opened)?;
    assert_eq!(page, format!("1\n{}/device?user_code={code}\n", stage.server.issuer()), "one argument, as it was sent");

    stage.server.approve(&code, "alice");
    let screen = terminal.until(|screen| screen.contains("signed in as alice@example.com (work)")).await;
    assert!(!screen.contains("Waiting for you"), "{screen}");
    terminal.assert_restored().await?;
    assert!(!std::fs::read_to_string(stage.home.path().join("token"))?.trim().is_empty());

    // The next token is silent.
    terminal.line("clear; brokerctl get-token >token; echo exit $?")?;
    let screen = terminal.until(|screen| screen.contains("exit 0")).await;
    assert_eq!(screen.trim().lines().count(), 2, "{screen}");
    Ok(())
}

#[tokio::test]
async fn leaving_by_ctrl_c_or_a_signal_leaves_alone() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("leaving_by_ctrl_c", &stage.home, 80, 24).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let mut staying = stage.spawn("get-token");
    let code = prompted(&mut staying).await;
    for (leave, status) in [("C-c", "130"), ("TERM", "143"), ("HUP", "129")] {
        terminal.line("clear; brokerctl get-token")?;
        assert_eq!(asked(&terminal).await, code, "everybody sees the same");
        if leave == "C-c" {
            terminal.key(leave)?;
        } else {
            let pid = terminal.running()?;
            assert!(std::process::Command::new("kill").args([&format!("-{leave}"), &pid]).status()?.success());
        }
        // Bash runs nothing more of a line that an interrupt has ended.
        terminal.prompted().await;
        terminal.line("echo exit $?")?;
        terminal.until(|screen| screen.contains(&format!("\nexit {status}"))).await;
        terminal.assert_restored().await?;
    }
    stage.server.approve(&code, "alice");
    assert_eq!(staying.finish().await.code, Some(0), "who stayed is served");
    Ok(())
}

#[tokio::test]
async fn stopping_resizing_and_the_background_do_no_harm() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("stopping_and_resizing", &stage.home, 80, 30).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    terminal.line("clear; brokerctl get-token >token")?;
    let code = asked(&terminal).await;

    terminal.key("C-z")?;
    terminal.until(|screen| screen.contains("Stopped")).await;
    terminal.assert_restored().await?;
    terminal.line("clear; fg")?;
    terminal.until(|screen| screen.contains("Waiting for you, ")).await;
    terminal.key("c")?;
    terminal.until(|screen| screen.contains("Code copied")).await;

    for (columns, rows) in [(20, 10), (120, 40), (80, 30)] {
        terminal.resize(columns, rows)?;
        let whole =
            |screen: &str| screen.contains("Ctrl-C: leave") || columns == 20 && screen.contains("c: copy the code ·…");
        terminal.until(|screen| whole(screen) && screen.matches("Waiting for you").count() == 1).await;
    }
    // No room for anything, but no reason to end.
    terminal.resize(3, 2)?;
    terminal.resize(80, 30)?;
    terminal.until(|screen| screen.contains("Ctrl-C: leave")).await;

    // In the background it neither draws nor is stopped for drawing.
    terminal.key("C-z")?;
    terminal.until(|screen| screen.contains("Stopped")).await;
    terminal.prompted().await;
    terminal.line("clear; bg; echo here")?;
    terminal.until(|screen| screen.contains("\nhere")).await;
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("signed in as alice@example.com")).await;
    // What came in the background stands where the prompt was.
    terminal.key("Enter")?;
    terminal.assert_restored().await
}

#[tokio::test]
async fn many_on_one_terminal_leave_it_as_it_was() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("many_on_one_terminal", &stage.home, 100, 50).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    terminal.line("clear; sh -c 'for n in 1 2 3 4; do brokerctl get-token >token$n & done; wait'; echo all done")?;
    let code = asked(&terminal).await;
    terminal.until(|screen| screen.matches(&format!("enter:     {code}")).count() == 3).await;
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("\nall done")).await;
    terminal.assert_restored().await
}

#[tokio::test]
async fn plain_lines_are_plain() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("plain_lines", &stage.home, 80, 40).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    for command in [
        "brokerctl --plain get-token",
        "TERM=dumb brokerctl get-token",
        "NO_COLOR=1 brokerctl get-token",
        "BROKERCTL_PROMPT=plain brokerctl get-token",
    ] {
        let before = terminal.sent().len();
        terminal.line(command)?;
        terminal
            .until(|_| {
                terminal.sent()[before..]
                    .contains("go on only if you started this; never enter a code that somebody sent you")
            })
            .await;
        let sent = terminal.sent()[before..].to_owned();
        let shown = &sent[sent.find("asks to sign in").expect("a prompt")..];
        assert!(!shown.contains('\u{1b}') && shown.is_ascii(), "{command}: {shown:?}");
        terminal.key("C-c")?;
        terminal.prompted().await;
        terminal.line("echo exit $?")?;
        terminal.until(|_| terminal.sent()[before..].contains("exit 130")).await;
    }
    Ok(())
}

#[tokio::test]
async fn watching_lists_prompts_and_cancels_one() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("watching", &stage.home, 80, 24).await? else { return Ok(()) };
    let daemon = stage.daemon().await;
    terminal.line("clear; brokerctl watch")?;
    terminal.until(|screen| screen.contains("Nobody waits for a sign-in")).await;
    let mut asked = stage.spawn("get-token");
    let code = prompted(&mut asked).await;
    terminal.until(|screen| screen.contains(&code) && screen.contains("▸ brokerctl (process ")).await;
    terminal.key("c")?;
    terminal.until(|screen| screen.contains("Code copied")).await;
    assert_eq!(terminal.clipboard()?, code);
    terminal.key("x")?;
    assert_eq!(asked.finish().await.code, Some(4));
    terminal.until(|screen| screen.contains("for work: cancelled") && screen.contains("Nobody waits")).await;
    // It outlives the daemon.
    assert!(daemon.sigterm().await.success());
    terminal.until(|screen| screen.contains("waiting for it")).await;
    let _daemon = stage.daemon().await;
    terminal.until(|screen| !screen.contains("waiting for it")).await;
    terminal.key("q")?;
    terminal.assert_restored().await?;

    terminal.line("clear; brokerctl status --watch")?;
    terminal.until(|screen| screen.contains("nobody is signed in") && screen.contains("q: leave")).await;
    terminal.key("q")?;
    terminal.assert_restored().await?;
    // What is piped on is not drawn.
    terminal.line("clear; brokerctl status --watch | tee log")?;
    let log = stage.home.path().join("log");
    terminal.until(|_| std::fs::read_to_string(&log).is_ok_and(|told| told.contains("nobody is signed in"))).await;
    assert!(!terminal.screen()?.contains("q: leave"));
    terminal.key("C-c")?;
    terminal.assert_restored().await
}

/// What a daemon lets through that has gone mad, for a client that looks again.
#[tokio::test]
async fn a_hostile_prompt_steers_no_terminal() -> Result<()> {
    const BAD: &str = "x\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]52;c;AAAA\u{7}\n\u{202e}\u{9b}31m\u{200b}";
    let home = Home::new();
    let Some(terminal) = Terminal::open("a_hostile_prompt", &home, 20, 24).await? else { return Ok(()) };
    let listener = UnixListener::bind(home.socket())?;
    let opened = home.path().join("opened");
    let browser = home.program("browser", format!("#!/bin/sh\necho \"$@\" >{}\n", opened.display()).as_bytes())?;
    // Without standard input, too.
    terminal.line(&format!("clear; BROWSER={} brokerctl get-token <&-", browser.display()))?;
    let (mut connection, _) = listener.accept().await?;
    let prompt = serde_json::json!({
        "event": "device_prompt", "id": BAD, "user_code": format!("{BAD}{}", "A".repeat(65536)),
        "verification_uri": format!("javascript:alert(1)//{BAD}"), "verification_uri_complete": "javascript://x.test/%0aalert(1)",
        "expires_at": BAD, "expires_in": u64::MAX, "interval": 5, "profile": BAD, "account": BAD,
        "scopes": vec![BAD; 200], "requested_by": {"pid": -1, "command": BAD}
    });
    let answer = format!("HTTP/1.1 202 X\r\ncontent-type: application/x-ndjson\r\n\r\n{prompt}\n");
    connection.write_all(answer.as_bytes()).await?;
    terminal.until(|screen| screen.contains("c: copy the code")).await;
    terminal.key("Enter")?;
    terminal.key("c")?;
    // What is copied is on no screen.
    terminal.until(|_| terminal.sent().contains("\u{1b}]52;c;")).await;
    let body = serde_json::json!({"error": "blocked", "error_description": BAD, "hint": BAD,
        "provider": {"error": BAD, "correlation_id": BAD}});
    let end = format!("{}\n", body.to_string().replacen('{', r#"{"event":"error","#, 1));
    connection.write_all(end.as_bytes()).await?;
    terminal.until(|screen| screen.contains("brokerctl: x")).await;
    terminal.assert_restored().await?;
    let sent = terminal.sent();
    for bad in ["\u{1b}[2J\u{1b}]0", "\u{1b}]0;", "\u{1b}]52;c;AAAA", "\u{202e}", "\u{9b}", "\u{200b}"] {
        assert!(!sent.contains(bad), "{bad:?} was sent");
    }
    assert!(!opened.exists(), "a page that is none was opened");
    Ok(())
}

/// A drawn prompt has handlers of its own for what `exec` passes on.
#[tokio::test]
async fn after_a_prompt_a_signal_reaches_the_command_of_exec() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("after_a_prompt", &stage.home, 80, 30).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let script =
        "trap 'echo told; exit 7' TERM; echo $BEARER_TOKEN_FILE >file; echo ready; while :; do sleep 0.05; done";
    terminal.line(&format!("clear; brokerctl exec --token-file -- sh -c {}", quoted(script)))?;
    let code = asked(&terminal).await;
    stage.server.approve(&code, "alice");
    terminal.until(|screen| screen.contains("\nready")).await;
    assert!(std::process::Command::new("kill").args(["-TERM", &terminal.running()?]).status()?.success());
    terminal.until(|screen| screen.contains("\ntold")).await;
    terminal.prompted().await;
    terminal.line("echo exit $?; ls -d \"$(cat file)\"")?;
    let screen = terminal.until(|screen| screen.contains("\nexit ") && screen.contains("No such file")).await;
    ensure!(screen.contains("exit 7"), "{screen}");
    terminal.assert_restored().await
}

/// git is told not to ask on the terminal, as by an editor that runs it on one of its own; so is what it runs.
#[tokio::test]
async fn where_git_may_not_ask_its_helper_does_not() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("where_git_may_not_ask", &stage.home, 80, 30).await? else { return Ok(()) };
    let hosts = "[[hosts]]\nmatch = \"pkg.example.com\"\nprofile = \"work\"\n";
    let _daemon = Daemon::start(&stage.home, &(stage.config() + hosts)).await;
    let question = stage.home.write("question", b"protocol=https\nhost=pkg.example.com\n\n")?;
    let ask = format!("brokerctl helper git get <{}; echo exit $?", question.display());
    for no in ["0", "", "False"] {
        terminal.line(&format!("clear; GIT_TERMINAL_PROMPT={no} {ask}"))?;
        let screen = terminal.until(|screen| screen.contains("\nexit ")).await;
        ensure!(screen.contains("exit 3") && !screen.contains("Waiting for you"), "{no:?}: {screen}");
    }
    terminal.line(&format!("clear; GIT_TERMINAL_PROMPT=1 {ask}"))?;
    asked(&terminal).await;
    terminal.key("C-c")?;
    terminal.assert_restored().await
}

/// A key's signal is the whole foreground's; a process sends one to whom it names, as `timeout --foreground` does.
#[tokio::test]
async fn an_interrupt_reaches_the_command_once_whoever_sends_it() -> Result<()> {
    let stage = Stage::new().await;
    let Some(terminal) = Terminal::open("an_interrupt", &stage.home, 80, 30).await? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let script = "trap 'echo told' INT; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    terminal.line(&format!("clear; brokerctl exec --env A -- sh -c {}", quoted(script)))?;
    // The words of the command are on the screen before it is cleared.
    terminal.until(|screen| screen.trim() == "ready").await;
    terminal.key("C-c")?;
    terminal.until(|screen| screen.matches("told\n").count() == 1).await;
    signalled(&terminal.running()?, "INT")?;
    terminal.until(|screen| screen.matches("told\n").count() == 2).await;
    signalled(&terminal.running()?, "TERM")?;
    terminal.prompted().await;
    terminal.line("echo exit $?")?;
    let screen = terminal.until(|screen| screen.contains("\nexit ")).await;
    ensure!(screen.contains("exit 7") && screen.matches("told\n").count() == 2, "{screen}");
    Ok(())
}

fn quoted(script: &str) -> String {
    format!("'{}'", script.replace('\'', r"'\''"))
}
