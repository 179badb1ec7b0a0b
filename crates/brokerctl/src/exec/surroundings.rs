//! The environment that a command gets beside the one it inherits.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use secrecy::{ExposeSecret as _, SecretString};

/// Names and values, to be set for the command and nowhere else.
#[derive(Default)]
pub(super) struct Surroundings {
    plain: Vec<(String, OsString)>,
    secret: Vec<(String, SecretString)>,
    has_loopback: bool,
}

impl Surroundings {
    pub(super) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.plain.push((name.to_owned(), value.as_ref().to_owned()));
    }

    pub(super) fn set_secret(&mut self, name: &str, value: &str) {
        self.secret.push((name.to_owned(), value.into()));
    }

    /// Something listens on loopback that must be reached without a proxy: it would learn the token.
    pub(super) fn has_loopback(&mut self) {
        self.has_loopback = true;
    }

    pub(super) fn apply(&self, command: &mut Command) {
        command.envs(self.plain.iter().map(|(name, value)| (name, value)));
        command.envs(self.secret.iter().map(|(name, value)| (name, value.expose_secret())));
        if self.has_loopback {
            for name in ["NO_PROXY", "no_proxy"] {
                command.env(name, past_the_proxy(&std::env::var(name).unwrap_or_default()));
            }
        }
    }
}

fn past_the_proxy(list: &str) -> String {
    const LOOPBACK: &str = "127.0.0.1";
    match list.trim() {
        "" => LOOPBACK.to_owned(),
        "*" => list.to_owned(),
        list if list.split(',').any(|host| host.trim() == LOOPBACK) => list.to_owned(),
        list => format!("{list},{LOOPBACK}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_passed_by() {
        for (list, expected) in
            [("", "127.0.0.1"), ("x.test", "x.test,127.0.0.1"), ("*", "*"), ("a, 127.0.0.1", "a, 127.0.0.1")]
        {
            assert_eq!(past_the_proxy(list), expected);
        }
    }
}
