//! Is the `LaunchAgent` one that launchd would take? A parser of property lists reads it, and the table below says which keys there are,
//! and of which type. Only a Mac can tell what launchd makes of it.

use std::path::{Path, PathBuf};

use plist::{Dictionary, Value};
use support::processes::{Daemon, binaries};

use crate::stage::Stage;

/// What a key may have.
enum Type {
    Boolean,
    Integer,
    Text,
    Texts,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A dictionary of these keys.
    Table(&'static [(&'static str, Self)]),
    /// A dictionary of the user's own keys, each with this.
    Map(&'static Self),
    Either(&'static [Self]),
}

use Type::{Boolean, Either, Integer, Map, OneOf, Table, Text, Texts};

/// The keys of `launchd.plist(5)`, but for those it calls gone or of no use to an agent, and the insides of `MachServices`,
/// `LaunchEvents` and `StartCalendarInterval`: whoever needs one adds it.
const AGENT: &[(&str, Type)] = &[
    ("AbandonProcessGroup", Boolean),
    ("AssociatedBundleIdentifiers", Either(&[Text, Texts])),
    ("Disabled", Boolean),
    ("EnablePressuredExit", Boolean),
    ("EnableTransactions", Boolean),
    ("EnvironmentVariables", Map(&Text)),
    ("ExitTimeOut", Integer),
    ("HardResourceLimits", Table(LIMITS)),
    (
        "KeepAlive",
        Either(&[
            Boolean,
            Table(&[
                ("Crashed", Boolean),
                ("OtherJobEnabled", Map(&Boolean)),
                ("PathState", Map(&Boolean)),
                ("SuccessfulExit", Boolean),
            ]),
        ]),
    ),
    ("Label", Text),
    ("LaunchOnlyOnce", Boolean),
    ("LegacyTimers", Boolean),
    ("LimitLoadToSessionType", Either(&[Text, Texts])),
    ("LowPriorityBackgroundIO", Boolean),
    ("LowPriorityIO", Boolean),
    ("Nice", Integer),
    ("ProcessType", OneOf(&["Adaptive", "Background", "Interactive", "Standard"])),
    ("Program", Text),
    ("ProgramArguments", Texts),
    ("QueueDirectories", Texts),
    ("RunAtLoad", Boolean),
    ("SoftResourceLimits", Table(LIMITS)),
    ("StandardErrorPath", Text),
    ("StandardInPath", Text),
    ("StandardOutPath", Text),
    ("StartInterval", Integer),
    ("StartOnMount", Boolean),
    ("ThrottleInterval", Integer),
    ("Umask", Either(&[Integer, Text])),
    ("WatchPaths", Texts),
    ("WorkingDirectory", Text),
];

const LIMITS: &[(&str, Type)] = &[
    ("Core", Integer),
    ("CPU", Integer),
    ("Data", Integer),
    ("FileSize", Integer),
    ("MemoryLock", Integer),
    ("NumberOfFiles", Integer),
    ("NumberOfProcesses", Integer),
    ("ResidentSetSize", Integer),
    ("Stack", Integer),
];

impl Type {
    fn has(&self, value: &Value) -> bool {
        match self {
            Boolean => value.as_boolean().is_some(),
            // All of them count something.
            Integer => value.as_unsigned_integer().is_some(),
            Text => value.as_string().is_some(),
            Texts => value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(|one| Text.has(one))),
            OneOf(words) => value.as_string().is_some_and(|word| words.contains(&word)),
            Table(keys) => value.as_dictionary().is_some_and(|table| wrong(table, keys).is_empty()),
            Map(what) => value.as_dictionary().is_some_and(|map| map.values().all(|value| what.has(value))),
            Either(types) => types.iter().any(|one| one.has(value)),
        }
    }
}

/// Returns the keys that there are not, and those with a value of another type.
fn wrong<'a>(table: &'a Dictionary, keys: &[(&str, Type)]) -> Vec<&'a str> {
    let right =
        |key: &str, value: &Value| keys.iter().find(|(name, _)| *name == key).is_some_and(|(_, what)| what.has(value));
    table.iter().filter(|(key, value)| !right(key, value)).map(|(key, _)| key.as_str()).collect()
}

fn agents() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../launchd");
    let files = std::fs::read_dir(directory).expect("a directory").map(|file| file.expect("a file").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "plist")).collect()
}

fn read(path: &Path) -> Dictionary {
    let value = Value::from_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    value.into_dictionary().expect("a dictionary")
}

#[test]
fn each_key_is_one_of_launchds_and_has_its_type() {
    assert!(!agents().is_empty());
    for path in agents() {
        let agent = read(&path);
        assert_eq!(wrong(&agent, AGENT), [""; 0], "{}", path.display());
        let label = agent["Label"].as_string().expect("a text");
        assert_eq!(path.file_stem().unwrap(), label, "launchd names a service by its label, people by its file");
    }
}

#[test]
fn what_launchd_would_not_take_is_seen() {
    for (what, text) in [
        ("KeepAlve", "<key>KeepAlve</key><true/>"),
        ("RunAtLoad", "<key>RunAtLoad</key><string>true</string>"),
        ("ProgramArguments", "<key>ProgramArguments</key><string>/bin/sh</string>"),
        ("KeepAlive", "<key>KeepAlive</key><dict><key>SuccessfulExit</key><integer>0</integer></dict>"),
        ("SoftResourceLimits", "<key>SoftResourceLimits</key><dict><key>Files</key><integer>9</integer></dict>"),
        ("ProcessType", "<key>ProcessType</key><string>Daemon</string>"),
        ("ExitTimeOut", "<key>ExitTimeOut</key><integer>-1</integer>"),
    ] {
        let whole = format!(r#"<plist version="1.0"><dict>{text}</dict></plist>"#);
        let agent = Value::from_reader_xml(whole.as_bytes()).expect("a property list").into_dictionary().unwrap();
        assert_eq!(wrong(&agent, AGENT), [what], "{text}");
    }
}

/// What launchd/README.md promises: there from login on, back after a crash or a kill, gone after a clean exit, and never killed before
/// brokerd's own ten seconds are over.
#[test]
fn the_agent_comes_back_after_a_crash_and_not_after_an_exit() {
    let agent = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../launchd/local.brokerd.plist"));
    assert_eq!(agent["RunAtLoad"].as_boolean(), Some(true));
    let keep_alive = agent["KeepAlive"].as_dictionary().expect("conditions");
    assert_eq!(keep_alive.len(), 1);
    assert_eq!(keep_alive["SuccessfulExit"].as_boolean(), Some(false));
    assert!(agent["ExitTimeOut"].as_unsigned_integer() > Some(10));
    assert_eq!(agent["Umask"].as_unsigned_integer(), Some(0o077));
    assert!(!agent.contains_key("Sockets"), "brokerd does not ask launchd for a socket");
    // As sh -c SCRIPT NAME: the program is the script's $0, and the script replaces the shell by it.
    let words = agent["ProgramArguments"].as_array().expect("words");
    let words: Vec<_> = words.iter().filter_map(Value::as_string).collect();
    assert_eq!((words[0], words[1], words[3], words.len()), ("/bin/sh", "-c", "/usr/local/bin/brokerd", 4));
    assert!(words[2].contains(r#"exec "$0" "#), "{}", words[2]);
}

/// It would be started again each second, for ever.
#[tokio::test]
async fn a_start_that_the_next_would_repeat_ends_as_a_success_under_launchd() {
    let agent = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../launchd/local.brokerd.plist"));
    let variables = agent["EnvironmentVariables"].as_dictionary().expect("variables");
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let mut second = Daemon::launch(&stage.home);
    for (name, value) in variables {
        second = second.env(name, value.as_string().expect("a text"));
    }
    let mut second = second.spawn(binaries()).expect("a process");
    assert_eq!(second.exited().await.code(), Some(0));
    let told = second.log();
    let why = format!("process {}", daemon.pid().expect("it runs"));
    assert!(told.contains(&why) && told.contains("exit code 0 in place of 6"), "{told}");
    let mut elsewhere = Daemon::launch(&stage.home).spawn(binaries()).expect("a process");
    assert_eq!(elsewhere.exited().await.code(), Some(6));
}

/// The script in it, run by the shell of this machine: the log is appended to, the program is the process itself.
#[cfg(unix)]
#[test]
fn the_agents_script_becomes_the_program_and_keeps_its_log() {
    let agent = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../launchd/local.brokerd.plist"));
    let words = agent["ProgramArguments"].as_array().expect("words");
    let script = words[2].as_string().expect("a script");
    let home = tempfile::tempdir().expect("a directory");
    let program = home.path().join("a program");
    support::processes::write_program(&program, b"#!/bin/sh\necho \"process $$\" >&2\n").unwrap();
    let mut wanted = Vec::new();
    for _ in 0..2 {
        let mut shell = std::process::Command::new("/bin/sh");
        let mut child = shell.arg("-c").arg(script).arg(&program).env("HOME", home.path()).spawn().unwrap();
        wanted.push(format!("process {}", child.id()));
        assert!(child.wait().unwrap().success());
    }
    let log = std::fs::read_to_string(home.path().join("Library/Logs/brokerd.log")).unwrap();
    assert_eq!(log.lines().collect::<Vec<_>>(), wanted);
}
