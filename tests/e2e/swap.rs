//! Is what the daemon holds kept out of swap where it may be?

use anyhow::{Context as _, Result};
use rustix::thread::{CapabilitySet, capabilities};
use support::processes::Daemon;

use crate::real_parts::skip;
use crate::stage::Stage;

/// The first user namespace, as Linux calls it (`USER_NS_INIT_INO`).
const FIRST: &str = "user:[4026531837]";

#[tokio::test]
async fn memory_is_locked_where_nothing_limits_that() -> Result<()> {
    let may_lock = capabilities(None)?.effective.contains(CapabilitySet::IPC_LOCK);
    if !may_lock || std::fs::read_link("/proc/self/ns/user")?.as_os_str() != FIRST {
        return skip("swap::memory_is_locked_where_nothing_limits_that", "locking memory takes CAP_IPC_LOCK");
    }
    let stage = Stage::new().await;
    let daemon = Daemon::start(&stage.home, &stage.config()).await;
    stage.sign_in("alice").await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().context("a process")?))?;
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).context("a line")?.trim();
    assert_ne!(locked, "0 kB");
    Ok(())
}
