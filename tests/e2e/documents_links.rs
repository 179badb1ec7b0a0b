//! Do the documents lead somewhere: their links to files and headings, their commands to something that is one?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use support::processes::{Home, binaries};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documents for readers: the README, `docs/`, and what stands beside them.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in [root(), root().join("docs"), root().join("docs/decisions")] {
        let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        found.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    assert!(found.len() > 15, "only {} documents found", found.len());
    found
}

/// Returns a document without its blocks of code, where nothing is a link.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Returns the anchors of a document as GitHub makes them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings =
        headings.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        let prose = prose(&text);
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { document.clone() } else { document.with_file_name("").join(file) };
            let there = match anchor {
                None => target.exists(),
                Some(anchor) => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The commands that tell usage from everything else without a daemon, and change nothing.
#[cfg(unix)]
const COMMANDS: &[&str] =
    &["accounts", "client-secret", "doctor", "get-token", "login", "logout", "prompts", "reload", "status", "watch"];

/// Every such command in a shell block is one that brokerctl takes: without a daemon it fails, but not for its usage.
#[cfg(unix)]
#[test]
fn every_command_in_the_documents_is_one() {
    let home = Home::new();
    let mut tried = BTreeSet::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for line in text.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()).flat_map(str::lines) {
            for rest in line.split("brokerctl ").skip(1) {
                let command = rest.split(['|', ';', '&', ')', '>', '<', '#', '"', '`']).next().unwrap_or_default();
                // Two spaces begin an explanation.
                let command = command.split("  ").next().unwrap_or_default().trim().to_owned();
                if COMMANDS.iter().any(|known| command.split(' ').next() == Some(known)) {
                    tried.insert((document.clone(), command));
                }
            }
        }
    }
    assert!(tried.len() >= 15, "only {} commands found", tried.len());
    for (document, command) in tried {
        let mut run = home.command(&binaries().brokerctl).into_std();
        run.env("BROKERD_SOCKET", home.path().join("none")).args(command.split_whitespace());
        let output = run.stdin(std::process::Stdio::null()).output().expect("brokerctl");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(2), "{}: brokerctl {command}\n{told}", document.display());
        // Whatever went wrong, there is a page about it.
        if let Some(page) = told.lines().find_map(|line| line.strip_prefix("see: docs/ERRORS.md#")) {
            let errors = fs::read_to_string(root().join("docs/ERRORS.md")).expect("the page");
            assert!(anchors(&errors).contains(page), "{page}");
        }
    }
}
