//! Unguessable values: every one is different, so that a log can be searched for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns a token that says what it is, which makes a leak found in a log explain itself.
pub(super) fn token(prefix: &str) -> String {
    format!("{prefix}-{}", URL_SAFE_NO_PAD.encode(bytes::<24>()))
}

/// Returns a user code in the form RFC 8628 §6.1 recommends: no vowels, so no words, and a hyphen.
pub(super) fn user_code() -> String {
    let mut code: String = letters::<8>();
    code.insert(4, '-');
    code
}

/// Returns a user code as Microsoft Entra writes it: nine characters in one piece.
pub(super) fn entra_user_code() -> String {
    letters::<9>()
}

/// Returns a random UUID, as Microsoft Entra's trace and correlation ids are.
pub(super) fn uuid() -> String {
    let mut bytes = bytes::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        n >> 80 & 0xffff,
        n >> 64 & 0xffff,
        n >> 48 & 0xffff,
        n & 0xffff_ffff_ffff
    )
}

fn letters<const N: usize>() -> String {
    let alphabet = b"BCDFGHJKLMNPQRSTVWXZ";
    bytes::<N>().iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}
