//! The process: accounts, flights, vault, outbound HTTP, LocalAPI server, configuration, supervision.

pub mod store;
pub mod vault;
