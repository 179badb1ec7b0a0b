//! `client-secret`: hands a client's secret to the keyring. It is read from stdin and never stands in an argument.

use std::io::{self, IsTerminal as _, Read};

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};
use secrecy::zeroize::Zeroizing;
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
        piped(io::stdin().lock())?
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

fn piped(from: impl Read) -> Result<SecretString, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LONGEST {
        let long = format!("the secret on stdin is too long: more than {LONGEST} bytes");
        return Err(ErrorBody::new(ErrorCode::BadRequest, long)
            .with_hint("pipe in the secret, and nothing else")
            .into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(&io::ErrorKind::InvalidData.into()))?;
    Ok(SecretString::from(text))
}

/// Says why stdin gave nothing, without what it gave.
pub(crate) fn unreadable(error: &io::Error) -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, format!("the secret cannot be read from stdin: {}", error.kind())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let most = usize::try_from(LONGEST).unwrap();
        assert_eq!(piped("a".repeat(most).as_bytes()).unwrap().expose_secret().len(), most);
        // The limit is in the middle of the last character.
        for long in ["a".repeat(most + 1), "a".repeat(most - 1) + "é"] {
            let told = format!("{:?}", piped(long.as_bytes()).unwrap_err());
            assert!(told.contains("too long") && !told.contains("aaaa"), "{told}");
        }
    }
}
