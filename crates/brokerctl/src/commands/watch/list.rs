//! The prompts of this machine, and what happened last: what is known and how it looks, without a terminal.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use broker_client::{DevicePrompt, Event};

use super::describe;
use crate::prompt;
use crate::terminal::{Line, Look, Style};

/// What happened before that is of no interest to somebody who watches.
const REMEMBERED: usize = 5;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct List {
    prompts: Vec<(DevicePrompt, SystemTime)>,
    chosen: usize,
    past: VecDeque<String>,
    /// Why nothing is heard.
    pub(super) away: Option<String>,
    /// What came of the last key, well or badly.
    pub(super) done: Option<Result<String, String>>,
}

impl List {
    /// Begins anew: the daemon tells first what is pending.
    pub(super) fn connected(&mut self) {
        self.prompts.clear();
        self.away = None;
    }

    pub(super) fn hear(&mut self, event: Event, now: SystemTime) {
        match event {
            Event::PromptStarted(prompt) => {
                self.prompts.retain(|(known, _)| known.id != prompt.id);
                self.prompts.push((*prompt, now));
            }
            event => {
                let mut text = describe(&event);
                if let Event::PromptEnded { id, outcome } = &event {
                    let ended = self.prompts.iter().find(|(known, _)| known.id == *id);
                    if let Some((prompt, _)) = ended {
                        let outcome = outcome.replace('_', " ");
                        text = format!("{} for {}: {outcome}", prompt::requester(prompt), prompt::place(prompt));
                    }
                    self.prompts.retain(|(known, _)| known.id != *id);
                }
                self.past.push_back(text);
                if self.past.len() > REMEMBERED {
                    self.past.pop_front();
                }
            }
        }
        self.chosen = self.chosen.min(self.prompts.len().saturating_sub(1));
    }

    /// Chooses the next, or the one before.
    pub(super) fn move_by(&mut self, forward: bool) {
        self.chosen = if forward { self.chosen + 1 } else { self.chosen.saturating_sub(1) };
        self.chosen = self.chosen.min(self.prompts.len().saturating_sub(1));
        self.done = None;
    }

    pub(super) fn chosen(&self) -> Option<&DevicePrompt> {
        self.prompts.get(self.chosen).map(|(prompt, _)| prompt)
    }

    /// How it looks.
    pub(super) fn lines(&self, now: SystemTime, look: &Look) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.prompts.is_empty() {
            lines.push(Line::new("Nobody waits for a sign-in."));
        }
        for (at, (prompt, since)) in self.prompts.iter().enumerate() {
            let is_chosen = at == self.chosen;
            let (mark, style) = if is_chosen { (look.pick("▸ ", "> "), Style::Bold) } else { ("  ", Style::Plain) };
            let life = Duration::from_secs(prompt.expires_in);
            let left = life.saturating_sub(now.duration_since(*since).unwrap_or_default()).as_secs();
            let who = format!("{mark}{} for {}", prompt::requester(prompt), prompt::place(prompt));
            let left = format!(", {}:{:02} left", left / 60, left % 60);
            lines.push(Line::styled(style, &who).and(Style::Plain, &left));
            let place = Line::new("    ").and(style, &prompt.user_code).and(Style::Plain, " at ");
            lines.push(place.and(Style::Plain, &prompt.verification_uri));
            if is_chosen && !prompt.scopes.is_empty() {
                lines.push(Line::styled(Style::Dim, &format!("    scopes {}", prompt.scopes.join(" "))));
            }
        }
        lines.extend(self.past.iter().map(|text| Line::styled(Style::Dim, text)));
        lines.extend(self.away.iter().map(|why| Line::default().bad(why, look)));
        lines.extend(self.done.iter().map(|done| match done {
            Ok(what) => Line::default().good(what, look),
            Err(why) => Line::default().bad(why, look),
        }));
        // The keys are in the last row, whatever does not fit.
        lines.truncate(look.rows.saturating_sub(3));
        let dot = look.pick(" · ", " | ");
        let keys = ["Enter: open the page", "c: copy the code", "x: cancel", "q: leave"];
        let keys = if self.prompts.is_empty() { &keys[3..] } else { &keys };
        lines.extend([Line::default(), Line::styled(Style::Dim, &keys.join(dot))]);
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    fn started(id: &str, who: &str) -> Event {
        let prompt = json!({"id": id, "requested_by": {"command": who}, "user_code": format!("CODE-{id}\u{1b}[2J")});
        Event::PromptStarted(Box::new(prompt::example(prompt)))
    }

    fn shown(list: &List, seconds: u64) -> String {
        let look = Look::test(80, 24);
        let lines = list.lines(UNIX_EPOCH + Duration::from_secs(seconds), &look);
        let plain = |line: &Line| line.render(&look).replace("\u{1b}[0m", "").replace("\u{1b}[2m", "");
        lines.iter().map(plain).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn prompts_come_and_go_and_one_is_chosen() {
        let mut list = List::default();
        assert_eq!(shown(&list, 0), "Nobody waits for a sign-in.\n\nq: leave");
        list.hear(started("1", "git"), UNIX_EPOCH);
        list.hear(started("2", "terraform"), UNIX_EPOCH);
        list.hear(started("1", "git"), UNIX_EPOCH);
        list.move_by(true);
        list.move_by(true);
        assert_eq!(list.chosen().map(|prompt| prompt.id.as_str()), Some("1"));
        let keys = "Enter: open the page · c: copy the code · x: cancel · q: leave";
        assert_eq!(
            shown(&list, 61),
            format!(
                "  terraform for work, 13:59 left\n    CODE-2[2J at https://x.test/d\n\
                 \u{1b}[1m▸ git for work, 13:59 left\n    \u{1b}[1mCODE-1[2J at https://x.test/d\n\n{keys}"
            )
        );
        let asked = json!({"id": "3", "account": "ada", "scopes": ["openid", "mail.read"]});
        list.hear(Event::PromptStarted(Box::new(prompt::example(asked))), UNIX_EPOCH);
        assert!(shown(&list, 0).contains("a program for work as ada"));
        assert!(!shown(&list, 0).contains("scopes"), "only of the one that is chosen");
        list.move_by(true);
        assert!(shown(&list, 0).contains("at https://x.test/d\n    scopes openid mail.read\n"), "{}", shown(&list, 0));
        list.hear(Event::PromptEnded { id: "3".into(), outcome: "cancelled".into() }, UNIX_EPOCH);
        assert!(shown(&list, 0).contains("a program for work as ada: cancelled"));
        list.hear(Event::PromptEnded { id: "1".into(), outcome: "signed_in".into() }, UNIX_EPOCH);
        assert_eq!(list.chosen().map(|prompt| prompt.id.as_str()), Some("2"));
        assert!(shown(&list, 0).contains("git for work: signed in"));
        list.move_by(false);
        list.away = Some("brokerd is not running".into());
        assert!(shown(&list, 0).contains("brokerd is not running"));
        list.connected();
        assert!(list.chosen().is_none());
        for _ in 0..9 {
            list.hear(Event::Lagged { missed: 1 }, UNIX_EPOCH);
        }
        assert_eq!(shown(&list, 0).matches("events missed").count(), REMEMBERED);
    }
}
