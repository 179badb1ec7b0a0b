//! What brokerd asks of Windows that no safe crate asks: who a user is, who may reach an object, pipes with time limits.
//!
//! | module | answers |
//! |---|---|
//! | [`sddl`] | what an access list says: whose an object is, and who may read or write it |
//! | `user` | who this process's user is |
//! | `security` | the access lists of pipes and files |
//! | `pipe` | named pipes: made for one user, with a server's and a client's process, read and written with a time limit |
//! | `console` | the keys that end every program of a console, left to the others |
//! | `process` | what a process executes, and this one hidden from others of its user |
//!
//! It is the one crate of the workspace with unsafe code, all of it calls of Win32 functions, each with the reason why it
//! may be made; `docs/decisions/0014-windows.md` says which safe crates were looked at. Nothing here knows brokerd: the
//! rules are in `broker-ipc` and `brokerd`. On other systems only [`sddl`] is there, which is text.

#[cfg(windows)]
pub mod console;
#[cfg(windows)]
pub mod pipe;
#[cfg(windows)]
pub mod process;
pub mod sddl;
#[cfg(windows)]
pub mod security;
#[cfg(windows)]
pub mod user;
#[cfg(windows)]
mod win32;
