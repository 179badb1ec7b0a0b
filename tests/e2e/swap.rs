//! Is what the daemon holds kept out of swap where it may be?

use anyhow::{Context as _, Result};
use rustix::process::{Resource, geteuid, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use support::processes::{Daemon, binaries};

use crate::real_parts::skip;
use crate::stage::Stage;

#[tokio::test]
async fn memory_is_locked_where_nothing_limits_that_and_nowhere_else() -> Result<()> {
    let is_above = capabilities(None)?.effective.contains(CapabilitySet::IPC_LOCK);
    if getrlimit(Resource::Memlock).current.is_some() && !is_above {
        return skip("swap::memory_is_locked_where_nothing_limits_that_and_nowhere_else", "there is a limit here");
    }
    let mut limited = vec!["/usr/bin/prlimit", "--memlock=8388608:8388608", "--"];
    if geteuid().is_root() {
        limited.splice(0..0, ["/usr/bin/setpriv", "--bounding-set=-ipc_lock", "--"]);
    }
    for (under, is_locked) in [(Vec::new(), true), (limited, false)] {
        let stage = Stage::new().await;
        let daemon = Daemon::launch(&stage.home).config(&stage.config()).under(under).try_start(binaries()).await?;
        stage.sign_in("alice").await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().context("a process")?))?;
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).context("a line")?.trim();
        assert_eq!(locked != "0 kB", is_locked, "{locked}");
    }
    Ok(())
}
