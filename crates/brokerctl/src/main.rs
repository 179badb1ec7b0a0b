//! `brokerctl`: access tokens from brokerd, for scripts and for people.

use std::process::ExitCode;

fn main() -> ExitCode {
    brokerctl::run()
}
