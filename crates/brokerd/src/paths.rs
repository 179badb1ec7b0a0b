//! Where this user's files are. The endpoint's own rule is in `broker_ipc::endpoint`: both ends need that one.

use std::path::PathBuf;

/// The configuration file: `BROKERD_CONFIG`, else the platform's configuration directory.
pub fn config_file() -> PathBuf {
    match var("BROKERD_CONFIG") {
        Some(path) => path,
        None => directory("XDG_CONFIG_HOME", ".config", "APPDATA").join("brokerd").join("config.toml"),
    }
}

/// The directory of what the daemon keeps beside its secrets: the index, the sealed file.
pub fn state_dir() -> PathBuf {
    directory("XDG_STATE_HOME", ".local/state", "LOCALAPPDATA").join("brokerd")
}

#[cfg(windows)]
fn directory(_xdg: &str, _under_home: &str, windows: &str) -> PathBuf {
    var(windows).unwrap_or_default()
}

#[cfg(not(windows))]
fn directory(xdg: &str, under_home: &str, _windows: &str) -> PathBuf {
    // The XDG specification: a relative path there is to be ignored.
    match var(xdg).filter(|path| path.is_absolute()) {
        Some(path) => path,
        None if cfg!(target_os = "macos") => home().join("Library/Application Support"),
        None => home().join(under_home),
    }
}

#[cfg(not(windows))]
fn home() -> PathBuf {
    var("HOME").unwrap_or_else(|| PathBuf::from("/"))
}

fn var(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
