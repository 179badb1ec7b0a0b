//! Scenarios: everything in one process, on a paused clock. One file a question; each test is named for what it defends.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

mod accounts;
mod claims;
mod corners;
mod crash;
mod endings;
mod entra;
mod fake_as;
mod family;
mod freshness;
mod grace;
mod index;
mod outage;
mod reload;

mod rotation;
mod shutdown;
mod sign_in;
mod sign_out;
mod silence;
mod single_flight;
mod step_up;
mod stuck_store;
mod watch;
mod wire;
