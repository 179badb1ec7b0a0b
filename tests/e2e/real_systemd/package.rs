//! The .deb: installed, used and removed.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::real_parts::part;

/// The one that `BROKERD_TEST_DEB` names; else makes one from the programs under test, by the same metadata; or skips the test.
fn deb(test: &str, directory: &TempDir) -> Result<Option<PathBuf>> {
    if let Some(ready) = std::env::var_os("BROKERD_TEST_DEB") {
        return Ok(Some(ready.into()));
    }
    let Some(cargo_deb) = part("BROKERD_TEST_CARGO_DEB", test)? else { return Ok(None) };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    support::processes::binaries();
    broker_packaging::write(&here.join("target/package"), "2026-11-28", "x86_64-unknown-linux-gnu")?;
    let file = directory.path().join("brokerd.deb");
    // The system's gzip: cargo-deb itself is a debug build here.
    let output = Command::new(cargo_deb)
        .args(["--package=brokerd", "--locked", "--no-build", "--profile=dev", "--strip", "--no-dbgsym"])
        .args(["--fast", "--compress-type=gz", "--compress-system", "--output"])
        .arg(&file)
        .current_dir(&here)
        .output()?;
    ensure!(output.status.success(), "cargo-deb: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(file))
}

#[tokio::test]
async fn a_package_is_installed_used_and_removed_without_a_trace() -> Result<()> {
    const TEST: &str = "a_package_is_installed";
    let directory = tempfile::tempdir()?;
    let Some(deb) = deb(TEST, &directory)? else { return Ok(()) };
    let Some(stage) = Stage::bare(TEST, &[(deb, "/brokerd.deb".into())]).await? else { return Ok(()) };
    let machine = &stage.machine;
    let installed = machine.root_ok("dpkg --install /brokerd.deb && dpkg --listfiles brokerd").await?;
    // What the units name as their documentation.
    ensure!(installed.contains("/usr/share/man/man1/brokerd.1.gz\n"), "{installed}");
    let verified = machine.run("systemd-analyze verify --man=no --user brokerd.service brokerd.socket").await?;
    ensure!((verified.code, verified.stderr.as_str()) == (Some(0), ""), "{verified:?}");
    ensure!(machine.run("systemctl --user is-enabled brokerd.socket").await?.stdout == "disabled\n", "a user's choice");

    stage.enable().await?;
    ensure!(machine.property("ActiveState").await? == "inactive");
    stage.sign_in("brokerctl get-token").await?;
    // The command finds the package's units as they should be, and writes none of its own.
    let told = machine.run("brokerctl service install").await?;
    ensure!(told.code == Some(0) && told.stderr.contains("unchanged: the units of the package"), "{told:?}");
    ensure!(machine.ok("brokerctl service status").await?.contains("/usr/lib/systemd/user/brokerd.socket"));
    let sign_ins = stage.sign_ins();
    machine.ok("systemctl --user restart brokerd.service").await?;
    stage.token("").await?;
    ensure!(stage.sign_ins() == sign_ins, "somebody was asked");

    machine.ok("systemctl --user disable --now --quiet brokerd.socket brokerd.service").await?;
    machine.root_ok("dpkg --purge brokerd").await?;
    let left = "find /etc /home /opt /run/user /usr /var -name '*broker*' ! -path '/var/lib/dpkg/*' | sort";
    let left = machine.root_ok(left).await?;
    let of_the_user = |path: &str| {
        ["/home/ada/.config/brokerd", "/home/ada/.local/state/brokerd", "/run/user/1000/brokerd"]
            .iter()
            .any(|users| path.starts_with(users))
    };
    ensure!(left.lines().all(of_the_user) && !left.contains(".sock\n"), "{left}");
    stage.end().await
}
