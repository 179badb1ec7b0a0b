//! What the process asks of the kernel before it holds a secret.

/// No core dump, no reading of this process's memory by another of the same user, no swap where it may lock its memory, files for the
/// user alone, and a log line without a payload for a panic. What the platform cannot do is left out.
pub fn harden() {
    hide_memory();
    // A panic's message can hold the value it is about; its place is enough to find it.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task failed");
    }));
}

#[cfg(unix)]
fn hide_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit, umask};

    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
    // A core pattern that is a pipe does not look at the limit; it does look at this flag, and so does ptrace.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "other processes of this user may read this one's memory");
    }
    #[cfg(target_os = "linux")]
    keep_out_of_swap();
    umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Pages are locked as they are touched. Only where nothing limits what may be locked (`ulimit -l`, or the capability that is above it):
/// at a limit the kernel would refuse this process memory that it needs, later. The shipped system unit lifts the limit. Both units forbid swap
/// as well, which takes the memory controller of cgroup v2: where that is missing, the user unit's memory is not kept out of it.
#[cfg(target_os = "linux")]
fn keep_out_of_swap() {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::process::{Resource, getrlimit};
    use rustix::thread::{CapabilitySet, capabilities};

    /// The first user namespace (`USER_NS_INIT_INO` of Linux): in another one the capability is held, and counts for nothing.
    const FIRST: &str = "user:[4026531837]";

    let is_above = || {
        std::fs::read_link("/proc/self/ns/user").is_ok_and(|namespace| namespace.as_os_str() == FIRST)
            && capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
    };
    if getrlimit(Resource::Memlock).current.is_some() && !is_above() {
        return;
    }
    let touched = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = mlockall(touched) {
        tracing::debug!(%error, "memory is not locked");
    }
}

#[cfg(windows)]
fn hide_memory() {
    let hidden = broker_windows::user::current().and_then(|user| broker_windows::process::hide(&user));
    if let Err(error) = hidden {
        tracing::warn!(%error, "other processes of this user may read this one's memory");
    }
}

/// What says where the state directory is.
const STATE_VARIABLE: &str = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_STATE_HOME" };

/// Another daemon uses the state directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "another brokerd of this user keeps its sign-ins with {}; stop it, or give this one its own {STATE_VARIABLE} and store",
    state_dir.display()
)]
pub struct NotAlone {
    state_dir: std::path::PathBuf,
}

/// Makes sure that no other daemon uses this state directory, for as long as the file returned is open. `None` where the
/// directory cannot be used at all: then the index is not kept either, and `status` says so.
pub fn alone(state_dir: &std::path::Path) -> Result<Option<std::fs::File>, NotAlone> {
    use std::fs::TryLockError;

    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let opened = builder.recursive(true).create(state_dir).and_then(|()| {
        std::fs::OpenOptions::new().create(true).write(true).truncate(false).open(state_dir.join("brokerd.lock"))
    });
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(state_dir = %state_dir.display(), %error, "the state directory cannot be used");
            return Ok(None);
        }
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(NotAlone { state_dir: state_dir.to_owned() }),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// As many connections as the descriptors allow, less a reserve for providers, the store and the log; the limit is raised
/// as far as the system lets the user.
pub fn connections() -> usize {
    const RESERVE: u64 = 64;
    let most = crate::server::Limits::default().connections;
    usize::try_from(descriptors().saturating_sub(RESERVE)).unwrap_or(most).clamp(16, most)
}

#[cfg(unix)]
fn descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn descriptors() -> u64 {
    u64::MAX
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read as _;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;

    /// Hardens the process for one test at a time: it has one panic hook.
    fn hardened() -> MutexGuard<'static, ()> {
        static ONE: Mutex<()> = Mutex::new(());
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        harden();
        one
    }

    #[test]
    fn nothing_of_the_process_is_dumped_or_readable_by_others() {
        let _one = hardened();
        let status = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = status.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert!(core.split_whitespace().nth(4) == Some("0"), "{core}");
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
        // Leaves other tests of this process their usual panic messages.
        drop(std::panic::take_hook());
    }

    #[test]
    fn a_panic_is_logged_by_its_place_alone() {
        let _one = hardened();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(writer)).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let failed = std::panic::catch_unwind(|| panic!("the value is {}", "s3cret"));
            assert!(failed.is_err());
        });
        drop(std::panic::take_hook());
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        assert!(log.contains("a task failed") && log.contains("harden.rs:"), "{log}");
        assert!(!log.contains("s3cret"), "{log}");
    }
}
