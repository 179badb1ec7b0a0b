//! `client-secret`: hands a client's secret to the keyring. It is read from stdin and never stands in an argument.

use std::io::{self, IsTerminal as _, Read as _};

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::{ClientSecret, ClientSecretCommand};
use crate::failure::{Failure, say};
use crate::{clean, hidden, output};

/// No provider's secret comes near it.
const LONGEST: u64 = 16 * 1024;

/// `brokerctl client-secret`
pub(crate) fn run(client: &Client, options: &ClientSecret) -> Result<(), Failure> {
    let (done, target) = match &options.command {
        ClientSecretCommand::Set(target) => {
            let secret = read(&target.profile)?;
            client.set_client_secret(&target.profile, &secret)?;
            ("kept", target)
        }
        ClientSecretCommand::Remove(target) => {
            client.remove_client_secret(&target.profile)?;
            ("removed", target)
        }
    };
    if target.plain.is_json() {
        return output::json(&serde_json::json!({ done: target.profile }));
    }
    say(&format!("brokerctl: client secret of {} {done}\n", clean::line(&target.profile)));
    Ok(())
}

fn read(profile: &str) -> Result<SecretString, Failure> {
    let secret = if io::stdin().is_terminal() {
        say(&format!("client secret of {} (not shown): ", clean::line(profile)));
        hidden::line()?
    } else {
        let mut text = String::new();
        io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
        SecretString::from(text)
    };
    let bare = secret.expose_secret().trim_end_matches(['\r', '\n']);
    if bare.is_empty() {
        let body = ErrorBody::new(ErrorCode::BadRequest, "there is no secret on stdin");
        return Err(body
            .with_hint("type it when asked, or pipe it in: … | brokerctl client-secret set PROFILE")
            .into());
    }
    Ok(SecretString::from(bare))
}

/// Says why stdin gave nothing, without what it gave.
pub(crate) fn unreadable(error: &io::Error) -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, format!("the secret cannot be read from stdin: {}", error.kind())).into()
}
