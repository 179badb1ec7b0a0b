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
            command.envs(exceptions(|name| std::env::var(name).ok()));
        }
    }
}

/// Programs differ in which of the two names they prefer: one that is not set begins with what the other says, for it would
/// hide that.
fn exceptions(variable: impl Fn(&str) -> Option<String>) -> [(&'static str, String); 2] {
    let list = |name| variable(name).filter(|list| !list.trim().is_empty());
    [("NO_PROXY", "no_proxy"), ("no_proxy", "NO_PROXY")]
        .map(|(name, other)| (name, past_the_proxy(&list(name).or_else(|| list(other)).unwrap_or_default())))
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

    #[test]
    fn neither_name_hides_what_the_other_says() {
        let table = [
            ([None, None], ["127.0.0.1"; 2]),
            ([Some("x.test"), None], ["x.test,127.0.0.1"; 2]),
            ([Some(" "), Some("x.test")], ["x.test,127.0.0.1"; 2]),
            ([Some("*"), Some("x.test")], ["*", "x.test,127.0.0.1"]),
        ];
        for (set, expected) in table {
            let variable = |name: &str| set[usize::from(name == "no_proxy")].map(str::to_owned);
            let [upper, lower] = exceptions(variable);
            assert_eq!(
                [(upper.0, upper.1.as_str()), (lower.0, lower.1.as_str())],
                [("NO_PROXY", expected[0]), ("no_proxy", expected[1])]
            );
        }
    }
}
