//! The forms that a secret may have where it leaks: a header is base64, a debug print hexadecimal, a form percent-encoded.

use std::fmt::Write as _;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use url::form_urlencoded::byte_serialize;

/// Returns what to look for: the value as it is, in base64 (both alphabets, wherever in the encoded text it begins), in
/// hexadecimal, percent-encoded, and as UTF-16.
pub(super) fn forms(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let escaped = byte_serialize(bytes).collect::<String>().into_bytes();
    let mut forms = vec![bytes.to_owned(), escaped.clone()];
    // The second as well, as HTTP Basic has it (RFC 6749 §2.3.1).
    for text in [bytes, &escaped] {
        for before in 0..3 {
            forms.extend([&STANDARD, &URL_SAFE].map(|alphabet| base64_after(before, text, alphabet).into_bytes()));
        }
    }
    let each = |written: fn(&mut String, u8) -> std::fmt::Result| {
        let mut text = String::new();
        for byte in bytes {
            written(&mut text, *byte).expect("a string takes everything");
        }
        text.into_bytes()
    };
    forms.push(each(|text, byte| write!(text, "{byte:02x}")));
    forms.push(each(|text, byte| write!(text, "{byte:02X}")));
    forms.push(each(|text, byte| write!(text, "%{byte:02x}")));
    forms.push(each(|text, byte| write!(text, "%{byte:02X}")));
    forms.push(value.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(value.encode_utf16().flat_map(u16::to_be_bytes).collect());
    // The middle of a value of two bytes says nothing in base64.
    forms.retain(|form| !form.is_empty() && form.len() >= bytes.len());
    forms.sort();
    forms.dedup();
    forms
}

/// What all texts have in common in which so many bytes stand before the value: the characters that are of it alone.
fn base64_after(before: usize, value: &[u8], alphabet: &impl base64::Engine) -> String {
    let whole = alphabet.encode([&[0; 2][..before], value].concat());
    whole[(before * 8).div_ceil(6)..(before + value.len()) * 8 / 6].to_owned()
}
