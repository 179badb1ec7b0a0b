//! A secret from stdin: a line from the terminal, not shown while it is typed, or all that is piped in.

use std::io::{self, IsTerminal as _, Read};

use broker_client::{ErrorBody, ErrorCode};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use crate::failure::Failure;
#[cfg(unix)]
use crate::failure::say;

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

/// Asks, and reads a line from stdin, a terminal.
///
/// Asks once nothing typed is shown: whoever answers at once, as a program does, is heard and not seen.
///
/// Signals from the keyboard are off meanwhile, because one that ended the process would leave the terminal without its echo;
/// Ctrl-C ends the line instead, and is seen in it.
#[cfg(unix)]
fn line(asking: &str) -> Result<SecretString, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

    /// What Ctrl-C types, and the exit code of whoever it interrupts.
    const CTRL_C: u8 = 3;
    const INTERRUPTED: u8 = 130;

    let terminal = std::io::stdin();
    let failed = |error: rustix::io::Errno| unreadable(&error.into());
    let before = tcgetattr(&terminal).map_err(failed)?;
    let mut quiet = before.clone();
    quiet.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
    quiet.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
    tcsetattr(&terminal, OptionalActions::Flush, &quiet).map_err(failed)?;
    say(asking);
    // A terminal gives a line at a time, of at most 4095 bytes.
    let mut typed = Zeroizing::new([0_u8; 4096]);
    let count = rustix::io::read(&terminal, &mut *typed);
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &before);
    say("\n");
    let count = count.and_then(|count| restored.map(|()| count)).map_err(failed)?;
    let typed = &typed[..count];
    if typed.contains(&CTRL_C) {
        return Err(Failure::Told(INTERRUPTED));
    }
    let text = std::str::from_utf8(typed).map_err(|_| unreadable(&std::io::ErrorKind::InvalidData.into()))?;
    Ok(SecretString::from(text))
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
