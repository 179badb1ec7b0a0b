//! Names under which other programs start this one: a link of such a name is a helper, without an argument.
//!
//! The programs decide the names: Git runs `git-credential-NAME`, Docker `docker-credential-NAME`, pip `keyring`.

use std::ffi::OsString;
use std::path::Path;

/// A link's name, and the arguments it stands for.
const LINKS: &[(&str, &[&str])] = &[
    ("az", &["az"]),
    ("azd", &["azd"]),
    ("bazel-credential-brokerd", &["helper", "bazel"]),
    ("cargo-credential-brokerd", &["helper", "cargo"]),
    ("docker-credential-brokerd", &["helper", "docker"]),
    ("git-credential-brokerd", &["helper", "git"]),
    ("keyring", &["helper", "keyring"]),
    ("kubectl-credential-brokerd", &["helper", "kubernetes"]),
    ("npm-credential-brokerd", &["helper", "npm"]),
    ("terraform-credentials-brokerd", &["helper", "terraform"]),
];

/// Returns the arguments with what the name of the program stands for put in front of them.
pub(crate) fn resolve(mut arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let program = arguments.next().unwrap_or_default();
    let name = Path::new(&program).file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let stands_for = LINKS.iter().find(|(link, _)| *link == name).map_or(&[][..], |(_, words)| words);
    let words = stands_for.iter().map(OsString::from);
    std::iter::once("brokerctl".into()).chain(words).chain(arguments).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn resolved(line: &str) -> Vec<String> {
        let arguments = resolve(line.split(' ').map(OsString::from));
        arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn a_link_is_its_helper_and_any_other_name_is_the_command() {
        assert_eq!(resolved("/x/git-credential-brokerd get"), ["brokerctl", "helper", "git", "get"]);
        assert_eq!(resolved("docker-credential-brokerd.exe list"), ["brokerctl", "helper", "docker", "list"]);
        assert_eq!(resolved("/opt/brokerctl-1.0 status"), ["brokerctl", "status"]);
    }

    /// Each row: a link and how its program starts it.
    #[test]
    fn each_link_takes_what_its_program_passes() {
        let table = [
            "az account get-access-token --output json --resource https://x.test",
            "azd auth token --output json --no-prompt --scope a --scope b",
            "bazel-credential-brokerd get",
            "cargo-credential-brokerd --cargo-plugin",
            "docker-credential-brokerd get",
            "git-credential-brokerd get",
            "keyring --mode=creds --output=json get https://x.test ada",
            "kubectl-credential-brokerd",
            "npm-credential-brokerd",
            "terraform-credentials-brokerd get app.terraform.io",
        ];
        assert_eq!(table.len(), LINKS.len());
        for (line, (link, _)) in table.iter().zip(LINKS) {
            assert!(line.starts_with(link), "{line}");
            Cli::try_parse_from(resolved(line)).unwrap();
        }
    }
}
