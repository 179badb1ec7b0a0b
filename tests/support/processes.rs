//! Real processes: brokerd and brokerctl as built, in a home of their own, with nothing of the caller's environment.
//!
//! Every wait has a limit, and every panic carries what the processes wrote.

mod binaries;
mod ctl;
mod daemon;
mod home;
#[cfg(unix)]
mod program;

pub use self::binaries::{Binaries, binaries, build};
pub use self::ctl::{Ctl, Output, Running, Stderr};
pub use self::daemon::{Daemon, Launch};
pub use self::home::Home;
#[cfg(unix)]
pub use self::program::write_program;
