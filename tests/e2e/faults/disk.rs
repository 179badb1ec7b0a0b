//! The file system of the state directory, the sealed file in it.
//!
//! Root does not look at modes, so what cannot be written is made so by mounts, in a mount namespace that ends with the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::join_all;
use support::processes::{Binaries, Home, binaries};

use super::{Scene, Trouble, When};
use crate::real_parts::skip;
use crate::stage::Stage;

type Row = (&'static str, &'static str, &'static str, &'static str);

/// What, what callers are told to do, how it comes, how it goes: scripts, whose `$1` is the directory.
const TROUBLES: [Row; 3] = [
    ("no space", "make room there", r#"! head -c 1M /dev/zero >"$1/filler" 2>/dev/null"#, r#"rm "$1/filler""#),
    (
        "no room for another file",
        "make room there",
        r#"number=0; while touch "$1/filler-$number" 2>/dev/null; do number=$((number + 1)); done"#,
        r#"rm "$1"/filler-*"#,
    ),
    (
        "read-only",
        "mend what is named there",
        r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1""#,
        r#"umount "$1""#,
    ),
];

/// A mount namespace with a small file system as the state directory of a home.
struct Disk {
    /// Holds the namespace, until its standard input ends.
    holder: Child,
    directory: PathBuf,
}

impl Disk {
    fn mount(home: &Home) -> Result<Self> {
        let directory = home.state().join("brokerd");
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let script = r#"mount -t tmpfs -o size=256k,nr_inodes=64,mode=700 brokerd-test "$1" && echo ready && exec cat"#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", script, "sh"]).arg(&directory);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("unshare")?;
        let stdout = holder.stdout.take().context("standard output")?;
        let disk = Self { holder, directory };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "ready\n", "no file system");
        Ok(disk)
    }

    fn run(&self, script: &str) -> Result<()> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.holder.id())).args(["--mount", "--", "sh", "-c", script, "sh"]);
        let output = command.arg(&self.directory).output().context("nsenter")?;
        ensure!(output.status.success(), "{script}: {output:?}");
        Ok(())
    }

    /// The daemon, in the namespace.
    fn binaries(&self, home: &Home) -> Result<Binaries> {
        let script = format!(
            "#!/bin/sh\nexec nsenter --target={} --mount -- '{}' \"$@\"\n",
            self.holder.id(),
            binaries().brokerd.display()
        );
        let brokerd = home.program("brokerd-on-a-disk", script.as_bytes())?;
        Ok(Binaries { brokerd, ..binaries().clone() })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

async fn row((what, hint, comes, goes): Row, when: When) -> Result<()> {
    let stage = Stage::new().await;
    let disk = Disk::mount(&stage.home)?;
    let (config, binaries) = (stage.config(), disk.binaries(&stage.home)?);
    let scene = Scene { stage, config, environment: Vec::new(), binaries };
    let trouble = Trouble {
        code: "keyring_unavailable",
        hint,
        comes: Box::new(|| disk.run(comes)),
        goes: Box::new(|| disk.run(goes)),
    };
    scene.survives(&trouble, when).await.with_context(|| format!("{what}, {when:?}"))?;
    // Out of the namespace, to where secrets are looked for.
    disk.run(r#"! ls -A "$1" | grep '\.tmp$' && cp -R "$1" "$1.seen""#)?;
    let home = &scene.stage.home;
    home.canary().check_directory(&home.state());
    Ok(())
}

fn can_mount(test: &str) -> Result<bool> {
    let entered = Command::new("unshare").args(["--mount", "--", "nsenter", "--version"]).output();
    if rustix::process::geteuid().is_root() && entered.is_ok_and(|output| output.status.success()) {
        return Ok(true);
    }
    skip(test, "a file system of its own needs root, and a system that lets it make a mount namespace")?;
    Ok(false)
}

#[tokio::test]
async fn a_full_or_read_only_disk_costs_no_sign_in() -> Result<()> {
    if !can_mount("faults::disk::a_full_or_read_only_disk_costs_no_sign_in")? {
        return Ok(());
    }
    for trouble in TROUBLES {
        join_all(When::ALL.map(|when| row(trouble, when))).await.into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}
