//! The prompt as a terminal shows it: pure functions of what is asked, how it stands, and what the terminal can do.

use std::time::Duration;

use broker_client::DevicePrompt;

use super::{Link, plain, qr};
use crate::terminal::{Line, Look, Style, wrap};

/// Where values begin, behind their names.
const VALUES: usize = 9;
/// A terminal narrower than this gets each name on a line of its own.
const NARROW: usize = 38;
/// Scopes beyond so many lines say less than their number.
const MOST_LINES: usize = 4;
/// Columns between the text and the picture beside it.
const GAP: usize = 2;
/// Rows that the empty line at the top, the live lines and the shell's next prompt need.
const ROWS_LEFT: usize = 5;
/// Longer than any code a person enters.
const LONGEST_CODE: usize = 64;

/// What the user can do by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Can {
    /// There is a browser, and a page for it.
    pub(super) open: bool,
}

/// How the prompt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The daemon went away; it may come back.
    Away,
    /// The code was handed to the terminal's clipboard.
    Copied,
    /// No browser came up.
    NotOpened,
    /// The page was handed to the browser.
    Opened,
    /// Nothing was done yet.
    Waiting,
}

/// What stays on the screen: who asks, for what, the page, the code, the warning; beside or below it a QR code of the page.
pub(super) fn card(prompt: &DevicePrompt, look: &Look) -> Vec<Line> {
    let margin = margin(look);
    let page = |columns: usize| Look { columns: columns.saturating_sub(margin), ..*look };
    let indented = |lines: Vec<Line>| lines.into_iter().map(move |line| line.indented(margin));
    let whole = || text(prompt, &page(look.columns));
    let Some(picture) = picture(prompt, look) else { return indented(whole()).collect() };
    let (width, height) = (picture.first().map_or(0, Line::width), picture.len());
    let column = look.columns.saturating_sub(width + 1);
    let narrow = page(column.saturating_sub(GAP));
    if fits(prompt, &narrow) && height + ROWS_LEFT <= look.rows {
        let lines: Vec<_> = indented(text(prompt, &narrow)).collect();
        // On a wide terminal it stands by the text and not at the far edge.
        let column = column.min(lines.iter().map(Line::width).max().unwrap_or_default().max(NARROW) + GAP);
        return beside(lines, column, picture);
    }
    let lines: Vec<_> = indented(whole()).collect();
    if width < look.columns && lines.len() + height + 1 + ROWS_LEFT <= look.rows {
        return lines.into_iter().chain([Line::default()]).chain(picture).collect();
    }
    lines
}

fn text(prompt: &DevicePrompt, look: &Look) -> Vec<Line> {
    let title = format!("Sign in to {}", crate::clean::line(&prompt.profile));
    let mut lines = vec![Line::default()];
    lines.extend(wrap(&title, look.columns).iter().map(|line| Line::styled(Style::Bold, line)));
    lines.push(Line::default());
    lines.extend(field("asked by", &plain::requester(prompt), Style::Plain, look));
    if let Some(account) = &prompt.account {
        lines.extend(field("account", account, Style::Plain, look));
    }
    if let Some(others) = plain::others(prompt) {
        lines.extend(field("", &others, Style::Bold, look).into_iter().filter(|line| line.width() > 0));
    }
    if !prompt.scopes.is_empty() {
        lines.extend(scopes(&prompt.scopes, look));
    }
    lines.push(Line::default());
    lines.extend(address("open", &prompt.verification_uri, look));
    lines.extend(code(&prompt.user_code, look));
    lines.push(Line::default());
    let warning = "Go on only if you started this. Never enter a code that somebody sent you.";
    lines.extend(wrap(warning, look.columns).iter().map(|line| Line::new(line)));
    lines
}

/// A narrow terminal has no columns to spare.
fn margin(look: &Look) -> usize {
    if look.columns < NARROW { 0 } else { 2 }
}

/// What is drawn below it again and again.
pub(super) fn live(state: &State, left: Duration, can: Can, look: &Look) -> Vec<Line> {
    let margin = margin(look);
    let seconds = left.as_secs();
    let left = format!("{}:{:02}", seconds / 60, seconds % 60);
    let state = match state {
        _ if seconds == 0 => Line::default().bad("The code has run out.", look),
        State::Away => Line::styled(Style::Bold, "brokerd went away. Waiting for it to come back."),
        State::Copied => waiting(&left).good("Code copied, if this terminal lets it.", look),
        State::NotOpened => waiting(&left).bad("No browser came up: open the page yourself.", look),
        State::Opened => waiting(&left).good("Page opened.", look),
        State::Waiting => waiting(&left),
    };
    let dot = look.pick(" · ", " | ");
    let keys: &[&str] = if can.open { &["Enter: open the page", "c: copy the code"] } else { &["c: copy the code"] };
    let keys = format!("{}{dot}Ctrl-C: leave", keys.join(dot));
    [Line::default(), state, Line::styled(Style::Dim, &keys)].map(|line| line.indented(margin)).into()
}

/// What stands in the place of the live lines when it has ended well.
pub(super) fn ended(who: &str, look: &Look) -> Vec<Line> {
    let margin = margin(look);
    vec![Line::default(), Line::default().good(who, look).indented(margin), Line::default()]
}

fn waiting(left: &str) -> Line {
    Line::new("Waiting for you, ").and(Style::Bold, left).and(Style::Plain, " left.")
}

/// A name and its value, which is broken between words.
fn field(name: &str, value: &str, style: Style, look: &Look) -> Vec<Line> {
    let (first, indent) =
        if look.columns < NARROW { (vec![Line::styled(Style::Dim, name)], 2) } else { (vec![], VALUES) };
    let is_own_line = !first.is_empty();
    let value = crate::clean::line(value);
    let lines = wrap(&value, look.columns.saturating_sub(indent)).into_iter().enumerate().map(|(at, text)| {
        let line = if at == 0 && !is_own_line {
            Line::styled(Style::Dim, &format!("{name:<indent$}"))
        } else {
            Line::new(&" ".repeat(indent))
        };
        line.and(style, &text)
    });
    first.into_iter().chain(lines).collect()
}

fn scopes(scopes: &[String], look: &Look) -> Vec<Line> {
    let mut lines = field("scopes", &scopes.join(" "), Style::Plain, look);
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        lines.extend(field("", &format!("{} in all", scopes.len()), Style::Plain, look).into_iter().next_back());
    }
    lines
}

/// A page is never broken: a terminal that breaks it itself copies it whole.
fn address(name: &str, page: &str, look: &Look) -> Vec<Line> {
    let line = Line::styled(Style::Dim, &format!("{name:<VALUES$}")).and(Style::Bold, page);
    if line.width() <= look.columns {
        return vec![line];
    }
    vec![Line::styled(Style::Dim, name), Line::styled(Style::Bold, page)]
}

/// The code in a frame of its own: a double click takes it and nothing else.
fn code(code: &str, look: &Look) -> Vec<Line> {
    let code = crate::clean::line(code);
    if code.chars().count() > LONGEST_CODE {
        let start: String = code.chars().take(LONGEST_CODE).collect();
        let all = format!("{start}{} ({} characters)", look.pick("…", "..."), code.chars().count());
        return field("enter", &all, Style::Bold, look);
    }
    let indent = if look.columns < NARROW { 0 } else { VALUES };
    let width = Line::new(&code).width() + 4;
    if indent + width + 2 > look.columns {
        return field("enter", &code, Style::Bold, look);
    }
    let edge = look.pick("─", "-").repeat(width);
    let (left_top, right_top) = (look.pick("╭", "+"), look.pick("╮", "+"));
    let (left_end, right_end) = (look.pick("╰", "+"), look.pick("╯", "+"));
    let side = look.pick("│", "|");
    let name = |name: &str| Line::styled(Style::Dim, &format!("{name:<indent$}"));
    let middle = if indent > 0 { name("enter") } else { Line::default() };
    let mut lines = if indent > 0 { vec![] } else { vec![Line::styled(Style::Dim, "enter")] };
    lines.extend([
        name("").and(Style::Dim, &format!("{left_top}{edge}{right_top}")),
        middle.and(Style::Dim, side).and(Style::Bold, &format!("  {code}  ")).and(Style::Dim, side),
        name("").and(Style::Dim, &format!("{left_end}{edge}{right_end}")),
    ]);
    lines
}

/// A QR code of the page, with the code in it where the provider has such a page.
fn picture(prompt: &DevicePrompt, look: &Look) -> Option<Vec<Line>> {
    let page = prompt.verification_uri_complete.as_ref().unwrap_or(&prompt.verification_uri);
    Link::parse(page).filter(|_| look.unicode).and_then(|link| qr::draw(link.as_str()))
}

/// Whether the page and the code stay in one piece there.
fn fits(prompt: &DevicePrompt, look: &Look) -> bool {
    let page = Line::new(&prompt.verification_uri).width();
    let code = Line::new(&prompt.user_code).width() + 6;
    look.columns >= NARROW && VALUES + page.max(code) <= look.columns
}

fn beside(text: Vec<Line>, column: usize, picture: Vec<Line>) -> Vec<Line> {
    // The text begins with an empty line; so does the picture.
    let rows = text.len().max(picture.len() + 1);
    let text = text.into_iter().chain(std::iter::repeat(Line::default()));
    let picture = [None].into_iter().chain(picture.into_iter().map(Some)).chain(std::iter::repeat(None));
    let rows = text.zip(picture).take(rows);
    rows.map(|(line, picture)| match picture {
        Some(picture) => line.beside(column, picture),
        None => line,
    })
    .collect()
}

#[cfg(test)]
mod tests;
