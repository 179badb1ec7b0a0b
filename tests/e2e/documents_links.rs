//! Do the documents lead somewhere: their links to files and headings?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documents for readers: the README, `docs/`, and what stands beside them.
pub(crate) fn documents() -> Vec<PathBuf> {
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
pub(crate) fn prose(text: &str) -> String {
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
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
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

/// Each complaint has an answer, and each answer a test of that name.
#[test]
fn every_answer_to_a_complaint_is_tested() {
    fn sources(directory: &Path, all: &mut String) {
        for path in fs::read_dir(directory).expect("a directory").filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("venv") {
                sources(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                *all += &fs::read_to_string(&path).expect("a source");
            }
        }
    }
    let mut all = String::new();
    sources(&root().join("crates"), &mut all);
    sources(&root().join("tests"), &mut all);
    let page = fs::read_to_string(root().join("docs/ANSWERS.md")).expect("the page");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert_eq!(rows.len(), 20);
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, complaint, _, answer, test] = cells.as_slice() else { panic!("{row}") };
        let test = test.trim_matches('`');
        assert!(all.contains(&format!("fn {test}()")), "{complaint} has no test {test}");
        assert!(answer.contains("](") || answer.contains('`'), "{answer} leads nowhere");
    }
}
