//! Words that would do something to whoever reads them.

use serde_json::Value;

/// Moves a cursor, turns a line around, or hides, by Unicode's own lists (`Bidi_Control`, `Default_Ignorable_Code_Point`): some of each.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{3164}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The first such character of a text; line breaks are none.
pub fn found_in(text: &str) -> Option<char> {
    text.chars().find(|c| *c != '\n' && is_unsafe(*c))
}

/// All words of an answer: texts, and the names of members.
pub fn all_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(all_text).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| name.clone() + &all_text(value)).collect(),
        _ => String::new(),
    }
}
