//! How a rig is set up before it starts.

use std::path::Path;
use std::sync::{Arc, Mutex};

use brokerd::clock::Clock;
use brokerd::server::Limits;
use brokerd::store::memory::MemoryStore;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;
use tracing::level_filters::LevelFilter;

use super::log::Log;
use super::{Rig, connecting};
use crate::fake_as::{ENTRA_CLIENT_ID, FakeAs, Options, Rotation};

/// When every scenario begins: 2027-01-15, in epoch seconds.
const BEGIN: i64 = 1_800_000_000;
/// Plain HTTP is for loopback only; nothing listens there, the rig leads connections by port.
const ISSUERS: [&str; 2] = ["http://127.0.0.1:7001", "http://127.0.0.1:7002"];

/// The tenant that Entra's profiles are of, unless something else is said.
pub const CONTOSO: &str = "contoso.onmicrosoft.com";

/// A rig before it starts.
#[must_use]
pub struct Setup {
    options: Options,
    limits: Limits,
    config: Option<String>,
    log_level: LevelFilter,
    seed: Option<u64>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            options: Options { issuer: ISSUERS[0].into(), ..Options::default() },
            limits: Limits::default(),
            config: Some(config("")),
            log_level: LevelFilter::TRACE,
            seed: None,
        }
    }
}

impl Setup {
    /// Changes the provider of `work`.
    pub fn provider(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Adds lines to the profile `work`.
    pub fn profile(mut self, lines: &str) -> Self {
        self.config = Some(config(lines));
        self
    }

    /// Makes the provider of `work` Entra, which lets a spent refresh token be, and `work` a profile there, with more lines.
    pub fn entra(self, lines: &str) -> Self {
        self.provider(|options| options.rotation = Rotation::Tolerant).config(Some(&entra_profile(
            "work",
            CONTOSO,
            ENTRA_CLIENT_ID,
            lines,
        )))
    }

    /// Takes this configuration, or none at all.
    pub fn config(mut self, text: Option<&str>) -> Self {
        self.config = text.map(str::to_owned);
        self
    }

    /// Changes the server's limits.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Keeps less of the log, where thousands of rigs live.
    pub fn log_level(mut self, level: LevelFilter) -> Self {
        self.log_level = level;
        self
    }

    /// Draws the daemon's pauses from this seed.
    pub fn chance(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the daemon.
    pub fn start(self) -> Rig {
        let log = Log::start(self.log_level);
        let door = Arc::new(Mutex::new(None));
        let mut rig = Rig {
            fake: FakeAs::new(self.options),
            other: FakeAs::new(Options { issuer: ISSUERS[1].into(), ..Options::default() }),
            store: MemoryStore::new(),
            client: connecting(&door),
            directory: tempfile::tempdir().expect("a directory for temporary files"),
            door,
            limits: self.limits,
            clock: Clock::following_tokio(Timestamp::from_second(BEGIN).expect("it is in range")),
            seed: self.seed,
            broker: None,
            tasks: TaskTracker::new(),
            log,
        };
        if let Some(config) = &self.config {
            rig.write_config(config);
        }
        rig.run();
        rig
    }
}

/// A profile at Entra, which the provider of `work` speaks for, with more lines.
pub fn entra_profile(name: &str, tenant: &str, client_id: &str, lines: &str) -> String {
    let [authority, _] = ISSUERS;
    format!(
        "[profiles.{name}]\nprovider = \"entra\"\nauthority = \"{authority}\"\ntenant = \"{tenant}\"\n\
         client_id = \"{client_id}\"\nscopes = [\"User.Read\"]\n{lines}\n"
    )
}

/// The configuration of most scenarios, with more lines in the profile `work`.
pub(super) fn config(work: &str) -> String {
    let [issuer, other] = ISSUERS;
    format!(
        r#"
default_profile = "work"

[store]
kind = "memory"

[profiles.work]
issuer = "{issuer}"
client_id = "cli"
scopes = ["openid", "offline_access", "read", "write"]
{work}

[profiles.other]
issuer = "{other}"
client_id = "cli"
scopes = ["openid", "offline_access", "read"]
"#
    )
}

/// Writes a file that is the user's alone.
pub(super) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the directory is ours");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("the file is ours");
    }
}

/// Copies what a daemon keeps on disk.
pub(super) fn copy(from: &TempDir) -> TempDir {
    let to = tempfile::tempdir().expect("a directory for temporary files");
    std::fs::create_dir(to.path().join("state")).expect("the directory is ours");
    for name in ["config.toml", "state/accounts.json", "state/prompts.json"] {
        if let Ok(text) = std::fs::read_to_string(from.path().join(name)) {
            write_private(&to.path().join(name), &text);
        }
    }
    to
}
