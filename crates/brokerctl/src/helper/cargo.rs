//! Cargo's credential provider protocol, version 1: one JSON object a line, until stdin ends.

use std::io::{BufRead as _, Read as _};

use broker_client::blocking::Client;
use clap::Parser;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asker, Target, input, is_none};
use crate::cli::Whose;
use crate::failure::Failure;
use crate::output;
use crate::prompt::Mode;

/// Longer than any request.
const MOST: u64 = 256 * 1024;

#[derive(Deserialize)]
struct Request {
    v: u32,
    registry: Registry,
    kind: String,
    /// What stands behind the provider's name in cargo's configuration: cargo starts it without.
    #[serde(default)]
    args: Vec<String>,
}

/// The arguments of a request.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Words {
    #[command(flatten)]
    whose: Whose,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    index_url: String,
}

pub(super) fn run(client: &Client, prompt: Mode, whose: &Whose) -> Result<(), Failure> {
    output::json(&json!({"v": [1]}))?;
    loop {
        let mut line = Zeroizing::new(String::new());
        if std::io::stdin().lock().take(MOST).read_line(&mut line)? == 0 {
            return Ok(());
        }
        // Garbage says nothing about where the next request begins.
        let request: Request = input::json("cargo", &line)?;
        let answer = match of_request(whose, &request.args) {
            Ok(whose) => answer(&Asker::new(client, prompt, &whose), &request),
            Err(why) => error("other", &why),
        };
        output::json(&answer)?;
    }
}

/// Whose token a request is for: what its arguments do not say, the command line does.
fn of_request(whose: &Whose, args: &[String]) -> Result<Whose, String> {
    let mut words = Words { whose: whose.clone() };
    words.try_update_from(args).map_err(|error| {
        // clap's own text repeats the arguments.
        let why = error.kind().as_str().unwrap_or("not understood");
        format!("the provider's arguments: {why}; there are --profile, --scope, --account and --tenant")
    })?;
    Ok(words.whose)
}

fn answer(asker: &Asker<'_>, request: &Request) -> Value {
    if request.v != 1 {
        return error("other", "this helper knows version 1 of cargo's protocol only");
    }
    if request.kind != "get" {
        // A login's token would have to be kept: brokerd has its own sign-ins, and `brokerctl login` makes them.
        return json!({"Err": {"kind": "operation-not-supported"}});
    }
    let credential = Target::parse(&request.registry.index_url).and_then(|target| asker.for_target(&target));
    match credential {
        Ok(credential) => {
            let mut get = json!({"kind": "get", "token": credential.authorization(), "operation_independent": true});
            match credential.expires_on() {
                Some(expiration) => (get["cache"], get["expiration"]) = ("expires".into(), expiration.into()),
                None => get["cache"] = "session".into(),
            }
            json!({"Ok": get})
        }
        Err(failure) if is_none(&failure) => json!({"Err": {"kind": "url-not-supported"}}),
        Err(failure) => {
            failure.tell_line();
            json!({"Err": {"kind": "not-found"}})
        }
    }
}

fn error(kind: &str, message: &str) -> Value {
    json!({"Err": {"kind": kind, "message": message, "caused-by": []}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requests_arguments_come_before_the_command_lines() {
        let request = |args: Value| {
            let request = json!({"v": 1, "registry": {"index-url": "https://x.test/"}, "kind": "get", "args": args});
            let request: Request = serde_json::from_value(request).unwrap();
            let whose = Whose { profile: Some("home".into()), scopes: vec!["a".into()], ..Whose::default() };
            of_request(&whose, &request.args)
                .map(|whose| (whose.profile.unwrap(), whose.scopes, whose.account.or(whose.tenant)))
        };
        let home = || ("home".to_owned(), vec!["a".to_owned()], None);
        assert_eq!(request(json!([])), Ok(home()));
        assert_eq!(request(json!(["--account", "ada"])), Ok((home().0, home().1, Some("ada".to_owned()))));
        assert_eq!(request(json!(["--tenant", "t"])), Ok((home().0, home().1, Some("t".to_owned()))));
        let given = json!(["--profile", "work", "--scope", "b", "-s", "c"]);
        assert_eq!(request(given), Ok(("work".to_owned(), vec!["b".to_owned(), "c".to_owned()], None)));
        for wrong in ["--hunter2", "hunter2", "--profile", "--help"] {
            let why = request(json!([wrong])).unwrap_err();
            assert!(why.contains("--profile, --scope, --account and --tenant") && !why.contains("hunter2"), "{why}");
        }
    }
}
