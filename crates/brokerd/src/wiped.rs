//! JSON in memory that is zeroed when it is done with, and of which nothing is left elsewhere.

use std::io;

use serde::Serialize;
use zeroize::Zeroizing;

/// Writes a value as JSON, with room for `more` bytes behind it. Its types have string keys only, and writing to memory does
/// not fail.
pub(crate) fn json<T: Serialize>(value: &T, more: usize) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value).ok();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0 + more));
    serde_json::to_writer(&mut *bytes, value).ok();
    bytes
}

/// The same, as text.
pub(crate) fn json_text<T: Serialize>(value: &T) -> Zeroizing<String> {
    let bytes = std::mem::take(&mut *json(value, 0));
    Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
}

/// How long something is that is written: a vector that grew would leave a copy of a token behind.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_never_grew() {
        let value = ["a".repeat(5000), "\"\n".repeat(50)];
        let text = json_text(&value);
        assert_eq!(serde_json::from_str::<[String; 2]>(&text).unwrap(), value);
        assert_eq!(text.capacity(), text.len());
        let line = json(&value, 1);
        assert_eq!(line.capacity(), line.len() + 1);
    }
}
