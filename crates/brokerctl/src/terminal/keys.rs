//! Keys, from the bytes a terminal sends for them.

/// A key that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A printable ASCII character.
    Char(char),
    Down,
    Enter,
    Escape,
    Up,
}

/// Reads keys from what was read at once; what is not known is passed over.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        keys.extend(match first {
            b'\r' | b'\n' => Some(Key::Enter),
            0x1b => escape(&mut bytes),
            b' '..=b'~' => Some(Key::Char(char::from(*first))),
            _ => None,
        });
    }
    keys
}

/// Reads what follows an escape: nothing, or a control sequence (ECMA-48 §5.4) in either of the arrows' spellings.
fn escape(bytes: &mut &[u8]) -> Option<Key> {
    let [b'[' | b'O', rest @ ..] = *bytes else { return Some(Key::Escape) };
    let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
    let Some(end) = end else {
        *bytes = &[];
        return None;
    };
    *bytes = &rest[end + 1..];
    match &rest[..=end] {
        b"A" => Some(Key::Up),
        b"B" => Some(Key::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_nothing_else_is() {
        for (bytes, keys) in [
            (&b"\n"[..], &[Key::Enter][..]),
            (b"c\r", &[Key::Char('c'), Key::Enter]),
            (b"\x1b[A\x1bOB", &[Key::Up, Key::Down]),
            (b"\x1b", &[Key::Escape]),
            (b"\x1b[200~c\x1b[201~", &[Key::Char('c')]),
            (b"\x1b[1;5", &[]),
            ("ü\u{7f}\t".as_bytes(), &[]),
        ] {
            assert_eq!(parse(bytes), keys, "{bytes:?}");
        }
    }
}
