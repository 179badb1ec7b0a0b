//! The process: accounts, flights, vault, outbound HTTP, LocalAPI server, configuration, supervision.
//!
//! `docs/ARCHITECTURE.md` is the map.

pub mod clock;
pub mod config;
pub mod grant;
pub mod outbound;
pub mod paths;
pub mod provider;
pub mod store;
