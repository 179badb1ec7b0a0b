//! A real Secret Service.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};

use super::{PATIENCE, part, script};

/// A real, unlocked `gnome-keyring-daemon` on a session bus of its own.
///
/// `tests/real/keyring.sh` holds both, for as long as its standard input is open: they end with
/// this value, and with the test program however that ends.
pub(crate) struct GnomeKeyring {
    keeper: Child,
    env: Vec<(String, String)>,
}

impl GnomeKeyring {
    const EXPORTED: [&str; 8] = [
        "BROKERD_TEST_KEYRING_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
        "HOME",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
    ];

    /// Starts an empty keyring, or skips the test.
    pub(crate) fn start(test: &str) -> Result<Option<Self>> {
        if part("BROKERD_TEST_GNOME_KEYRING", test)?.is_none() {
            return Ok(None);
        }
        let keeper = Command::new(script("keyring.sh"))
            .args(["sh", "-c", r"env -0; printf '\0'; exec cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("keyring.sh")?;
        let mut keyring = Self { keeper, env: Vec::new() };
        let stdout = keyring.keeper.stdout.take().context("standard output")?;
        let (sender, variables) = mpsc::channel();
        thread::spawn(move || {
            for entry in BufReader::new(stdout).split(0).map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&entry).into_owned()).is_err() {
                    return;
                }
            }
        });
        loop {
            let entry = variables.recv_timeout(PATIENCE).context("keyring.sh does not start")?;
            match entry.split_once('=') {
                Some((name, value)) if Self::EXPORTED.contains(&name) => {
                    keyring.env.push((name.to_owned(), value.to_owned()));
                }
                Some(_) => {}
                None => return Ok(Some(keyring)), // the empty entry after the last
            }
        }
    }

    /// Returns what a program must have in its environment to use this keyring.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Locks it, as a screen lock may. Nobody can be asked for the password: a use of it fails.
    pub(crate) fn lock(&self) -> Result<()> {
        self.control(&["lock"])
    }

    /// Unlocks it with its password, as signing in does.
    pub(crate) fn unlock(&self) -> Result<()> {
        self.control(&["unlock"])
    }

    /// Kills the daemon; the name `org.freedesktop.secrets` has no owner then.
    pub(crate) fn kill(&self) -> Result<()> {
        self.control(&["kill"])
    }

    /// Starts a daemon on the same keyring file after [`kill`](Self::kill), unlocked.
    pub(crate) fn start_again(&self) -> Result<()> {
        self.control(&["start"])
    }

    /// Starts a daemon on the same keyring file after [`kill`](Self::kill), locked.
    pub(crate) fn start_again_locked(&self) -> Result<()> {
        self.control(&["start", "locked"])
    }

    /// Makes the daemon hang, until [`cont`](Self::cont).
    pub(crate) fn stop(&self) -> Result<()> {
        self.control(&["stop"])
    }

    /// Lets the daemon go on.
    pub(crate) fn cont(&self) -> Result<()> {
        self.control(&["cont"])
    }

    /// Kills the session bus, and with it the daemon's reason to live.
    pub(crate) fn kill_bus(&self) -> Result<()> {
        self.control(&["kill-bus"])
    }

    /// Starts a bus at the same address after [`kill_bus`](Self::kill_bus). Nobody is on it yet.
    pub(crate) fn start_bus_again(&self) -> Result<()> {
        self.control(&["start-bus"])
    }

    fn control(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::new(script("bin/keyring-ctl")).args(arguments).envs(self.env()).output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "keyring-ctl {}: {complaint}", arguments.join(" "));
        Ok(())
    }
}

impl Drop for GnomeKeyring {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take()); // keyring.sh cleans up when its command has ended
        drop(self.keeper.wait());
    }
}
