//! The user's browser: a program with one argument, the page. Never a shell.

use std::io;
use std::process::{Child, Command, Stdio};

use super::Link;

/// How a page is opened on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Browser {
    program: String,
    first: &'static [&'static str],
}

impl Browser {
    /// Finds it; `None` where there is no screen to open one on, as over ssh. `xdg-open` would then start one of those that
    /// live in a terminal, in ours.
    pub(crate) fn find() -> Option<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let with = |program: &str, first| Some(Self { program: program.to_owned(), first });
        // A remote development environment opens pages on the user's own machine by this. Its other form, with arguments
        // or several programs, is for shells.
        let is_one = |program: &String| program.starts_with('/') && !program.contains([' ', ':', '%', '\t']);
        if let Some(program) = set("BROWSER").filter(is_one) {
            return with(&program, &[]);
        }
        if cfg!(windows) {
            return with("rundll32", &["url.dll,FileProtocolHandler"]);
        }
        if cfg!(target_os = "macos") {
            let is_remote = set("SSH_CONNECTION").is_some();
            return if is_remote { None } else { with("open", &[]) };
        }
        if set("WSL_DISTRO_NAME").is_some() {
            return with("wslview", &[]);
        }
        let has_screen = set("DISPLAY").or_else(|| set("WAYLAND_DISPLAY")).is_some();
        if has_screen { with("xdg-open", &[]) } else { None }
    }

    /// Opens a page. The program is in a process group of its own: Ctrl-C is not for it.
    pub(crate) fn open(&self, link: &Link) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.args(self.first).arg(link.as_str());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_started_only_where_there_is_one() {
        let program = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
            Browser::of(|name| find(name).map(|(_, value)| (*value).to_owned())).map(|browser| browser.program)
        };
        for (variables, found) in [
            (&[][..], None),
            (&[("DISPLAY", ":0")], Some("xdg-open")),
            (&[("WAYLAND_DISPLAY", "wayland-0")], Some("xdg-open")),
            (&[("WSL_DISTRO_NAME", "Debian")], Some("wslview")),
            (&[("BROWSER", "/opt/helper.sh")], Some("/opt/helper.sh")),
            (&[("BROWSER", "/bin/sh -c 'rm %s'")], None),
            (&[("BROWSER", "firefox:lynx")], None),
            (&[("BROWSER", "lynx"), ("DISPLAY", ":0")], Some("xdg-open")),
            (&[("SSH_CONNECTION", "1 2 3 4")], None),
        ] {
            assert_eq!(program(variables).as_deref(), found, "{variables:?}");
        }
    }
}
