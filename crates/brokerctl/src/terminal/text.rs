//! Lines of styled text: what is shown, apart from how a terminal is told so.

use unicode_width::UnicodeWidthChar as _;

use super::Look;
use crate::clean;

/// How a piece of a line looks.
///
/// What is to be read is in the terminal's own colours, bold or dim: those it has made readable on its background, light or
/// dark. A colour is only for a mark ([`Line::good`], [`Line::bad`]), which says by its shape what the colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The mark of what went wrong.
    Bad,
    /// What matters.
    Bold,
    /// What need not be read.
    Dim,
    /// The mark of what went well.
    Good,
    /// Black on white whatever the terminal's colours are: a camera must see it.
    Picture,
    /// Everything else.
    Plain,
}

impl Style {
    /// Select Graphic Rendition (ECMA-48 §8.3.117).
    fn sgr(self) -> &'static str {
        match self {
            Self::Bad => "\u{1b}[1;31m",
            Self::Bold => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Picture => "\u{1b}[30;107m",
            Self::Plain => "",
        }
    }
}

/// One line. What goes in is cleaned: nothing in it steers a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Style, String)>);

impl Line {
    /// A line of plain text.
    pub(crate) fn new(text: &str) -> Self {
        Self::default().and(Style::Plain, text)
    }

    /// A line of one style.
    pub(crate) fn styled(style: Style, text: &str) -> Self {
        Self::default().and(style, text)
    }

    /// The same with more at its end.
    #[must_use]
    pub(crate) fn and(mut self, style: Style, text: &str) -> Self {
        self.0.push((style, clean::line(text).into_owned()));
        self
    }

    /// The same with what went well after it, behind its mark.
    #[must_use]
    pub(crate) fn good(self, text: &str, look: &Look) -> Self {
        self.marked(Style::Good, look.pick("✓", "ok:")).and(Style::Plain, text)
    }

    /// The same with what went wrong after it, behind its mark.
    #[must_use]
    pub(crate) fn bad(self, text: &str, look: &Look) -> Self {
        self.marked(Style::Bad, look.pick("✗", "!")).and(Style::Bold, text)
    }

    fn marked(self, style: Style, mark: &str) -> Self {
        let gap = if self.0.is_empty() { "" } else { " " };
        self.and(Style::Plain, gap).and(style, mark).and(Style::Plain, " ")
    }

    /// The same, moved to the right.
    #[must_use]
    pub(crate) fn indented(mut self, columns: usize) -> Self {
        if columns > 0 && !self.0.is_empty() {
            self.0.insert(0, (Style::Plain, " ".repeat(columns)));
        }
        self
    }

    /// The same with another line beside it, which begins at a column that this one does not reach.
    #[must_use]
    pub(crate) fn beside(mut self, column: usize, other: Self) -> Self {
        let gap = column.saturating_sub(self.width());
        self.0.push((Style::Plain, " ".repeat(gap)));
        self.0.extend(other.0);
        self
    }

    /// How many columns it takes.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| width(text)).sum()
    }

    /// The same, cut to so many columns.
    #[must_use]
    pub(crate) fn cut(self, columns: usize, look: &Look) -> Self {
        if self.width() <= columns {
            return self;
        }
        let ellipsis = look.pick("…", ".");
        let mut left = columns.saturating_sub(1);
        let mut line = Self::default();
        for (style, text) in self.0 {
            let (kept, whole) = prefix(&text, left);
            left -= width(kept);
            line.0.push((style, kept.to_owned()));
            if !whole {
                break;
            }
        }
        line.0.push((Style::Plain, ellipsis.to_owned()));
        line
    }

    /// Writes it as the terminal takes it. What it cannot show is a question mark.
    pub(crate) fn render(&self, look: &Look) -> String {
        let mut out = String::new();
        for (style, text) in &self.0 {
            let sgr = if text.trim().is_empty() && *style != Style::Picture { "" } else { style.sgr() };
            out.push_str(sgr);
            if look.unicode {
                out.push_str(text);
            } else {
                out.extend(text.chars().map(|char| if char.is_ascii() { char } else { '?' }));
            }
            if !sgr.is_empty() {
                out.push_str("\u{1b}[0m");
            }
        }
        out
    }
}

/// How many columns a text takes (UAX #11).
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or_default()).sum()
}

/// The longest beginning that fits into so many columns, and whether that is all of it.
fn prefix(text: &str, columns: usize) -> (&str, bool) {
    let mut used = 0;
    for (at, char) in text.char_indices() {
        used += char.width().unwrap_or_default();
        if used > columns {
            return (&text[..at], false);
        }
    }
    (text, true)
}

/// Breaks a text into lines of at most so many columns: between words where that can be, within them where it must.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for mut word in text.split(' ').filter(|word| !word.is_empty()) {
        loop {
            let line = lines.last().map_or(0, |line| width(line));
            let gap = usize::from(line > 0);
            if line + gap + width(word) <= columns {
                let last = lines.len() - 1;
                lines[last].push_str(if gap > 0 { " " } else { "" });
                lines[last].push_str(word);
                break;
            }
            if line > 0 {
                lines.push(String::new());
                continue;
            }
            // A character that is wider than the line still has to go somewhere.
            let first = word.chars().next().map_or(word.len(), char::len_utf8);
            let (kept, _) = prefix(word, columns);
            let at = kept.len().max(first);
            let last = lines.len() - 1;
            lines[last].push_str(&word[..at]);
            word = &word[at..];
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words_where_that_can_be() {
        for (text, columns, lines) in [
            ("", 10, &[""][..]),
            ("one two three", 7, &["one two", "three"]),
            ("one two", 3, &["one", "two"]),
            ("abcdefgh i", 3, &["abc", "def", "gh", "i"]),
            ("日本語", 4, &["日本", "語"]),
            ("日本", 1, &["日", "本"]),
            ("a  b", 9, &["a b"]),
            ("ab", 0, &["a", "b"]),
        ] {
            assert_eq!(wrap(text, columns), lines, "{text:?} in {columns}");
        }
    }

    #[test]
    fn a_cut_line_fits_and_says_that_it_was_cut() {
        let look = Look { unicode: true, ..Look::test(80, 24) };
        let line = || Line::styled(Style::Bold, "日本").and(Style::Plain, "abc");
        for (columns, shown) in [(7, "日本abc"), (6, "日本a…"), (5, "日本…"), (4, "日…"), (1, "…")] {
            let cut = line().cut(columns, &look);
            let text: String = cut.0.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(text, shown);
            assert!(cut.width() <= columns);
        }
    }

    #[test]
    fn a_terminal_without_unicode_gets_none() {
        let look = Look { unicode: false, ..Look::test(80, 24) };
        assert_eq!(Line::styled(Style::Bold, "lång\u{1b}[2J").render(&look), "\u{1b}[1ml?ng[2J\u{1b}[0m");
    }
}
