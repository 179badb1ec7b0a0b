//! A real terminal: tmux, with a shell in it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use support::processes::{Home, binaries};
use tokio::time;

use crate::real_parts::part;
use crate::stage::PATIENCE;

/// Bash takes no prompt from its environment that was not given to it at once.
const SHELL: &str = "PS1='$ ' exec bash --norc --noprofile";

/// A terminal of its own server; it ends with this value.
pub(crate) struct Terminal {
    socket: PathBuf,
    raw: PathBuf,
}

impl Terminal {
    /// Opens one in a home, so large, with a shell in it that knows `brokerctl`; or skips the test.
    pub(crate) async fn open(test: &str, home: &Home, columns: u16, rows: u16) -> Result<Option<Self>> {
        if part("BROKERD_TEST_TMUX", test)?.is_none() {
            return Ok(None);
        }
        let terminal = Self { socket: home.path().join("tmux"), raw: home.path().join("terminal") };
        let directory = binaries().brokerctl.parent().expect("a directory").display().to_string();
        let configuration =
            home.write("tmux.conf", b"set -g set-clipboard on\nset -g default-terminal screen-256color\n")?;
        let mut tmux = home.command("tmux".as_ref()).into_std();
        tmux.env("LANG", "C.UTF-8").env("PATH", format!("{directory}:/usr/local/bin:/usr/bin:/bin"));
        tmux.env("BROKERD_SOCKET", home.socket());
        tmux.arg("-u").arg("-S").arg(&terminal.socket).arg("-f").arg(configuration);
        tmux.args(["new-session", "-d", "-x", &columns.to_string(), "-y", &rows.to_string(), SHELL]);
        let output = tmux.output()?;
        ensure!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        terminal.tmux(["pipe-pane", &format!("cat >{}", terminal.raw.display())])?;
        terminal.until(|screen| screen.contains('$')).await;
        Ok(Some(terminal))
    }

    /// Types a line.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        self.tmux(["send-keys", "-l", text])?;
        self.key("Enter")
    }

    /// Presses a key, as tmux names it.
    pub(crate) fn key(&self, name: &str) -> Result<()> {
        self.tmux(["send-keys", name]).map(drop)
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        self.tmux(["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]).map(drop)
    }

    /// The process id of what the shell runs.
    pub(crate) fn running(&self) -> Result<String> {
        let shell = self.tmux(["display-message", "-p", "#{pane_pid}"])?;
        let shell = shell.trim();
        Ok(fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?.trim().to_owned())
    }

    /// What was copied to the clipboard.
    pub(crate) fn clipboard(&self) -> Result<String> {
        self.tmux(["show-buffer"])
    }

    /// What stands on the screen.
    pub(crate) fn screen(&self) -> Result<String> {
        self.tmux(["capture-pane", "-p"])
    }

    /// The same with its colours, as escape sequences, and the spaces at the ends of lines.
    pub(crate) fn screen_in_colour(&self) -> Result<String> {
        self.tmux(["capture-pane", "-e", "-N", "-p"])
    }

    /// Everything that was sent to the terminal.
    pub(crate) fn sent(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.raw).unwrap_or_default()).into_owned()
    }

    /// Looks until the screen is as wanted. Polling: a screen tells nobody that it changes.
    pub(crate) async fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let looking = async {
            loop {
                let screen = self.screen().expect("a screen");
                if wanted(&screen) {
                    return screen;
                }
                time::sleep(time::Duration::from_millis(30)).await;
            }
        };
        let found = time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|elapsed| panic!("{elapsed}: it is not:\n{}", self.screen().unwrap_or_default()))
    }

    /// Waits for the shell's prompt. What is typed before it may go to whatever leaves, and be thrown away.
    pub(crate) async fn prompted(&self) {
        self.until(|screen| screen.trim_end().ends_with('$')).await;
    }

    /// Checks that the terminal gives lines and shows what is typed, as it did before.
    pub(crate) async fn assert_restored(&self) -> Result<()> {
        self.prompted().await;
        self.line("clear; echo modes: $(stty -a | grep -ow -e -icanon -e icanon -e -echo -e echo | tr '\\n' ' ').")?;
        // To the next prompt: what is typed before it may be lost to a shell that is not yet reading.
        let told =
            |screen: &str| screen.contains("modes: ") && screen.contains(" .") && screen.trim_end().ends_with('$');
        let screen = self.until(told).await;
        ensure!(screen.contains("modes: icanon echo ."), "{screen}");
        Ok(())
    }

    fn tmux<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        let output = Command::new("tmux").arg("-S").arg(&self.socket).args(arguments).output()?;
        ensure!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.tmux(["kill-server"]));
    }
}
