//! The process: accounts, flights, vault, outbound HTTP, LocalAPI server, configuration, supervision.
//!
//! `docs/ARCHITECTURE.md` is the map.

pub mod account;
pub mod accounts;
pub mod acquire;
pub mod broker;
pub mod clock;
pub mod config;
pub mod events;
pub mod explain;
pub mod flight;
pub mod grant;
pub mod localapi;
pub mod log;
pub mod outbound;
pub mod paths;
pub mod provider;
pub mod server;
pub mod sign_in;
pub mod store;
pub mod vault;
