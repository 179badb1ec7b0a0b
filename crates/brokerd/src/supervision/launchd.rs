//! launchd, which starts again whatever fails and knows no exit code that ends that, as systemd does.

/// Set by the property list of the `LaunchAgent`, and by nothing else: what launchd sets itself, a terminal's programs inherit.
const VARIABLE: &str = "BROKERD_SERVICE_MANAGER";

/// Returns whether it is launchd that started this process, so that only a success ends the restarts.
pub fn restarts_every_failure() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|manager| manager == "launchd")
}
