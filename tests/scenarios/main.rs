//! Scenarios: everything in one process, on a paused clock.

mod fake_as;
