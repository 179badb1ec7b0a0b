//! `--rejected`: the token that a resource refused, from stdin. An argument or a variable would show it to other processes.

use std::io::{self, IsTerminal as _, Read};

use broker_client::{ErrorBody, ErrorCode};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::failure::Failure;

/// Longer than any token.
const MOST: u64 = 2 * 1024 * 1024;

/// Reads the token from stdin. On a terminal it would wait for what nobody types, and show it.
pub(crate) fn from_stdin() -> Result<SecretString, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() { Err(none()) } else { read(stdin.lock()) }
}

fn read(from: impl Read) -> Result<SecretString, Failure> {
    let mut text = Zeroizing::new(Vec::with_capacity(16 * 1024));
    from.take(MOST + 1).read_to_end(&mut text).map_err(|error| {
        ErrorBody::new(ErrorCode::BadRequest, format!("--rejected cannot read stdin: {}", error.kind()))
    })?;
    if text.len() as u64 > MOST {
        // The hash of a part is that of no token: nothing would be dropped, and nobody told.
        let long = format!("what --rejected read from stdin is too long: more than {MOST} bytes");
        let body = ErrorBody::new(ErrorCode::BadRequest, long);
        return Err(body.with_hint("pass the token that was refused, and nothing else").into());
    }
    let token = bare(text.trim_ascii());
    if token.is_empty() {
        return Err(none());
    }
    let graphic = std::str::from_utf8(token).ok().filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    graphic.filter(|token| !token.starts_with('{')).map(SecretString::from).ok_or_else(|| {
        // The hash of that, too, is that of no token.
        ErrorBody::new(ErrorCode::BadRequest, "what --rejected read from stdin is no token")
            .with_hint("pass the token that was refused, or its Authorization header, and nothing else")
            .into()
    })
}

/// The token of what `get-token --output header` prints, which is what a script has that sent it.
fn bare(text: &[u8]) -> &[u8] {
    ["authorization:", "bearer "].into_iter().fold(text, |text, prefix| match text.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix.as_bytes()) => rest.trim_ascii_start(),
        _ => text,
    })
}

fn none() -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, "--rejected reads a token from stdin, and there was none")
        .with_hint("pass the token that was refused: brokerctl get-token --rejected <token-file")
        .into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_read_without_the_line_break_that_get_token_prints() {
        for text in ["abc", "abc\n", "abc\r\n", "Bearer abc\n", "bearer  abc", "Authorization: Bearer abc\n"] {
            assert_eq!(read(text.as_bytes()).unwrap().expose_secret(), "abc", "{text:?}");
        }
        assert!(read("\n".as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["a b", "a\nb", "\u{e9}", r#"{"access_token":"abc"}"#, "Basic abc", "a\0"] {
            assert!(read(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let most = usize::try_from(MOST).unwrap();
        assert!(read("a".repeat(most).as_bytes()).is_ok());
        let told = format!("{:?}", read("a".repeat(most + 1).as_bytes()).unwrap_err());
        assert!(told.contains("too long"), "{told}");
    }

    #[test]
    fn what_cannot_be_read_is_not_told_as_an_answer_that_cannot_be_written() {
        struct Directory;
        impl Read for Directory {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::IsADirectory.into())
            }
        }
        let told = format!("{:?}", read(Directory).unwrap_err());
        assert!(told.contains("--rejected cannot read stdin: is a directory"), "{told}");
    }
}
