//! Scenarios: everything in one process, on a paused clock. One file a question; each test is named for what it defends.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

mod accounts;
mod crash;
mod endings;
mod fake_as;
mod outage;
mod rotation;
mod sign_in;
mod sign_out;
mod silence;
mod single_flight;
mod stuck_store;
