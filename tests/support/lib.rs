//! What the tests and the demo stand on: an authorization server of our own, a browser for its page, the
//! daemon in process, and real processes.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "test support: a panic is the report"
)]

pub mod browser;
pub mod canary;
pub mod exchange;
pub mod fake_as;
#[cfg(unix)]
pub mod figures;
pub mod fuzz;
pub mod hostile;
pub mod processes;
pub mod proxy;
pub mod resource;
pub mod rig;
