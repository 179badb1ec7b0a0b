//! brokerd's inside. `docs/ARCHITECTURE.md` is the map.

pub mod clock;
pub mod config;
pub mod grant;
pub mod paths;
pub mod store;
