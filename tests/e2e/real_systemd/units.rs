//! The unit files themselves.

use std::path::Path;

use super::*;

/// Directives that make a user manager put a service into a user namespace, or would where it could: systemd.exec(5), "Paths" and
/// "Sandboxing", up to systemd 258, with the older names of some.
const NAMESPACED: [&str; 50] = [
    "BindPaths",
    "BindReadOnlyPaths",
    "CapabilityBoundingSet",
    "DelegateNamespaces",
    "DynamicUser",
    "ExecPaths",
    "ExtensionDirectories",
    "ExtensionImages",
    "IPCNamespacePath",
    "InaccessibleDirectories",
    "InaccessiblePaths",
    "LogNamespace",
    "MountAPIVFS",
    "MountFlags",
    "MountImages",
    "NetworkNamespacePath",
    "NoExecPaths",
    "PrivateBPF",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivatePIDs",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyDirectories",
    "ReadOnlyPaths",
    "ReadWriteDirectories",
    "ReadWritePaths",
    "RootDirectory",
    "RootDirectoryStartOnly",
    "RootEphemeral",
    "RootHash",
    "RootHashSignature",
    "RootImage",
    "RootImageOptions",
    "RootImagePolicy",
    "RootVerity",
    "TemporaryFileSystem",
    "UserNamespacePath",
];

/// What keeps its memory off the disk. A user manager cannot lift the last: brokerd@ alone has it.
const MEMORY: [(&str, &str); 3] = [("LimitCORE", "0"), ("MemorySwapMax", "0"), ("LimitMEMLOCK", "infinity")];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn directives(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='))
}

#[test]
fn the_user_unit_makes_no_namespace() {
    let text = unit("brokerd.service");
    for (name, _) in directives(&text) {
        assert!(!NAMESPACED.contains(&name), "{name}= would let the user's other processes read brokerd's memory");
    }
}

#[test]
fn neither_unit_lets_memory_come_to_the_disk() {
    for (name, lines) in [("brokerd.service", &MEMORY[..2]), ("brokerd@.service", &MEMORY[..])] {
        let text = unit(name);
        for &wanted in lines {
            let said: Vec<_> = directives(&text).filter(|(name, _)| *name == wanted.0).collect();
            assert_eq!(said, [wanted], "{name}");
        }
    }
}

#[test]
fn the_directory_of_the_binaries_stands_in_the_exec_lines_and_nowhere_else() {
    for name in ["brokerd.service", "brokerd@.service"] {
        let text = unit(name);
        let lines: Vec<_> = directives(&text).filter(|(_, value)| value.contains("/usr/")).collect();
        assert_eq!(lines, [("ExecStart", "/usr/bin/brokerd"), ("ExecReload", "/usr/bin/brokerctl reload")], "{name}");
    }
}

#[tokio::test]
async fn systemd_finds_nothing_wrong_with_them_and_its_score_is_the_documented_one() -> Result<()> {
    let Some(stage) = Stage::set("systemd_finds_nothing_wrong").await? else { return Ok(()) };
    let machine = &stage.machine;
    // An unknown key alone is a line on stderr and exit code 0. There are no man pages in the machine.
    let verify = "systemd-analyze verify --man=no";
    for script in [
        format!("{verify} --user brokerd.service brokerd.socket"),
        format!("{verify} brokerd@ada.service brokerd@ada.socket"),
    ] {
        let verified = machine.run(&script).await?;
        ensure!((verified.code, verified.stderr.as_str()) == (Some(0), ""), "{script}: {verified:?}");
    }
    let documented = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/README.md"))?;
    for (unit, arguments) in [("brokerd.service", "--user"), ("brokerd@ada.service", "")] {
        let file = format!("$(systemctl {arguments} show -p FragmentPath --value {unit})");
        let told = machine.ok(&format!("systemd-analyze security --offline=yes --no-pager {arguments} {file}")).await?;
        let score =
            told.lines().last().and_then(|line| line.split_whitespace().find(|word| word.parse::<f32>().is_ok()));
        let score = score.context("a score")?;
        ensure!(documented.contains(&format!("| {score} |")), "{unit}: {score} is not in systemd/README.md: {told}");
    }
    stage.end().await
}
