//! The user code on its way into the clipboard.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The sequence by which a terminal is asked to put a text into the clipboard of whoever sits before it, over ssh too
/// (xterm's OSC 52). Not every terminal does; none says whether it did.
pub(crate) fn osc52(text: &str) -> String {
    format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_copied_cannot_end_the_sequence() {
        assert_eq!(super::osc52("ABCD-EFGH"), "\u{1b}]52;c;QUJDRC1FRkdI\u{7}");
        let hostile = super::osc52("\u{7}\u{1b}[2J");
        assert_eq!(hostile.matches(['\u{7}', '\u{1b}']).count(), 2, "{hostile:?}");
    }
}
