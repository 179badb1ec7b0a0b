//! Are the commands in the documents what they are taken for: do they run as they stand, or are they at least ones there are?

use std::collections::BTreeSet;
use std::fs;

use clap::error::ErrorKind;
use support::processes::{Home, binaries};

use crate::documents_links::{anchors, documents, prose, root};

/// The lines of the shell blocks of a document, lines that go on joined.
fn shell(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What follows a program's name up to the end of its command. Two spaces begin an explanation.
fn uses<'l>(program: &'l str, line: &'l str) -> impl Iterator<Item = &'l str> {
    let starts = move |(at, _): &(usize, &str)| {
        line[..*at].chars().next_back().is_none_or(|before| " \t($\"'!`=".contains(before))
    };
    let rest = line.match_indices(program).filter(starts).map(move |(at, found)| &line[at + found.len()..]);
    rest.filter(|rest| rest.starts_with(' ')).map(|rest| {
        let rest = rest.trim_start();
        let end = rest.find(['|', ';', '&', ')', '>', '<', '#', '`']).unwrap_or(rest.len());
        rest[..end].split("  ").next().unwrap_or_default().trim()
    })
}

/// The words of a command, without quotes around them.
fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

/// Reads a command as `brokerctl` does.
fn read(command: &str) -> Result<(), clap::Error> {
    let words = ["brokerctl".to_owned()].into_iter().chain(words(command));
    brokerctl::command().try_get_matches_from(words).map(drop)
}

#[test]
fn every_use_of_brokerctl_in_a_shell_block_is_right() {
    let mut tried = BTreeSet::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for line in shell(&text) {
            // What git passes is git's.
            for command in uses("brokerctl", &line).filter(|_| !line.contains("'!brokerctl")) {
                if let Err(error) = read(command) {
                    panic!("{}: brokerctl {command}\n{error}", document.display());
                }
                tried.insert(command.to_owned());
            }
        }
    }
    assert!(tried.len() > 40, "only {tried:?}");
}

/// In prose a command may be cut short, or have a word for what is to be put there.
#[test]
fn every_brokerctl_in_the_prose_is_one_there_is() {
    let mut tried = BTreeSet::new();
    for document in documents() {
        let text = prose(&fs::read_to_string(&document).expect("a document"));
        for command in text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("brokerctl ")) {
            // Alternatives, and what is left out.
            let command =
                command.split([' ', '[']).take_while(|word| !matches!(*word, "|" | "…" | "")).collect::<Vec<_>>();
            let kind = read(&command.join(" ")).map_err(|error| error.kind());
            let unknown = [ErrorKind::UnknownArgument, ErrorKind::InvalidSubcommand];
            assert!(kind.is_ok() || !unknown.contains(&kind.unwrap_err()), "{}: {command:?}", document.display());
            tried.insert(command.join(" "));
        }
    }
    assert!(tried.len() > 20, "only {tried:?}");
}

#[test]
fn the_options_of_brokerd_and_the_recipes_are_there() {
    let help = std::process::Command::new(&binaries().brokerd).arg("--help").output().expect("brokerd");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let recipes = fs::read_to_string(root().join("justfile")).expect("the recipes");
    let recipes: BTreeSet<_> = recipes
        .lines()
        .filter(|line| line.starts_with(char::is_alphabetic))
        .filter_map(|line| line.split([' ', ':']).next())
        .collect();
    let mut tried = BTreeSet::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        let code = prose(&text).split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        for line in shell(&text).into_iter().chain(code) {
            for option in uses("brokerd", &line).flat_map(words).filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or_default().to_owned();
                // Other programs' end with the name of ours: cargo's, systemd's.
                if line.trim_start().starts_with("brokerd ") {
                    assert!(help.contains(&option), "{}: brokerd {option}", document.display());
                    tried.insert(option);
                }
            }
            if let Some(recipe) = line.strip_prefix("just ").and_then(|rest| rest.split(' ').next()) {
                assert!(recipes.contains(recipe), "{}: just {recipe}", document.display());
                tried.insert(recipe.to_owned());
            }
        }
    }
    assert!(tried.len() >= 5, "only {tried:?}");
}

/// The commands that tell usage from everything else without a daemon, and change nothing.
const COMMANDS: &[&str] =
    &["accounts", "client-secret", "doctor", "get-token", "login", "logout", "prompts", "reload", "status", "watch"];

/// Without a daemon each of them fails, but not for its usage, and names a page that there is.
#[test]
fn commands_in_the_documents_run_as_they_stand() {
    let home = Home::new();
    let mut tried = BTreeSet::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for line in shell(&text) {
            let harmless = |command: &&str| COMMANDS.iter().any(|known| command.split(' ').next() == Some(known));
            tried.extend(uses("brokerctl", &line).filter(harmless).map(words));
        }
    }
    assert!(tried.len() >= 15, "only {} commands found", tried.len());
    let pages = anchors(&fs::read_to_string(root().join("docs/ERRORS.md")).expect("the page"));
    for command in tried {
        let mut run = home.command(&binaries().brokerctl).into_std();
        run.env("BROKERD_SOCKET", home.path().join("none")).args(&command);
        let output = run.stdin(std::process::Stdio::null()).output().expect("brokerctl");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(2), "{command:?}\n{told}");
        // Whatever went wrong, there is a page about it.
        if let Some(page) = told.lines().find_map(|line| line.strip_prefix("see: docs/ERRORS.md#")) {
            assert!(pages.contains(page), "{page}");
        }
    }
}
