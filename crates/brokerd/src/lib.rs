//! The process: accounts, flights, vault, outbound HTTP, LocalAPI server, configuration, supervision.
//!
//! `docs/ARCHITECTURE.md` is the map.

pub(crate) mod account;
pub(crate) mod accounts;
pub(crate) mod acquire;
pub mod arguments;
pub mod audit;
pub mod broker;
pub mod chance;
pub mod check;
pub mod clock;
pub mod config;
pub(crate) mod correlation;
pub mod edit_config;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod family;
pub(crate) mod flight;
pub(crate) mod grant;
pub mod harden;
pub mod localapi;
pub mod log;
pub mod outbound;
pub mod paths;
pub(crate) mod provider;
pub(crate) mod raise;
pub(crate) mod replace;
pub(crate) mod restricted;
pub mod server;
pub(crate) mod sign_in;
pub mod store;
pub mod supervision;
pub mod vault;
pub(crate) mod wiped;
