//! A secret from stdin: a line from the terminal, not shown while it is typed, or all that is piped in.

#[cfg(unix)]
mod typed;

use std::io::{self, IsTerminal as _, Read};

use broker_client::{ErrorBody, ErrorCode};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

#[cfg(unix)]
use self::typed::line;
use crate::failure::Failure;

/// No secret comes near it.
const LONGEST: u64 = 16 * 1024;

/// Reads a secret, asking for it with these words where somebody can be asked. The hint is for whoever gives none.
pub(crate) fn secret(asking: &str, hint: &str) -> Result<SecretString, Failure> {
    let secret = if io::stdin().is_terminal() { line(asking)? } else { piped(io::stdin().lock())? };
    let bare = secret.expose_secret().trim_end_matches(['\r', '\n']);
    if bare.is_empty() {
        let body = ErrorBody::new(ErrorCode::BadRequest, "there is no secret on stdin");
        return Err(body.with_hint(hint).into());
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
fn unreadable(error: &io::Error) -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, format!("the secret cannot be read from stdin: {}", error.kind())).into()
}

/// A console's echo cannot be switched off without unsafe code.
#[cfg(not(unix))]
fn line(_asking: &str) -> Result<SecretString, Failure> {
    let body = ErrorBody::new(ErrorCode::BadRequest, "the console would show the secret while it is typed");
    Err(body.with_hint("pipe it in").into())
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
