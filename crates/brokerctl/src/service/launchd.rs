//! launchd, which runs the agents of a user who is logged in. Nobody has yet run this on a Mac.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

#[cfg(target_os = "macos")]
use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};

use super::files::{Files, Wanted};
#[cfg(target_os = "macos")]
use super::{Done, State, tool::run};
use super::{Plan, text};
use crate::failure::Failure;

const LABEL: &str = "local.brokerd";
const PLIST: &str = include_str!("../../../../launchd/local.brokerd.plist");
/// What is replaced in it.
const PROGRAM: &str = "<string>/usr/local/bin/brokerd</string>";

/// How long between two questions whether a service has gone, and how many there are: its `ExitTimeOut`, and a little.
#[cfg(target_os = "macos")]
const PAUSE: Duration = Duration::from_millis(100);
const TRIES: u32 = 150;

#[cfg(target_os = "macos")]
const MANAGER: &str = "launchd";

#[cfg(target_os = "macos")]
pub(super) fn install(client: &Client, plan: &Plan) -> Result<Done, Failure> {
    let (wanted, mut files) = place(plan)?;
    files.check(std::slice::from_ref(&wanted), plan.force)?;
    let (mut done, mut unchanged) = (Vec::new(), Vec::new());
    let shown = run(&mut launchctl(&["print", &service()])).ok();
    let (loaded, running) = (shown.is_some(), shown.as_deref().and_then(pid).is_some());
    if !running && let Some(running) = crate::editor::running(client)? {
        let what = format!("a brokerd that launchd did not start runs already, as process {}", running.pid);
        return Err(ErrorBody::new(ErrorCode::Configuration, what)
            .with_hint(format!("nothing was done; stop it first (kill {}): no sign-in is lost", running.pid))
            .into());
    }
    // Before the file is another: if launchd does not let go of the service, the next try finds it all as it was.
    let changes = !files.is_as_wanted(&wanted);
    if loaded && changes {
        unload(PAUSE, |words| run(&mut launchctl(words)))?;
    }
    match files.put(&wanted)? {
        Some(step) => done.push(step),
        None => unchanged.push(wanted.path.display().to_string()),
    }
    if loaded && !changes {
        unchanged.push(format!("{LABEL} is loaded"));
        // It ended by itself, as where another brokerd ran: launchd starts it no more before the next login.
        if !running {
            run(&mut launchctl(&["kickstart", &service()]))?;
            done.push(format!("started {LABEL}"));
        }
    } else {
        run(&mut launchctl(&["enable", &service()]))?;
        run(&mut launchctl(&["bootstrap", &domain(), text(&wanted.path)?]))?;
        done.push(format!("loaded {LABEL}"));
    }
    Ok(Done { manager: MANAGER, steps: done, unchanged })
}

#[cfg(target_os = "macos")]
pub(super) fn uninstall(plan: &Plan) -> Result<Done, Failure> {
    let (wanted, mut files) = place(plan)?;
    files.check(std::slice::from_ref(&wanted), plan.force)?;
    let mut done = Vec::new();
    if run(&mut launchctl(&["print", &service()])).is_ok() {
        unload(PAUSE, |words| run(&mut launchctl(words)))?;
        done.push(format!("stopped {LABEL}"));
    }
    done.extend(files.remove(&wanted)?);
    let unchanged =
        vec!["the configuration, and the sign-ins in the keychain, stay; brokerctl logout --all ends them".into()];
    Ok(Done { manager: MANAGER, steps: done, unchanged })
}

#[cfg(target_os = "macos")]
pub(super) fn state(plan: &Plan) -> Result<State, Failure> {
    let (wanted, files) = place(plan)?;
    let shown = run(&mut launchctl(&["print", &service()])).ok();
    let pid = shown.as_deref().and_then(pid);
    Ok(State {
        manager: MANAGER,
        installed: wanted.path.exists(),
        enabled: shown.is_some(),
        running: pid.is_some(),
        pid,
        files: files.state(&wanted).into_iter().collect(),
    })
}

/// The agent writes its log itself: the shell in its property list sees to that.
#[cfg(target_os = "macos")]
pub(super) fn logs(follow: bool, lines: u32) -> Result<Command, Failure> {
    let mut command = Command::new("tail");
    command.args(["-n", &lines.to_string()]).args(follow.then_some("-F")).arg(home()?.join("Library/Logs/brokerd.log"));
    Ok(command)
}

fn place(plan: &Plan) -> Result<(Wanted, Files), Failure> {
    let home = home()?;
    let wanted =
        Wanted { path: home.join(format!("Library/LaunchAgents/{LABEL}.plist")), text: rendered(text(&plan.brokerd)?) };
    Ok((wanted, Files::open(home.join("Library/Application Support/brokerd/service.json"))))
}

fn launchctl(words: &[&str]) -> Command {
    let mut command = Command::new("/bin/launchctl");
    command.args(words);
    command
}

/// Stops the service, and waits until launchd has no more of it: one of the same label is refused before (5, input/output error).
fn unload(pause: Duration, mut launchctl: impl FnMut(&[&str]) -> Result<String, Failure>) -> Result<(), Failure> {
    // It fails where it does not wait for the end itself (36, now in progress): what counts is whether the service goes.
    let told = launchctl(&["bootout", &service()]);
    for _ in 0..TRIES {
        if launchctl(&["print", &service()]).is_err() {
            return Ok(());
        }
        std::thread::sleep(pause);
    }
    told?;
    Err(ErrorBody::new(ErrorCode::Internal, format!("launchd was told to stop {LABEL}, and has not"))
        .with_hint("wait a moment and try again; launchctl print says what it waits for")
        .into())
}

fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

fn service() -> String {
    format!("{}/{LABEL}", domain())
}

/// The process, in what `launchctl print` shows of a service.
fn pid(shown: &str) -> Option<u32> {
    shown.lines().find_map(|line| line.trim().strip_prefix("pid = ")?.parse().ok())
}

/// The property list with this program in it.
fn rendered(brokerd: &str) -> String {
    let escaped = brokerd.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    PLIST.replacen(PROGRAM, &format!("<string>{escaped}</string>"), 1)
}

fn home() -> Result<PathBuf, Failure> {
    env::var_os("HOME").map(PathBuf::from).ok_or_else(|| {
        ErrorBody::new(ErrorCode::Configuration, "HOME is not set").with_hint("set it to your home directory").into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tool::shown;
    use super::*;

    #[test]
    fn the_agent_of_a_package_is_that_of_the_repository() {
        assert_eq!(PLIST.matches(PROGRAM).count(), 1);
        assert_eq!(rendered("/usr/local/bin/brokerd"), PLIST);
        let elsewhere = rendered("/Users/ada & bob/<bin>/brokerd");
        assert!(elsewhere.contains("<string>/Users/ada &amp; bob/&lt;bin&gt;/brokerd</string>"), "{elsewhere}");
        assert_eq!(elsewhere.lines().count(), PLIST.lines().count());
    }

    #[test]
    fn launchctl_is_told_which_users_service() {
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(shown(&launchctl(&["print", &service()])), format!("/bin/launchctl print gui/{uid}/local.brokerd"));
        assert_eq!(pid("gui/501/local.brokerd = {\n\tstate = running\n\tpid = 4711\n}"), Some(4711));
        assert_eq!(pid("state = waiting"), None);
    }

    #[test]
    fn a_service_has_gone_before_the_next_is_loaded() {
        let refused =
            || Failure::from(ErrorBody::new(ErrorCode::Internal, "Boot-out failed: 36: Operation now in progress"));
        let mut asked = Vec::new();
        let unloaded = unload(Duration::ZERO, |words| {
            asked.push(words[0].to_owned());
            if words[0] == "print" && asked.len() < 4 { Ok(String::new()) } else { Err(refused()) }
        });
        unloaded.unwrap();
        assert_eq!(asked, ["bootout", "print", "print", "print"], "the last one found nothing");

        let mut asked = 0;
        let stays = unload(Duration::ZERO, |words| {
            asked += 1;
            if words[0] == "print" { Ok(String::new()) } else { Err(refused()) }
        });
        assert!(stays.unwrap_err().body().unwrap().error_description.contains("36"), "as launchctl said it");
        assert_eq!(asked, TRIES + 1);
        let stays = unload(Duration::ZERO, |_| Ok(String::new())).unwrap_err();
        assert!(stays.body().unwrap().error_description.contains("has not"));
    }

    #[test]
    fn the_agents_place_is_under_home() {
        let plan = Plan { brokerd: "/b".into(), brokerctl: "/c".into(), force: false };
        let (wanted, _) = place(&plan).unwrap();
        assert!(wanted.path.ends_with("Library/LaunchAgents/local.brokerd.plist"));
    }
}
