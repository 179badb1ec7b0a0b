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
    const TEST: &str = "swap::memory_is_locked_where_nothing_limits_that";
    if !has(CapabilitySet::IPC_LOCK)? {
        return skip(TEST, "locking memory takes CAP_IPC_LOCK");
    }
    assert_ne!(locked_under(&[]).await?, "0 kB");
    Ok(())
}

/// As `brokerd@.service` has it: no limit, and no capability.
#[tokio::test]
async fn memory_is_locked_without_the_capability_where_the_limit_is_lifted() -> Result<()> {
    const TEST: &str = "swap::memory_is_locked_without_the_capability_where_the_limit_is_lifted";
    if !has(CapabilitySet::SYS_RESOURCE | CapabilitySet::SETPCAP)? {
        return skip(TEST, "lifting the limit takes CAP_SYS_RESOURCE, and dropping a capability CAP_SETPCAP");
    }
    assert_ne!(locked_under(&["prlimit", "--memlock=unlimited", "setpriv", WITHOUT]).await?, "0 kB");
    Ok(())
}

/// There the kernel would refuse it memory later.
#[tokio::test]
async fn memory_is_not_locked_where_there_is_a_limit() -> Result<()> {
    const TEST: &str = "swap::memory_is_not_locked_where_there_is_a_limit";
    if !has(CapabilitySet::SETPCAP)? {
        return skip(TEST, "dropping a capability takes CAP_SETPCAP");
    }
    assert_eq!(locked_under(&["prlimit", "--memlock=1048576", "setpriv", WITHOUT]).await?, "0 kB");
    Ok(())
}

/// What takes from a command the capability that is above the limit.
const WITHOUT: &str = "--bounding-set=-ipc_lock";

/// Whether this process has a capability that counts.
fn has(capability: CapabilitySet) -> Result<bool> {
    let is_first = std::fs::read_link("/proc/self/ns/user")?.as_os_str() == FIRST;
    Ok(is_first && capabilities(None)?.effective.contains(capability))
}

/// How much of its memory a daemon that is started so has locked, once somebody has signed in.
async fn locked_under(words: &[&str]) -> Result<String> {
    let stage = Stage::new().await;
    let daemon = Daemon::launch(&stage.home).config(&stage.config()).under(words.iter().copied()).start().await;
    stage.sign_in("alice").await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().context("a process")?))?;
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).context("a line")?;
    Ok(locked.trim().to_owned())
}
