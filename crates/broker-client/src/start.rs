//! Where nothing listens: one line of what to do, as this machine starts things.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use broker_ipc::endpoint::Endpoint;

/// Where packages and administrators put the units of users.
const UNITS: [&str; 3] = ["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"];

/// Returns what to do where nothing listens at this endpoint.
pub(crate) fn hint(endpoint: &Endpoint) -> &'static str {
    // What would be started here listens at its own place, or the one that was meant is on another machine.
    if endpoint.is_elsewhere() {
        return "check that address: it is not brokerd's own, but one that was named, as by --socket or BROKERD_SOCKET";
    }
    Manager::here().start()
}

/// Who starts brokerd.
#[derive(Clone, Copy, Debug)]
enum Manager {
    Systemd { installed: bool },
    Launchd { installed: bool },
    Logon,
    Nobody,
}

impl Manager {
    fn here() -> Self {
        let variable = |name: &str| env::var_os(name);
        if cfg!(windows) {
            Self::Logon
        } else if cfg!(target_os = "macos") {
            let agent = home(variable).map(|home| home.join("Library/LaunchAgents/local.brokerd.plist"));
            Self::Launchd { installed: agent.is_some_and(|agent| agent.exists()) }
        } else if Path::new("/run/systemd/system").is_dir() {
            // sd_booted(3)
            Self::Systemd { installed: directories(variable).any(|units| units.join("brokerd.socket").exists()) }
        } else {
            Self::Nobody
        }
    }

    /// Not by a plain start where it is installed: of one that runs, whose socket somebody removed, that does nothing.
    fn start(self) -> &'static str {
        match self {
            Self::Systemd { installed: true } => "start it with `systemctl --user restart brokerd.socket brokerd`",
            Self::Launchd { installed: true } => "start it with `launchctl kickstart -k gui/$(id -u)/local.brokerd`",
            Self::Systemd { .. } | Self::Launchd { .. } | Self::Logon => "start it with `brokerctl service install`",
            Self::Nobody => "start it with `brokerd &`",
        }
    }
}

/// Where units of this user may be.
fn directories(variable: impl Fn(&str) -> Option<OsString>) -> impl Iterator<Item = PathBuf> {
    let configured = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let own = configured.or_else(|| Some(home(variable)?.join(".config")));
    own.map(|own| own.join("systemd/user")).into_iter().chain(UNITS.map(PathBuf::from))
}

fn home(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_installed_first() {
        let install = "start it with `brokerctl service install`";
        for manager in [Manager::Systemd { installed: false }, Manager::Launchd { installed: false }, Manager::Logon] {
            assert_eq!(manager.start(), install, "{manager:?}");
        }
        assert!(Manager::Systemd { installed: true }.start().contains("systemctl --user restart"));
        assert!(Manager::Launchd { installed: true }.start().contains("launchctl kickstart"));
        assert_eq!(Manager::Nobody.start(), "start it with `brokerd &`");
    }

    #[test]
    fn an_address_that_was_named_is_to_be_checked() {
        let hint = hint(&Endpoint::from_path("/run/x"));
        assert!(hint.starts_with("check that address") && hint.contains("BROKERD_SOCKET"), "{hint}");
    }

    #[cfg(unix)]
    #[test]
    fn units_are_looked_for_where_the_user_and_packages_have_them() {
        let first = |set: &[(&str, &str)]| {
            let variable =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            directories(variable).next()
        };
        assert_eq!(first(&[("HOME", "/h")]), Some("/h/.config/systemd/user".into()));
        assert_eq!(first(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]), Some("/c/systemd/user".into()));
        assert_eq!(first(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "c")]), Some("/h/.config/systemd/user".into()));
        assert_eq!(first(&[]), Some("/etc/systemd/user".into()));
    }
}
