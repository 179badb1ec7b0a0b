//! Git's credential helper protocol (gitcredentials(7), git-credential(1)).
//!
//! 1. git sends `key=value` lines, `wwwauth[]` among them, and reads such lines.
//! 2. From 2.46 on it announces `capability[]=authtype`, and then takes a bearer token. An older one gets the token as a
//!    password, which is sent as HTTP Basic; so does a server that asks for nothing else.
//! 3. After a 401 it sends the credential to `erase`: brokerd drops exactly that token and refreshes once. git does not ask
//!    again by itself, so the next command has the new one.
//! 4. `store` has nothing to do: brokerd knows the token.
//! 5. `GIT_TERMINAL_PROMPT=0` (git(1)) forbids git to ask on the terminal, and whatever it runs.

use secrecy::zeroize::Zeroizing;

use super::{Asker, Target, input, is_none, unknown_action};
use crate::failure::Failure;
use crate::output;

pub(super) fn run(mut asker: Asker<'_>, action: &str) -> Result<(), Failure> {
    asker.is_seen &= !std::env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| is_false(&value));
    match action {
        "capability" => output::line("version 0\ncapability authtype"),
        "get" => get(&asker),
        "erase" => erase(&asker),
        "store" => input::text("git").map(drop),
        _ => Err(unknown_action("git", action)),
    }
}

/// Whether git reads this as false: nothing at all, one of its words, or a zero (git-config(1), "Values").
fn is_false(value: &str) -> bool {
    let is_word = ["", "false", "no", "off"].iter().any(|word| value.eq_ignore_ascii_case(word));
    is_word || value.parse::<i64>() == Ok(0)
}

fn get(asker: &Asker<'_>) -> Result<(), Failure> {
    let question = Question::read()?;
    let credential = match asker.for_target(&question.target()?) {
        Ok(credential) => credential,
        // git goes on to the next helper, or asks.
        Err(failure) if is_none(&failure) => return Ok(()),
        Err(failure) => return Err(failure),
    };
    let mut lines = Zeroizing::new(String::new());
    let mut put = |key: &str, value: &str| {
        for part in [key, "=", value, "\n"] {
            lines.push_str(part);
        }
    };
    if question.takes_bearer() {
        put("capability[]", "authtype");
        put("authtype", credential.token_type());
        put("credential", credential.token());
        // For this once: no other helper is to keep it.
        put("ephemeral", "1");
    } else {
        put("username", credential.basic_username(question.one("username")));
        put("password", credential.token());
    }
    if let Some(expiry) = credential.expires_on() {
        put("password_expiry_utc", &expiry.to_string());
    }
    output::line(lines.trim_end())
}

/// The token was refused. A host that is not ours, or a password that is not ours, is none of our business.
fn erase(asker: &Asker<'_>) -> Result<(), Failure> {
    let question = Question::read()?;
    let Some(token) = question.one("credential").or_else(|| question.one("password")) else { return Ok(()) };
    match question.target().and_then(|target| asker.reject(&target, token)) {
        Err(failure) if !is_none(&failure) => Err(failure),
        _ => Ok(()),
    }
}

/// What git sends. May hold a token.
struct Question(Zeroizing<String>);

impl Question {
    fn read() -> Result<Self, Failure> {
        Self::of(input::text("git")?)
    }

    fn of(text: Zeroizing<String>) -> Result<Self, Failure> {
        let question = Self(text);
        if question.0.lines().take_while(|line| !line.is_empty()).all(|line| line.contains('=')) {
            return Ok(question);
        }
        Err(input::malformed("git", "has a line without '='"))
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once('='))
    }

    fn one(&self, key: &str) -> Option<&str> {
        self.pairs().find(|(name, value)| *name == key && !value.is_empty()).map(|(_, value)| value)
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.pairs().filter(move |(name, _)| *name == key).map(|(_, value)| value)
    }

    fn target(&self) -> Result<Target, Failure> {
        let protocol = self.one("protocol").ok_or_else(|| input::malformed("git", "names no protocol"))?;
        let host = self.one("host").ok_or_else(|| input::malformed("git", "names no host"))?;
        Target::of(protocol, host, self.one("path").unwrap_or_default())
    }

    /// Whether this git can send a bearer token, and the server has not said that it wants something else.
    fn takes_bearer(&self) -> bool {
        let is_bearer =
            |challenge: &str| challenge.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
        let mut challenges = self.all("wwwauth[]").peekable();
        self.all("capability[]").any(|name| name == "authtype")
            && (challenges.peek().is_none() || challenges.any(is_bearer))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Whatever git sends, what is said of it repeats no value but a host's.
        #[test]
        fn no_question_is_repeated(
            before in prop::collection::vec(LINE, 0..4),
            after in prop::collection::vec(LINE, 0..4),
            host in "(host=x\\.test(:[0-9]{1,5}|:x|)|host=(s3cret)?@x\\.test|host=u:s3cret|host=|)",
        ) {
            let lines = [before, vec!["protocol=https".to_owned(), host], after].concat();
            let told = match question(&lines.join("\n")) {
                Ok(question) => {
                    let _either = question.takes_bearer();
                    question.target().map(drop)
                }
                Err(failure) => Err(failure),
            };
            let told = told.map_err(|failure| format!("{failure:?}")).err().unwrap_or_default();
            prop_assert!(!told.contains("s3cret"), "{told}");
        }
    }

    /// Of what git sends, everything but where it goes.
    const LINE: &str = "(path|username|password|credential|wwwauth\\[\\]|capability\\[\\]|)=?(s3cret|s3cret/\\.\\.|bearer|authtype|\\PC{0,6})";

    fn question(text: &str) -> Result<Question, Failure> {
        Question::of(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn bearer_is_for_a_git_and_a_server_that_take_it() {
        let table = [
            ("capability[]=authtype\nprotocol=https\nhost=x.test\n", true),
            ("capability[]=authtype\nhost=x\nwwwauth[]=Basic realm=x\nwwwauth[]=bearer\n", true),
            ("capability[]=authtype\nhost=x\nwwwauth[]=Basic realm=\"Bearer\"\n", false),
            ("capability[]=state\nhost=x\n", false),
            ("host=x\n\ncapability[]=authtype\n", false),
        ];
        for (text, expected) in table {
            assert_eq!(question(text).unwrap().takes_bearer(), expected, "{text}");
        }
    }

    #[test]
    fn what_git_reads_as_false_is_false() {
        for value in ["", "0", "00", "-0", "false", "FALSE", "No", "off"] {
            assert!(is_false(value), "{value:?}");
        }
        for value in ["1", "2", "-1", "true", "yes", "On", " ", "nothing"] {
            assert!(!is_false(value), "{value:?}");
        }
    }

    #[test]
    fn malformed_questions_are_not_repeated() {
        let failure = question("password=s3cret\nhunter2\n").map(drop).unwrap_err();
        assert!(!format!("{failure:?}").contains("s3cret") && !format!("{failure:?}").contains("hunter2"));
        assert!(question("host=x.test\n").unwrap().target().is_err());
        assert!(question("protocol=http\nhost=x.test\n").unwrap().target().is_err(), "plain http");
        let target = question("protocol=https\nhost=x.test\npath=a/b.git\n").unwrap().target().unwrap();
        assert_eq!(target.as_str(), "x.test/a/b.git");
    }
}
