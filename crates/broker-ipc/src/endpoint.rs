//! Where the daemon listens and the client connects: one rule for both ends.
//!
//! 1. What the caller named, then `BROKERD_SOCKET`.
//! 2. Linux: `$XDG_RUNTIME_DIR/brokerd/brokerd.sock`, if that directory is the user's own: under `sudo -E` and `su` the
//!    variable may name another user's. Else `/run/user/<euid>/brokerd/brokerd.sock`, if that directory is the user's and
//!    0700 (cron has no variable, but a directory). Else `~/.local/state/brokerd/run/brokerd.sock`.
//! 3. macOS: `~/Library/Application Support/brokerd/run/brokerd.sock`.
//! 4. Windows: `\\.\pipe\brokerd-<user SID>`.
//!
//! Never `/tmp`, where anybody may squat a name, and never an abstract socket, which has no permissions.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The environment variable that names the endpoint.
pub const VARIABLE: &str = "BROKERD_SOCKET";

/// Bytes a socket's path may have, the closing NUL included: `sun_path`.
pub const MAX_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 108 } else { 104 };

/// What every pipe's name on this machine begins with.
const PIPES: &str = r"\\.\pipe\";

/// The name of a socket (Unix) or a pipe (Windows).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
    named: bool,
}

impl Endpoint {
    /// Returns the endpoint at `path`, as named by the user.
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), named: true }
    }

    /// Decides the endpoint: `explicit`, else `BROKERD_SOCKET`, else the platform's default.
    ///
    /// # Errors
    /// When the path does not fit a socket's name or is no pipe's, or neither the user nor a home directory is known.
    pub fn resolve(explicit: Option<&Path>) -> Result<Self, EndpointError> {
        let endpoint = decide(explicit, &|name| std::env::var_os(name), &Platform::current())?;
        endpoint.check()?;
        Ok(endpoint)
    }

    /// Returns the path of the socket, or the name of the pipe.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the user named it, on the command line or in `BROKERD_SOCKET`.
    ///
    /// Such a one may be served by root too, for instance by a system service manager's socket unit.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Returns whether the user named another place than the one where brokerd listens when nobody does.
    pub fn is_elsewhere(&self) -> bool {
        let unnamed = |name: &str| if name == VARIABLE { None } else { std::env::var_os(name) };
        self.named && decide(None, &unnamed, &Platform::current()).map_or(true, |usual| usual.path != self.path)
    }

    /// Checks that the path fits `sun_path`; on Windows, that it is a pipe of this machine.
    pub(crate) fn check(&self) -> Result<(), EndpointError> {
        if cfg!(windows) && self.pipe_name().is_none() {
            return Err(EndpointError::NotAPipe { path: self.path.clone() });
        }
        if cfg!(unix) && self.path.as_os_str().len() >= MAX_PATH {
            return Err(EndpointError::TooLong { path: self.path.clone(), limit: MAX_PATH - 1 });
        }
        Ok(())
    }

    /// Returns what follows `\\.\pipe\`; `None` for any other path, another machine's pipe included.
    pub(crate) fn pipe_name(&self) -> Option<&str> {
        let path = self.path.to_str()?;
        let (prefix, name) = path.split_at_checked(PIPES.len())?;
        let valid = prefix.eq_ignore_ascii_case(PIPES) && !name.is_empty() && !name.contains(['\\', '/']);
        valid.then_some(name)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Why there is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A socket's name has no room for it.
    #[error("socket path {} is longer than the {limit} bytes a socket may have", path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
        /// The longest that fits.
        limit: usize,
    },
    /// Neither a runtime nor a home directory is known.
    #[error("no runtime directory and no HOME to put the socket in; set {VARIABLE}")]
    NoDirectory,
    /// On Windows: a path that is not a pipe's name on this machine.
    #[error(r"{} is not the name of a pipe: \\.\pipe\ and a name without slashes", path.display())]
    NotAPipe {
        /// The path.
        path: PathBuf,
    },
    /// On Windows: the system does not say who the user is.
    #[error("the user's SID, which is in the default pipe's name, is not known; set {VARIABLE}")]
    NoUser,
}

impl EndpointError {
    /// Returns one line of what to do about it, where its message does not say so already.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLong { .. } => Some("set BROKERD_SOCKET to a shorter path, for brokerd as for its clients"),
            Self::NotAPipe { .. } | Self::NoDirectory | Self::NoUser => None,
        }
    }
}

/// Which rule applies.
#[cfg_attr(not(all(test, unix)), expect(dead_code, reason = "each platform makes one of them; the tests make all"))]
enum Platform<'a> {
    Linux { euid: u32, directory: &'a dyn Fn(&Path) -> Option<DirectoryFacts> },
    MacOs,
    Windows { sid: Option<String> },
}

impl Platform<'_> {
    #[cfg(all(unix, not(target_os = "macos")))]
    fn current() -> Self {
        Self::Linux { euid: rustix::process::geteuid().as_raw(), directory: &directory_facts }
    }

    #[cfg(target_os = "macos")]
    fn current() -> Self {
        Self::MacOs
    }

    #[cfg(windows)]
    fn current() -> Self {
        Self::Windows { sid: broker_windows::user::current().ok() }
    }
}

/// Whose a directory is and who may enter.
#[cfg_attr(
    any(windows, target_os = "macos"),
    allow(dead_code, reason = "the rule that looks at directories is Linux's; the tests run it elsewhere too")
)]
#[derive(Clone, Copy)]
struct DirectoryFacts {
    owner: u32,
    mode: u32,
}

/// Looks at a directory without following a link to it.
#[cfg(all(unix, not(target_os = "macos")))]
fn directory_facts(path: &Path) -> Option<DirectoryFacts> {
    use std::os::unix::fs::MetadataExt;
    let facts = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some(DirectoryFacts { owner: facts.uid(), mode: facts.mode() })
}

/// The rule itself, on nothing but its arguments.
fn decide(
    explicit: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<OsString>,
    platform: &Platform<'_>,
) -> Result<Endpoint, EndpointError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = explicit.map(Path::to_path_buf).or_else(|| set(VARIABLE)) {
        return Ok(Endpoint::from_path(path));
    }
    // The base directory specification: a relative path there is to be ignored.
    let absolute = |name: &str| set(name).filter(|path| path.is_absolute());
    let path = match platform {
        Platform::Linux { euid, directory } => {
            let own = |path: &PathBuf| directory(path).is_some_and(|facts| facts.owner == *euid);
            let private =
                |path: &PathBuf| directory(path).is_some_and(|facts| facts.owner == *euid && facts.mode & OTHERS == 0);
            absolute("XDG_RUNTIME_DIR")
                .filter(own)
                .or_else(|| Some(PathBuf::from(format!("/run/user/{euid}"))).filter(private))
                .map(|runtime| runtime.join("brokerd"))
                .or_else(|| absolute("HOME").map(|home| home.join(".local/state/brokerd/run")))
                .ok_or(EndpointError::NoDirectory)?
                .join("brokerd.sock")
        }
        Platform::MacOs => absolute("HOME")
            .ok_or(EndpointError::NoDirectory)?
            .join("Library/Application Support/brokerd/run/brokerd.sock"),
        Platform::Windows { sid } => {
            let sid = sid.as_ref().ok_or(EndpointError::NoUser)?;
            PathBuf::from(format!("{PIPES}brokerd-{sid}"))
        }
    };
    Ok(Endpoint { path, named: false })
}

#[cfg(test)]
#[cfg(windows)]
mod windows_tests {
    use super::*;

    #[test]
    fn the_default_is_the_users_pipe() {
        let sid = broker_windows::user::current().unwrap();
        let endpoint = decide(None, &|_| None, &Platform::current()).unwrap();
        assert_eq!(endpoint.pipe_name(), Some(format!("brokerd-{sid}").as_str()));
        let error = Endpoint::resolve(Some(Path::new(r"C:\brokerd.sock"))).unwrap_err();
        assert!(matches!(error, EndpointError::NotAPipe { .. }), "{error}");
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    type Row<'a> = (u32, Option<&'a str>, &'a [(&'a str, &'a str)], &'a str, bool);

    fn own_and_foreign(path: &Path) -> Option<DirectoryFacts> {
        match path.to_str()? {
            "/run/user/1000" | "/rt" => Some(DirectoryFacts { owner: 1000, mode: 0o40700 }),
            "/rt-open" | "/run/user/1001" => Some(DirectoryFacts { owner: 1000, mode: 0o40755 }),
            "/rt-foreign" => Some(DirectoryFacts { owner: 7, mode: 0o40700 }),
            _ => None,
        }
    }

    fn linux(euid: u32) -> Platform<'static> {
        Platform::Linux { euid, directory: &own_and_foreign }
    }

    fn decided(
        platform: &Platform<'_>,
        explicit: Option<&str>,
        environment: &[(&str, &str)],
    ) -> Result<(String, bool), EndpointError> {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        decide(explicit.map(Path::new), &variable, platform).map(|endpoint| (endpoint.to_string(), endpoint.is_named()))
    }

    #[test]
    fn the_rule_goes_by_its_table() {
        let rt = "/rt/brokerd/brokerd.sock";
        let run = "/run/user/1000/brokerd/brokerd.sock";
        let home = "/h/.local/state/brokerd/run/brokerd.sock";
        let table: &[Row<'_>] = &[
            (1000, Some("/a/s"), &[("BROKERD_SOCKET", "/b/s"), ("XDG_RUNTIME_DIR", "/rt")], "/a/s", true),
            (1000, None, &[("BROKERD_SOCKET", "/b/s"), ("XDG_RUNTIME_DIR", "/rt")], "/b/s", true),
            (1000, None, &[("BROKERD_SOCKET", ""), ("XDG_RUNTIME_DIR", "/rt")], rt, false),
            (1000, None, &[("XDG_RUNTIME_DIR", "/rt-open")], "/rt-open/brokerd/brokerd.sock", false),
            // Not ours, not there, not absolute, empty: as if it were not set.
            (1000, None, &[("XDG_RUNTIME_DIR", "/rt-foreign")], run, false),
            (1000, None, &[("XDG_RUNTIME_DIR", "/none")], run, false),
            (1000, None, &[("XDG_RUNTIME_DIR", "rt")], run, false),
            (1000, None, &[("XDG_RUNTIME_DIR", "")], run, false),
            (1000, None, &[("HOME", "/h")], run, false),
            // 1001's is open, or another's; 1002 has none.
            (1001, None, &[("HOME", "/h")], home, false),
            (1002, None, &[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/rt")], home, false),
        ];
        for (euid, explicit, environment, path, named) in table {
            let got = decided(&linux(*euid), *explicit, environment);
            assert_eq!(got, Ok(((*path).to_owned(), *named)), "{euid} {explicit:?} {environment:?}");
        }
        assert_eq!(decided(&linux(1002), None, &[]), Err(EndpointError::NoDirectory));
        assert_eq!(decided(&linux(1002), None, &[("HOME", "h")]), Err(EndpointError::NoDirectory));
    }

    #[test]
    fn the_other_platforms_have_their_places() {
        let (path, _) = decided(&Platform::MacOs, None, &[("HOME", "/Users/ada")]).unwrap();
        assert_eq!(path, "/Users/ada/Library/Application Support/brokerd/run/brokerd.sock");
        assert!(path.len() < 104);
        let sid = Some("S-1-5-21-1".to_owned());
        let (path, _) = decided(&Platform::Windows { sid }, None, &[]).unwrap();
        assert_eq!(path, r"\\.\pipe\brokerd-S-1-5-21-1");
        let unknown = decided(&Platform::Windows { sid: None }, None, &[]);
        assert_eq!(unknown, Err(EndpointError::NoUser));
    }

    #[test]
    fn a_pipe_has_a_name_and_is_this_machines() {
        let named = |path: &str| Endpoint::from_path(path).pipe_name().map(str::to_owned);
        assert_eq!(named(r"\\.\pipe\b").as_deref(), Some("b"));
        assert_eq!(named(r"\\.\PIPE\a b:c").as_deref(), Some("a b:c"));
        for path in [r"\\.\pipe\", r"\\other\pipe\b", r"\\.\pipe\a\b", r"\\.\pipe\a/b", r"C:\b", "b", "", "/run/b.sock"]
        {
            assert_eq!(named(path), None, "{path}");
        }
    }

    #[test]
    fn the_usual_place_is_not_elsewhere_by_being_named() {
        let unnamed = |name: &str| if name == VARIABLE { None } else { std::env::var_os(name) };
        if let Ok(usual) = decide(None, &unnamed, &Platform::current()) {
            assert!(!usual.is_elsewhere() && !Endpoint::from_path(usual.path()).is_elsewhere());
        }
        assert!(Endpoint::from_path("/nonexistent/s").is_elsewhere());
    }

    #[test]
    fn a_path_that_does_not_fit_is_said_to_be_too_long() {
        let fits = format!("/{}", "x".repeat(MAX_PATH - 2));
        assert!(Endpoint::resolve(Some(Path::new(&fits))).is_ok());
        let error = Endpoint::resolve(Some(Path::new(&format!("{fits}x")))).unwrap_err();
        assert!(matches!(error, EndpointError::TooLong { limit, .. } if limit == MAX_PATH - 1));
        assert!(error.to_string().contains("longer than the"), "{error}");
    }
}
