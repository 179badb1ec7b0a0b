//! `status --watch` on a terminal: drawn anew in place, until `q` or Ctrl-C.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use broker_client::blocking::Client;

use super::{EVERY, Whole, ask, describe};
use crate::clock;
use crate::terminal::{Input, Key, Line, Look, Session, Style, Waker};

/// Draws until the user has seen enough.
pub(super) fn run(client: Client, (mut session, waker): (Session, Waker)) {
    let (send, news) = channel();
    // It asks apart from the drawing: a daemon that hangs must not hold the keys up. It ends with the process.
    let asking = move || {
        loop {
            if send.send(ask(&client).map_err(|error| error.to_string())).is_err() {
                return;
            }
            waker.wake();
            thread::sleep(EVERY);
        }
    };
    if thread::Builder::new().spawn(asking).is_err() {
        return;
    }
    let mut last = None;
    let mut trouble = None;
    loop {
        match news.try_iter().last() {
            Some(Ok(whole)) => (last, trouble) = (Some(whole), None),
            Some(Err(why)) => trouble = Some(why),
            None => {}
        }
        let lines = lines(last.as_ref(), trouble.as_deref(), session.look());
        session.draw(&lines);
        if let Input::Keys(keys) = session.wait(Duration::from_secs(1))
            && keys.iter().any(|key| matches!(key, Key::Char('q' | 'Q') | Key::Escape))
        {
            return;
        }
    }
}

pub(super) fn lines(last: Option<&Whole>, trouble: Option<&str>, look: &Look) -> Vec<Line> {
    let table = last.map(|whole| describe::table(whole, clock::now()).render()).unwrap_or_default();
    let mut lines: Vec<_> = table.lines().map(Line::new).collect();
    lines.extend(trouble.map(|why| Line::default().bad(why, look)));
    // The last row is the keys', whatever does not fit.
    lines.truncate(look.rows.saturating_sub(3));
    lines.push(Line::default());
    lines.push(Line::styled(Style::Dim, "q: leave"));
    lines
}
