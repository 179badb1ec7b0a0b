//! The first profile: what `login` does where there is nothing to sign in to yet.

mod questions;

use std::io::{self, BufRead, IsTerminal as _};
use std::path::Path;

use broker_client::blocking::Client;
use broker_client::{ClientError, ErrorBody, ErrorCode};

use self::questions::{Known, questions};
use super::profile::{NewProfile, add};
use crate::cli::Login;
use crate::failure::{Failure, say};
use crate::prompt::Prompter;

/// Longer than any answer.
const LONGEST: u64 = 4096;

/// Returns whether a failed sign-in failed because there is no profile at all.
pub(super) fn is_wanted(client: &Client, failure: &Failure) -> bool {
    let Failure::Client(ClientError::Api(body)) = failure else { return false };
    body.error == ErrorCode::Configuration
        && client.status().is_ok_and(|status| {
            let missing = !Path::new(&status.configuration.path).exists();
            status.profiles.is_empty() && (status.configuration.error.is_none() || missing)
        })
}

/// Asks what is not known yet, tries the provider, and writes the profile. Returns its name.
pub(super) fn profile(client: &Client, prompter: &Prompter, options: &Login) -> Result<String, Failure> {
    let known = Known {
        name: options.ask.profile.clone(),
        provider: options.first.provider.clone(),
        issuer: options.first.issuer.clone(),
        tenant: options.ask.tenant.clone(),
        client_id: options.first.client_id.clone(),
        scopes: options.ask.scopes.clone(),
    };
    let may_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut ask = |question: &str| if may_ask { answer(question, io::stdin().lock()).map(Some) } else { Ok(None) };
    let new = questions(&known, &mut ask)?;
    let name = new.profile.clone();
    let added = add(client, None, NewProfile { add: new, check: true, keep_accounts: false })?;
    added.tell(|line| prompter.note(line)); // what is next comes by itself
    if added.written.wants_client_secret {
        let what = format!("the client of profile {name} needs its secret before anybody can sign in");
        return Err(ErrorBody::new(ErrorCode::Configuration, what)
            .with_hint(format!("brokerctl client-secret set {name}, then brokerctl login {name}"))
            .into());
    }
    Ok(name)
}

/// Adds to a refusal of the profile that was just made how to begin again: a client id is easily mistyped.
pub(super) fn or_begin_again(failure: Failure, profile: &str) -> Failure {
    match failure {
        Failure::Client(ClientError::Api(mut body)) if body.error == ErrorCode::Configuration => {
            let hint = body.hint.take().map(|hint| format!("{hint}; or begin again: ")).unwrap_or_default();
            (*body).with_hint(format!("{hint}brokerctl profile remove {profile}, then brokerctl login")).into()
        }
        other => other,
    }
}

/// Asks, and reads a line without the spaces around it. The end of input, as by Ctrl-D, is no answer and takes no default.
fn answer(question: &str, from: impl BufRead) -> Result<String, Failure> {
    say(question);
    let mut line = String::new();
    let read = from.take(LONGEST).read_line(&mut line).map_err(|error| {
        ErrorBody::new(ErrorCode::BadRequest, format!("the answer cannot be read: {}", error.kind()))
    })?;
    if read == 0 {
        say("\n");
        let body = ErrorBody::new(ErrorCode::Configuration, "the answers have ended, and no profile was made");
        return Err(body.with_hint("begin again: brokerctl login").into());
    }
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_is_an_answer_and_the_end_is_none() {
        let mut from = io::Cursor::new(" 3 \n\n");
        let read: Vec<_> = (0..2).map(|_| answer("", &mut from).unwrap()).collect();
        assert_eq!(read, ["3", ""]);
        assert_eq!(answer("", &mut from).unwrap_err().code(), Some(ErrorCode::Configuration), "not the default");
    }
}
