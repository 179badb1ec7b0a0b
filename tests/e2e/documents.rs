//! Do the documents describe this program?

use std::fs;
use std::path::{Path, PathBuf};

use broker_ipc::error::ErrorCode;
use brokerd::config::Config;
use brokerd::localapi::ROUTES;

pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_protocol_has_a_heading_for_every_error() {
    let protocol = read("docs/PROTOCOL.md");
    for code in ErrorCode::ALL {
        let heading = format!("### {code}");
        assert!(protocol.lines().any(|line| line == heading), "docs/PROTOCOL.md has no {heading}");
    }
    for (path, methods) in ROUTES {
        for method in *methods {
            let route = format!("`{method} {path}`");
            assert!(protocol.contains(&route), "docs/PROTOCOL.md has no {route}");
        }
    }
}

/// Every block of TOML in the documents that is about the configuration is one that brokerd takes.
#[test]
fn the_examples_of_the_configuration_are_good() {
    let home = tempfile::tempdir().expect("a directory");
    let secret = home.path().join("secret");
    fs::write(&secret, "s").expect("a file");
    #[cfg(unix)]
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    let mut tried = 0;
    for document in ["README.md", "docs/CONFIG.md", "docs/OPERATING.md"] {
        let text = read(document);
        for example in blocks(&text, "toml").filter(|example| is_about_brokerd(example)) {
            // The files an example names are not there; one of the kind stands in.
            let ours = example.lines().map(|line| match line.split_once('=') {
                Some((key, _)) if key.trim().ends_with("_file") && key.trim() != "key_file" => {
                    format!("{key}= {:?}", secret.display().to_string())
                }
                _ => line.to_owned(),
            });
            let ours = ours.collect::<Vec<_>>().join("\n");
            let parsed = Config::parse(&home.path().join("config.toml"), &ours);
            if let Err(error) = parsed {
                panic!("{document}: {error} ({})\n{example}", error.hint);
            }
            tried += 1;
        }
    }
    assert!(tried >= 8, "only {tried} examples found");
}

/// A whole configuration, or tables of one; a block that shows single keys is not.
fn is_about_brokerd(example: &str) -> bool {
    example.contains("[profiles.") || example.contains("[store]")
}

fn blocks<'t>(text: &'t str, language: &str) -> impl Iterator<Item = &'t str> {
    let fence = format!("```{language}\n");
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(&fence)? + fence.len();
        let length = rest[start..].find("\n```")?;
        let block = &rest[start..start + length];
        rest = &rest[start + length + 4..];
        Some(block)
    })
}
