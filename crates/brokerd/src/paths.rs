//! Where this user's files are. The endpoint's own rule is in `broker_ipc::endpoint`: both ends need that one.

use std::io;
use std::path::{Path, PathBuf};

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

/// Makes a directory for the user alone, with those above it, if it is not there.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

#[cfg(windows)]
fn directory(_xdg: &str, _under_home: &str, windows: &str) -> PathBuf {
    var(windows).filter(|path| path.is_absolute()).unwrap_or_else(|| {
        let kind = if windows == "APPDATA" { "Roaming" } else { "Local" };
        std::env::home_dir().unwrap_or_default().join("AppData").join(kind)
    })
}

#[cfg(not(windows))]
fn directory(xdg: &str, under_home: &str, _windows: &str) -> PathBuf {
    // The XDG specification: a relative path there is to be ignored. macOS has the same places, as the documents say; only the
    // socket is elsewhere there, where its name is short enough.
    var(xdg).filter(|path| path.is_absolute()).unwrap_or_else(|| home().join(under_home))
}

#[cfg(not(windows))]
fn home() -> PathBuf {
    var("HOME").unwrap_or_else(|| PathBuf::from("/"))
}

fn var(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
