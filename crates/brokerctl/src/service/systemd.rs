//! systemd's manager of the user's services.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};

use super::files::{Files, Wanted};
use super::tool::run;
use super::{Done, Plan, State, no_manager, text};
use crate::editor;
use crate::failure::Failure;

const MANAGER: &str = "systemd";
const SOCKET: &str = "brokerd.socket";
const SERVICE: &str = "brokerd.service";
const UNITS: [(&str, &str); 2] = [
    (SOCKET, include_str!("../../../../systemd/brokerd.socket")),
    (SERVICE, include_str!("../../../../systemd/brokerd.service")),
];
/// Where packages and administrators put units, the strongest first.
const DIRECTORIES: [&str; 3] = ["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"];

/// Where this user's units are, and what was written there.
struct Place {
    wanted: Vec<Wanted>,
    files: Files,
    /// The directory of a package whose units are the same: nothing need be written.
    packaged: Option<&'static str>,
}

impl Place {
    fn new(plan: &Plan) -> Result<Self, Failure> {
        let units = directory("XDG_CONFIG_HOME", ".config")?.join("systemd/user");
        let wanted =
            UNITS.iter().map(|(name, unit)| Ok(Wanted { path: units.join(name), text: rendered(unit, plan)? }));
        let wanted: Vec<Wanted> = wanted.collect::<Result<_, Failure>>()?;
        let files = Files::open(directory("XDG_STATE_HOME", ".local/state")?.join("brokerd/service.json"));
        let own = wanted.iter().any(|unit| unit.path.exists());
        let same = |directory: &&str| {
            let is_there = |((name, _), wanted): (&(&str, &str), &Wanted)| {
                std::fs::read_to_string(Path::new(directory).join(name)).is_ok_and(|text| text == wanted.text)
            };
            UNITS.iter().zip(&wanted).all(is_there)
        };
        let packaged = DIRECTORIES.into_iter().find(|directory| !own && same(directory));
        Ok(Self { wanted, files, packaged })
    }
}

pub(super) fn install(client: &Client, plan: &Plan) -> Result<Done, Failure> {
    reachable(plan)?;
    let mut place = Place::new(plan)?;
    place.files.check(&place.wanted, plan.force)?;
    refuse_another(client)?;
    let mut done = Vec::new();
    let mut unchanged = Vec::new();
    if let Some(directory) = place.packaged {
        unchanged.push(format!("the units of the package, in {directory}"));
    } else {
        for unit in &place.wanted {
            match place.files.put(unit)? {
                Some(step) => done.push(step),
                None => unchanged.push(unit.path.display().to_string()),
            }
        }
        if !done.is_empty() {
            systemctl(&["daemon-reload"])?;
        }
    }
    let before = units()?;
    if is(&before, SOCKET, "UnitFileState", "enabled") && is(&before, SOCKET, "ActiveState", "active") {
        unchanged.push(format!("{SOCKET} is enabled and listens"));
    } else {
        systemctl(&["enable", "--now", SOCKET])?;
        done.push(format!("enabled and started {SOCKET}"));
    }
    // Another version of a unit, or of the program, is used from the next start on.
    let old = is(&before, SERVICE, "ActiveState", "active")
        && (!done.is_empty() || client.status()?.version != env!("CARGO_PKG_VERSION"));
    if old {
        systemctl(&["restart", SERVICE])?;
        done.push(format!("restarted {SERVICE}"));
    }
    let status = client.status()?;
    done.push(format!("asked brokerd {}, which answers as process {}", status.version, status.pid));
    Ok(Done { manager: MANAGER, steps: done, unchanged })
}

pub(super) fn uninstall(plan: &Plan) -> Result<Done, Failure> {
    reachable(plan)?;
    let mut place = Place::new(plan)?;
    place.files.check(&place.wanted, plan.force)?;
    let (mut done, mut unchanged) = (Vec::new(), Vec::new());
    let before = units()?;
    let there: Vec<&str> =
        [SOCKET, SERVICE].into_iter().filter(|unit| is(&before, unit, "LoadState", "loaded")).collect();
    let in_use =
        |unit: &&str| is(&before, unit, "ActiveState", "active") || is(&before, unit, "UnitFileState", "enabled");
    if there.iter().any(in_use) {
        systemctl(&[&["disable", "--now"], there.as_slice()].concat())?;
        done.push(format!("stopped and disabled {}", there.join(" and ")));
    }
    for unit in &place.wanted {
        done.extend(place.files.remove(unit)?);
    }
    if place.packaged.is_some() {
        unchanged.push("the units of the package stay".into());
    } else if !done.is_empty() {
        systemctl(&["daemon-reload"])?;
    }
    unchanged.push("the configuration, and the sign-ins in the keyring, stay; brokerctl logout --all ends them".into());
    Ok(Done { manager: MANAGER, steps: done, unchanged })
}

pub(super) fn state(plan: &Plan) -> Result<State, Failure> {
    reachable(plan)?;
    let place = Place::new(plan)?;
    let units = units()?;
    let pid = units.get(SERVICE).and_then(|unit| unit.get("MainPID")?.parse().ok()).filter(|pid| *pid != 0);
    let mut files: Vec<_> = place.wanted.iter().filter_map(|unit| place.files.state(unit)).collect();
    if files.is_empty() {
        let fragment =
            |unit: &BTreeMap<String, String>| unit.get("FragmentPath").filter(|path| !path.is_empty()).cloned();
        let found = units.values().filter_map(fragment);
        files.extend(found.map(|path| super::FileState { path, state: "other" }));
    }
    Ok(State {
        manager: MANAGER,
        installed: is(&units, SOCKET, "LoadState", "loaded") && is(&units, SERVICE, "LoadState", "loaded"),
        enabled: is(&units, SOCKET, "UnitFileState", "enabled") && is(&units, SOCKET, "ActiveState", "active"),
        running: pid.is_some(),
        pid,
        files,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "on Windows there is no log")]
pub(super) fn logs(follow: bool, lines: u32) -> Result<Command, Failure> {
    let mut command = Command::new("journalctl");
    command.args(["--user", "--unit", SERVICE, "--lines", &lines.to_string(), "--no-pager"]);
    command.args(follow.then_some("--follow"));
    Ok(command)
}

/// Fails, with what to do instead, where the user has no systemd that answers.
fn reachable(plan: &Plan) -> Result<(), Failure> {
    if systemctl(&["show", "--property=Version"]).is_ok() {
        return Ok(());
    }
    // sd_booted(3)
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(no_manager("there is no service manager here: systemd does not run", Some(plan)));
    }
    Err(ErrorBody::new(
        ErrorCode::NoServiceManager,
        "systemd runs, but this session does not reach the user's own services",
    )
    .with_hint("log in as the user (ssh, machinectl shell user@); su and sudo make no such session")
    .into())
}

/// A brokerd that somebody else started would lose its socket to systemd, and keep the store from the new one.
fn refuse_another(client: &Client) -> Result<(), Failure> {
    let Some(running) = editor::running(client)? else { return Ok(()) };
    // Asked second: the first question may have started it.
    let pid = running.pid.to_string();
    if is(&units()?, SERVICE, "MainPID", &pid) {
        return Ok(());
    }
    Err(ErrorBody::new(
        ErrorCode::Configuration,
        format!("a brokerd that systemd did not start runs already, as process {pid}"),
    )
    .with_hint(format!("nothing was done; stop it first (kill {pid}): no sign-in is lost"))
    .into())
}

fn systemctl(words: &[&str]) -> Result<String, Failure> {
    run(Command::new("systemctl").arg("--user").arg("--quiet").arg("--no-pager").args(words))
}

/// What systemd knows of the two units, by unit and property.
fn units() -> Result<BTreeMap<String, BTreeMap<String, String>>, Failure> {
    let properties = "--property=Id,LoadState,ActiveState,UnitFileState,FragmentPath,MainPID";
    Ok(parsed(&systemctl(&["show", properties, SOCKET, SERVICE])?))
}

fn parsed(shown: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let unit = |block: &str| -> BTreeMap<String, String> {
        block.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
    };
    shown.split("\n\n").map(unit).filter_map(|unit| Some((unit.get("Id")?.clone(), unit))).collect()
}

fn is(units: &BTreeMap<String, BTreeMap<String, String>>, unit: &str, property: &str, value: &str) -> bool {
    units.get(unit).and_then(|unit| unit.get(property)).is_some_and(|found| found == value)
}

/// A unit with these programs in its Exec lines.
fn rendered(unit: &str, plan: &Plan) -> Result<String, Failure> {
    let (brokerd, brokerctl) = (word(text(&plan.brokerd)?), word(text(&plan.brokerctl)?));
    let line = |line: &str| match line.split_once('=') {
        Some((key @ ("ExecStart" | "ExecReload"), _)) => {
            let program =
                |name: &str, with: &str| line.replacen(&format!("{key}=/usr/bin/{name}"), &format!("{key}={with}"), 1);
            if key == "ExecStart" { program("brokerd", &brokerd) } else { program("brokerctl", &brokerctl) }
        }
        _ => line.to_owned(),
    };
    Ok(unit.lines().map(line).collect::<Vec<_>>().join("\n") + "\n")
}

/// A path as a word of an Exec line (systemd.service(5)).
fn word(path: &str) -> String {
    let path = path.replace('%', "%%").replace('$', "$$");
    if path.contains([' ', '"', '\'', '\\', ';']) {
        return format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""));
    }
    path
}

fn directory(variable: &str, under_home: &str) -> Result<PathBuf, Failure> {
    let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set(variable).or_else(|| Some(set("HOME")?.join(under_home))).ok_or_else(|| {
        ErrorBody::new(ErrorCode::Configuration, "HOME is not set").with_hint("set it to your home directory").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(directory: &str) -> Plan {
        let at = |name| Path::new(directory).join(name);
        Plan { brokerd: at("brokerd"), brokerctl: at("brokerctl"), force: false }
    }

    #[test]
    fn the_units_of_a_package_are_those_of_the_repository() {
        for (name, unit) in UNITS {
            assert_eq!(rendered(unit, &plan("/usr/bin")).unwrap(), unit, "{name}");
        }
    }

    #[test]
    fn elsewhere_only_the_programs_paths_differ() {
        let (_, unit) = UNITS[1];
        let text = rendered(unit, &plan("/home/a b/100%/bin")).unwrap();
        let differing: Vec<_> =
            text.lines().zip(unit.lines()).filter(|(new, old)| new != old).map(|(new, _)| new).collect();
        assert_eq!(
            differing,
            ["ExecStart=\"/home/a b/100%%/bin/brokerd\"", "ExecReload=\"/home/a b/100%%/bin/brokerctl\" reload"]
        );
        assert_eq!(text.lines().count(), unit.lines().count());
        assert!(rendered(unit, &plan("/home/a\nExecStart=x")).is_err());
    }

    #[test]
    fn what_systemctl_shows_is_read() {
        let units = parsed("Id=brokerd.socket\nActiveState=active\n\nMainPID=7\nId=brokerd.service\nFragmentPath=\n");
        assert!(is(&units, SOCKET, "ActiveState", "active") && is(&units, SERVICE, "MainPID", "7"));
        assert!(!is(&units, SERVICE, "ActiveState", "active"));
    }
}
