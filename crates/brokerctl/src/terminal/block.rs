//! A few lines at the end of the terminal that are drawn in place.
//!
//! The cursor rests at the beginning of the first of them. From there all can be erased whatever a new width has made of
//! them: a terminal that breaks lines anew keeps the cursor where its line begins.

use std::fmt::Write as _;

use super::{Line, Look};

/// Erases from the cursor to the end (ECMA-48 §8.3.39).
pub(super) const ERASE: &str = "\r\u{1b}[J";

/// What is drawn now.
#[derive(Debug, Default)]
pub(super) struct Block {
    drawn: String,
}

impl Block {
    /// Returns what to write so that these lines are there; nothing if they are.
    pub(super) fn draw(&mut self, lines: &[Line], look: &Look) -> Option<String> {
        // A line that fills the width would be broken by some terminals, one more than the height would scroll.
        let most = look.rows.saturating_sub(1).max(1);
        let lines = lines.iter().take(most);
        let lines: Vec<_> =
            lines.map(|line| line.clone().cut(look.columns.saturating_sub(1), look).render(look)).collect();
        let mut text = lines.join("\r\n");
        if lines.len() > 1 {
            // Writing to a string cannot fail.
            let _ = write!(text, "\u{1b}[{}A", lines.len() - 1);
        }
        text.push('\r');
        if text == self.drawn {
            return None;
        }
        self.drawn.clone_from(&text);
        Some(ERASE.to_owned() + &text)
    }

    /// Returns what to write so that it is gone; the next drawing is a whole one.
    pub(super) fn erase(&mut self) -> &'static str {
        if self.drawn.is_empty() {
            return "";
        }
        self.drawn.clear();
        ERASE
    }

    /// Makes the next drawing a whole one: the size has changed, or somebody else has written.
    pub(super) fn forget(&mut self) {
        self.drawn.push('\0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_terminal_and_drawn_once() {
        let look = Look::test(6, 3);
        let mut block = Block::default();
        let lines = ["abcdefgh", "b", "c"].map(Line::new);
        assert_eq!(block.draw(&lines, &look).unwrap(), "\r\u{1b}[Jabcd…\r\nb\u{1b}[1A\r");
        assert_eq!(block.draw(&lines, &look), None);
        block.forget();
        assert!(block.draw(&lines, &look).is_some());
        assert_eq!(block.erase(), ERASE);
        assert_eq!(block.erase(), "", "there is nothing to erase, and what stands there is somebody else's");
    }
}
