//! A home directory for one test, and the environment that goes with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::Command;

use crate::canary::Canary;

/// A private home with runtime, configuration and state directories; removed when dropped.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
    canary: Arc<Canary>,
}

impl Home {
    /// Makes one.
    pub fn new() -> Self {
        Self::create().unwrap_or_else(|error| panic!("a temporary directory: {error}"))
    }

    /// Makes one, or says why not.
    pub fn create() -> io::Result<Self> {
        // The name is short: a Unix socket's path has at most 104 bytes on macOS.
        let directory = tempfile::Builder::new().prefix("brokerd-").tempdir()?;
        let home = Self { directory, canary: Arc::default() };
        for directory in [home.runtime().join("brokerd"), home.config().join("brokerd"), home.state()] {
            fs::create_dir_all(directory)?;
        }
        for directory in [home.runtime(), home.runtime().join("brokerd")] {
            private(&directory, 0o700)?;
        }
        Ok(home)
    }

    /// Returns what looks for secrets around the processes of this home.
    pub fn canary(&self) -> &Arc<Canary> {
        &self.canary
    }

    /// Returns the home directory itself.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns `$XDG_RUNTIME_DIR`.
    pub fn runtime(&self) -> PathBuf {
        self.path().join("run")
    }

    /// Returns `$XDG_CONFIG_HOME`.
    pub fn config(&self) -> PathBuf {
        self.path().join("config")
    }

    /// Returns `$XDG_STATE_HOME`.
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Returns the daemon's configuration file, in its default place.
    pub fn config_file(&self) -> PathBuf {
        self.config().join("brokerd").join("config.toml")
    }

    /// Returns the file the daemons of this home write their stderr and stdout to, one after the other.
    pub fn log_file(&self) -> PathBuf {
        self.path().join("brokerd.log")
    }

    /// Returns the daemon's endpoint, in its default place.
    pub fn socket(&self) -> PathBuf {
        if cfg!(windows) {
            let name = self.path().file_name().unwrap_or_default().to_string_lossy();
            return PathBuf::from(format!(r"\\.\pipe\{name}"));
        }
        self.runtime().join("brokerd").join("brokerd.sock")
    }

    /// Writes a file that only its owner may read, and returns its path.
    pub fn write(&self, name: impl AsRef<Path>, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path().join(name);
        fs::write(&path, content)?;
        private(&path, 0o600)?;
        Ok(path)
    }

    /// Writes a program that only its owner may run, and returns its path.
    #[cfg(unix)]
    pub fn program(&self, name: impl AsRef<Path>, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path().join(name);
        super::write_program(&path, content)?;
        Ok(path)
    }

    /// Returns a command with this home's environment and nothing of the caller's, its D-Bus and proxies included.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("XDG_CONFIG_HOME", self.config())
            .env("XDG_STATE_HOME", self.state())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(self.path())
            .kill_on_drop(true);
        #[cfg(windows)]
        {
            command.env("APPDATA", self.config()).env("LOCALAPPDATA", self.state()).env("USERPROFILE", self.path());
            // Without the first Windows opens no socket, without the second it finds none of its own programs.
            for name in ["SystemRoot", "PATH"] {
                command.envs(std::env::var_os(name).map(|value| (name, value)));
            }
        }
        command
    }

    /// Leaves the directory in place, and returns it.
    pub fn keep(self) -> PathBuf {
        self.directory.keep()
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn private(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}
