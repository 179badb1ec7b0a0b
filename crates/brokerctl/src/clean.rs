//! Keeps what others wrote from steering the terminal: the daemon has cleaned it already, and this is the second look.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns whether a character may change how others are shown, or is not shown itself.
pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            // Zero width, bidirectional marks, line and paragraph ends, embeddings, isolates.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // What joins signs and notes, and shows nothing itself.
            | '\u{13430}'..='\u{13440}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags and variation selectors.
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns one line without such characters; line ends and tabs become spaces.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let spaces = |char| {
        if matches!(char, '\n' | '\r' | '\t') { ' ' } else { char }
    };
    text.chars().map(spaces).filter(|char| !is_unsafe(*char)).collect()
}

/// Returns JSON with such characters escaped: the same value, harmless to look at.
pub(crate) fn json(text: String) -> String {
    if !text.chars().any(is_unsafe) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unsafe(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(char);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let table = [
            ("plain ünï ✓", "plain ünï ✓"),
            ("\u{1b}[2Jred\u{1b}]0;t\u{7}", "[2Jred]0;t"),
            ("two\r\nlines\tand", "two  lines and"),
            ("\u{202e}exe\u{2066}.\u{200b}\u{feff}\u{e0041}", "exe."),
            ("\u{9b}31m\u{7f}", "31m"),
            ("a\u{1bca0}b\u{13430}c\u{1d173}d", "abcd"),
        ];
        for (text, clean) in table {
            assert_eq!(line(text), clean, "{text:?}");
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a": "x\u{202e}\u{9b}\u{e0041}\u{1b}\n", "b": "ü"});
        let shown = json(value.to_string());
        assert!(!shown.chars().any(is_unsafe), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
