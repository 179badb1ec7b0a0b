//! brokerd's wire: what both ends of the socket must agree on.
//!
//! | module | answers |
//! |---|---|
//! | [`api`] | what is said: request, response and event types of LocalAPI v1 |
//! | [`error`] | what can go wrong: the closed list of error codes, with HTTP status and exit code |
//! | [`edit`] | what `brokerctl profile` asks of `brokerd --edit-config` |
//! | [`endpoint`] | where: the socket's or pipe's name |
//! | [`connect`] | how a client gets there, and that the server is the same user's |
//! | `listen` | how the daemon listens there, alone (feature `tokio`) |
//! | [`peer`] | who is on the other end |
//! | [`stream`] | the connection itself |
//! | [`deadline`] | when a blocking client gives up |
//! | `user` | whether a user id is surely this process's (on Unix) |
//! | [`wipe`] | how bytes that held a secret are overwritten |
//!
//! This crate knows nothing of OAuth. `docs/PROTOCOL.md` is the same contract in prose, `docs/openapi.yaml` for tools.

pub mod api;
pub mod connect;
pub mod deadline;
pub mod edit;
pub mod endpoint;
pub mod error;
#[cfg(feature = "tokio")]
pub mod listen;
pub mod peer;
pub mod stream;
pub mod user;
pub mod wipe;
