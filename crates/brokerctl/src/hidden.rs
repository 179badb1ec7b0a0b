//! One line from the terminal, not shown while it is typed.

use secrecy::SecretString;

use crate::failure::Failure;

/// Reads a line from stdin, a terminal.
///
/// Signals from the keyboard are off meanwhile, because one that ended the process would leave the terminal without its echo;
/// Ctrl-C ends the line instead, and is seen in it.
#[cfg(unix)]
pub(crate) fn line() -> Result<SecretString, Failure> {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
    use secrecy::zeroize::Zeroizing;

    use crate::commands::client_secret::unreadable;

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
    // A terminal gives a line at a time, of at most 4095 bytes.
    let mut typed = Zeroizing::new([0_u8; 4096]);
    let count = rustix::io::read(&terminal, &mut *typed);
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &before);
    crate::failure::say("\n");
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
pub(crate) fn line() -> Result<SecretString, Failure> {
    use broker_client::{ErrorBody, ErrorCode};

    let body = ErrorBody::new(ErrorCode::BadRequest, "the console would show the secret while it is typed");
    Err(body.with_hint("pipe it in: … | brokerctl client-secret set PROFILE").into())
}
