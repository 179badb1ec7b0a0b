//! What goes to stdout: the answer and nothing else.

use std::io::{self, Write};

use broker_client::ClientError;
use serde::Serialize;
use unicode_width::UnicodeWidthChar as _;

use crate::clean;
use crate::failure::Failure;

/// Writes one line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    // One system call, so that a line is never torn.
    out.write_all(format!("{text}\n").as_bytes())?;
    Ok(out.flush()?)
}

/// Writes a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(&as_json(value)?)
}

/// Returns a value as JSON that is harmless to look at.
pub(crate) fn as_json(value: &impl Serialize) -> Result<String, ClientError> {
    let text = serde_json::to_string(value);
    text.map(clean::json).map_err(|error| ClientError::Protocol(format!("it cannot be written: {error}")))
}

/// Rows of columns, each as wide as its widest cell. The last column is not padded.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| clean::line(cell).into_owned()).collect());
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| columns_of(cell)).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut lines = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let pad = |cell: &String, width: usize| cell.clone() + &" ".repeat(width - columns_of(cell));
            let padded = row.iter().zip(&widths).map(|(cell, width)| pad(cell, *width));
            lines.push(padded.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        }
        lines.join("\n")
    }

    pub(crate) fn print(&self) -> Result<(), Failure> {
        line(&self.render())
    }
}

/// How many columns of a terminal a cell takes: a character of East Asia takes two, a combining one none.
fn columns_of(cell: &str) -> usize {
    cell.chars().map(|char| char.width().unwrap_or_default()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_rows_stay_rows() {
        let mut table = Table::default();
        table.row(["PROFILE", "ACCOUNT"]);
        table.row(["w", "ada\n\u{1b}[2J"]);
        table.row(["lång-profile", ""]);
        assert_eq!(table.render(), "PROFILE       ACCOUNT\nw             ada [2J\nlång-profile");
    }

    #[test]
    fn columns_are_those_of_the_terminal() {
        let mut table = Table::default();
        table.row(["仕事", "a"]);
        table.row(["a\u{30a}b", "b"]);
        table.row(["work", "c"]);
        assert_eq!(table.render(), "仕事  a\na\u{30a}b    b\nwork  c");
    }
}
