//! What packages have beside the programs: do the pages say what `--help` says, and do the shells complete it?

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::real_parts::part;

/// What `packaging/dist` puts beside the programs.
fn generated() -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    broker_packaging::write(directory.path(), "2026-11-28", "x86_64-unknown-linux-gnu")?;
    Ok(directory)
}

#[test]
fn each_command_has_a_page_with_each_of_its_options() -> Result<()> {
    let directory = generated()?;
    let pages = directory.path().join("man");
    let mut seen = 0;
    for mut program in broker_packaging::programs() {
        program.build();
        seen += check_page(&program, &pages)?;
    }
    ensure!(seen == std::fs::read_dir(&pages)?.count(), "a page too many");
    ensure!(seen > 30, "{seen}");
    let page = std::fs::read_to_string(pages.join("brokerctl.1"))?;
    // Columns stay columns.
    ensure!(page.contains(".SH \"EXIT CODES\"\n.EX\n0  here it is                     5  out of time\n"), "{page}");
    Ok(())
}

/// Returns how many pages there are for a command and what is below it.
fn check_page(command: &clap::Command, pages: &Path) -> Result<usize> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).with_context(|| name.to_owned())?;
    let plain = page.replace(r"\*(Aq", "'").replace('\\', "");
    for option in command.get_arguments().filter_map(clap::Arg::get_long) {
        ensure!(plain.contains(&format!("--{option}")), "{name}: --{option}");
    }
    let about = command.get_about().context("about")?.to_string();
    ensure!(plain.contains(&about), "{name}: {about}");
    let mut seen = 1;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        seen += check_page(below, pages)?;
    }
    Ok(seen)
}

#[test]
fn nothing_is_wrong_with_the_pages() -> Result<()> {
    if part("BROKERD_TEST_SHELLS", "nothing_is_wrong_with_the_pages")?.is_none() {
        return Ok(());
    }
    let directory = generated()?;
    let pages = std::fs::read_dir(directory.path().join("man"))?;
    let pages: Vec<PathBuf> = pages.map(|page| Ok(page?.path())).collect::<Result<_>>()?;
    let told = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(pages).output().context("mandoc")?;
    let told = String::from_utf8(told.stdout)?;
    ensure!(told.is_empty(), "{told}");
    Ok(())
}

/// Each row: words, and something that must be offered for the last of them.
const COMPLETED: &[(&[&str], &str)] = &[
    (&["brokerctl", "get-to"], "get-token"),
    (&["brokerctl", "get-token", "--no-pr"], "--no-prompt"),
    (&["brokerctl", "get-token", "--output", "azu"], "azure-cli"),
    (&["brokerctl", "service", "unin"], "uninstall"),
    (&["brokerd", "--check"], "--check-config"),
    (&["brokerd", "--store", "key"], "keyring"),
];

/// Has a shell complete each row.
fn completes(test: &str, offers: impl Fn(&Path, &str) -> Command) -> Result<()> {
    if part("BROKERD_TEST_SHELLS", test)?.is_none() {
        return Ok(());
    }
    let directory = generated()?;
    for (words, wanted) in COMPLETED {
        let output = offers(&directory.path().join("completions"), words[0]).args(*words).output()?;
        let offered = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(offered.lines().any(|line| line == *wanted), "{words:?}: {offered}{stderr}");
        ensure!(!offered.lines().any(|line| line == "logout"), "{words:?}: everything is offered: {offered}");
    }
    Ok(())
}

fn shell(program: &str, options: &[&str], script: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["20", program])
        .args(options)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("real/shells").join(script));
    command
}

#[test]
fn bash_completes() -> Result<()> {
    completes("bash_completes", |directory, program| {
        let mut command = shell("bash", &["--norc"], "complete.bash");
        command.arg(directory.join(format!("{program}.bash")));
        command
    })
}

#[test]
fn fish_completes() -> Result<()> {
    completes("fish_completes", |directory, program| {
        let mut command = shell("fish", &["--no-config"], "complete.fish");
        command.arg(directory.join(format!("{program}.fish")));
        command
    })
}

#[test]
fn zsh_completes() -> Result<()> {
    completes("zsh_completes", |directory, _| {
        let mut command = shell("zsh", &["-f"], "complete.zsh");
        command.arg(directory);
        command
    })
}

#[test]
fn every_crate_that_is_linked_has_its_licence() -> Result<()> {
    let directory = generated()?;
    let text = std::fs::read_to_string(directory.path().join("THIRD-PARTY-LICENSES"))?;
    for named in ["\nclap 4.", "\nrustls 0.23", "\nring 0.17", "\nzbus 5.", "Permission is hereby granted"] {
        ensure!(text.contains(named), "{named}");
    }
    // Used by tests, by build scripts, and for other platforms.
    for named in ["\nproptest ", "\nclap_mangen ", "\nserde_derive ", "\nwindows-sys "] {
        ensure!(!text.contains(named), "{named}");
    }
    Ok(())
}

#[test]
fn the_changelog_of_the_deb_names_this_version() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/debian/changelog");
    let text = std::fs::read_to_string(path)?;
    ensure!(text.starts_with(&format!("brokerd ({}-1) ", env!("CARGO_PKG_VERSION"))), "{text}");
    Ok(())
}
