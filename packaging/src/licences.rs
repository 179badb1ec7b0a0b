//! The licences of the crates that are linked: each text once, with the crates it is of.
//!
//! Read from the sources that cargo has, or gets: the network is needed for no more, and no tool is. `cargo deny` decides which
//! licences may be there at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// What is shipped.
const PROGRAMS: [&str; 2] = ["brokerctl", "brokerd"];
/// How the names of files with licences begin.
const NAMES: [&str; 5] = ["licen", "copying", "copyright", "notice", "unlicense"];

const HEADING: &str = "\
The programs brokerd and brokerctl are licensed under MIT or Apache-2.0, at your choice. They link these crates, the standard library
of Rust (MIT or Apache-2.0), and a C library, which is part of the file where a program is static: musl (MIT, below) with LLVM's
libunwind (Apache-2.0 with the LLVM exception) in brokerctl, where the builder had Rust's standard library for it, and the GNU C
Library (LGPL-2.1 or later) elsewhere. The source of everything is published; whoever wants to link brokerctl with another C library
can.
";
/// musl's, which comes with no crate.
const MUSL: &str = include_str!("musl.txt");

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    repository: Option<String>,
    /// None for the crates of this workspace.
    source: Option<String>,
    manifest_path: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// None for what is linked; else `dev` or `build`.
    kind: Option<String>,
}

/// Returns the text of the file for the programs on this target.
pub(crate) fn text(target: &str) -> anyhow::Result<String> {
    let metadata = metadata(target)?;
    let linked = linked(&metadata);
    let mut listed = String::from(HEADING);
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in linked {
        let name = format!("{} {}", package.name, package.version);
        let license = package.license.as_deref().unwrap_or("its own licence, below");
        let from = package.repository.as_deref().unwrap_or_default();
        writeln!(listed, "\n{name}: {license}\n  {from}")?;
        let own = of(package)?;
        if own.is_empty() {
            // Some publish no text with the crate: the terms are those of the licence it names.
            ensure!(package.license.is_some(), "{name} has neither a licence's name nor its text");
            writeln!(listed, "  by {}; no text of its own comes with the crate", package.authors.join(", "))?;
        }
        for text in own {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    texts.entry(MUSL.trim().to_owned()).or_default().insert("musl".to_owned());
    for (text, crates) in texts {
        let crates = crates.into_iter().collect::<Vec<_>>().join(", ");
        write!(listed, "\n{}\n{crates}\n\n{text}\n", "-".repeat(80))?;
    }
    Ok(listed)
}

fn metadata(target: &str) -> anyhow::Result<Metadata> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version=1", "--filter-platform", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The crates of others that end up in the programs, by name. Procedural macros do not.
fn linked(metadata: &Metadata) -> Vec<&Package> {
    let packages: HashMap<&str, &Package> = metadata.packages.iter().map(|package| (&*package.id, package)).collect();
    let nodes: HashMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (&*node.id, node)).collect();
    let own = |package: &&Package| package.source.is_none() && PROGRAMS.contains(&&*package.name);
    let mut waiting: Vec<&str> = metadata.packages.iter().filter(own).map(|package| &*package.id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let runs_in_rustc =
            packages[id].targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"));
        if runs_in_rustc || !seen.insert(id) {
            continue;
        }
        let linked = |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        waiting.extend(nodes[id].deps.iter().filter(linked).map(|dependency| &*dependency.pkg));
    }
    let mut linked: Vec<_> =
        seen.into_iter().map(|id| packages[id]).filter(|package| package.source.is_some()).collect();
    linked.sort_by_key(|package| (&package.name, &package.version));
    linked
}

/// The texts that come with a crate.
fn of(package: &Package) -> anyhow::Result<Vec<String>> {
    let directory = Path::new(&package.manifest_path).parent().context("a manifest without a directory")?;
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if NAMES.iter().any(|begin| name.starts_with(begin)) && entry.file_type()?.is_file() {
            texts.push(String::from_utf8_lossy(&fs::read(entry.path())?).replace('\r', "").trim().to_owned());
        }
    }
    Ok(texts)
}
