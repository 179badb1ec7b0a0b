//! Scenarios: everything in one process, on a paused clock. One file a question; each test is named for what it defends.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

mod aadsts;
mod accounts;
mod authorities;
mod bad_input;
mod binding;
mod changed_meanwhile;
mod claims;
mod client_secrets;
mod corners;
mod crash;
mod deadlines;
mod doctor;
mod endings;
mod entra;
mod errors_page;
mod extra_parameters;
mod fake_as;
mod fake_as_entra;
mod family;
mod freshness;
mod grace;
mod impostors;
mod index;
mod keep_alive;
mod outage;
mod prompt_survives;
mod providers;
mod refusals;
mod reload;
mod rotation;
mod shutdown;
mod sign_in;
mod sign_out;
mod silence;
mod silent;
mod single_flight;
mod step_up;
mod strict_requests;
mod stuck_store;
mod support_ids;
mod throttling;
mod watch;
mod who;
mod wire;
