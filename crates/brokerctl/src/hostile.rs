//! Whatever a daemon, a provider or another program has put into a text, nothing of it steers the terminal.
//!
//! Ten thousand texts, each in the place of every text that `brokerctl` shows of others, and all of it looked at.

mod payload;

use std::thread;

use broker_client::{Account, AccountRef, ClientError, DevicePrompt, ErrorBody, Event, Findings, SignedOut, Status};
use broker_ipc::edit::{ListedProfiles, RemovedProfile, ShownProfile};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::payload::Payloads;
use crate::commands::{accounts, doctor, profile, prompts, status, watch};
use crate::failure::voices;
use crate::terminal::Look;
use crate::{az, clean, output, prompt};

const PAYLOADS: usize = 10_000;

/// Terminals, one after the other.
const LOOKS: [Look; 4] = [
    Look { columns: 80, rows: 24, unicode: true },
    Look { columns: 20, rows: 24, unicode: false },
    Look { columns: 37, rows: 50, unicode: true },
    Look { columns: 200, rows: 60, unicode: true },
];

/// What follows an escape of ours: a drawn line is styled by it, a code is copied by it.
const OUR_OWN: [&str; 7] = ["[1;31m", "[1m", "[2m", "[32m", "[30;107m", "[0m", "]52;c;"];

/// Moves or hides what is around it, by Unicode's own lists (`Bidi_Control`, `Default_Ignorable_Code_Point`): some of each,
/// so that what is cleaned is not held to itself alone.
fn is_treacherous(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(char, '\u{3164}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// All that is shown with one text in every place.
#[derive(Default)]
struct Shown {
    /// Texts of several lines, whose number is not for others to choose.
    texts: Vec<String>,
    /// Lines.
    lines: Vec<String>,
}

/// A text of others, and what was shown of it that should not be.
type Found = (String, String);

#[test]
fn nothing_in_ten_thousand_texts_reaches_the_terminal() {
    let payloads: Vec<_> = Payloads::new().take(PAYLOADS).collect();
    let (one, other) = payloads.split_at(PAYLOADS / 2);
    // They do not share anything, and are many for a build without optimisations.
    let findings = thread::scope(|scope| {
        let other = scope.spawn(|| findings(other));
        [findings(one), other.join().unwrap()].concat()
    });
    println!("terminal: {PAYLOADS} payloads, {} findings", findings.len());
    assert!(findings.is_empty(), "{:#?}", &findings[..findings.len().min(3)]);
}

fn findings(payloads: &[String]) -> Vec<Found> {
    let harmless = LOOKS.map(|look| Shown::of("x", &look));
    let found = |(at, payload): (usize, &String)| {
        let at = at % LOOKS.len();
        Some((payload.clone(), Shown::of(payload, &LOOKS[at]).finding(&harmless[at])?))
    };
    payloads.iter().enumerate().filter_map(found).collect()
}

impl Shown {
    fn of(text: &str, look: &Look) -> Self {
        let mut shown = Self::default();
        let account = AccountRef { id: text.into(), username: text.into() };
        let asked = asked(text);
        shown.prompt(&asked, &account, look);
        shown.failures(text);
        shown.status(text, &asked, look);
        shown.events(text, asked, account, look);
        shown.profiles(text);
        shown.findings(text);
        shown
    }

    fn prompt(&mut self, asked: &DevicePrompt, account: &AccountRef, look: &Look) {
        self.texts.extend(prompt::told(asked, account));
        self.lines.extend(prompt::drawn(asked, account, look).iter().map(|line| line.render(look)));
        let copied = prompt::osc52(&asked.user_code);
        self.lines.push(copied.strip_suffix('\u{7}').unwrap().to_owned());
        self.texts.push(prompts::table(std::slice::from_ref(asked)).render());
    }

    fn failures(&mut self, text: &str) {
        let not_the_protocol = serde_json::from_value::<DevicePrompt>(json!({ "id": text, "expires_in": text }));
        // What is no text at all: half of a pair of surrogates (RFC 8259 §8.2).
        let half = Value::from(text).to_string().replacen('"', "\"\\ud83d", 1);
        let no_text = serde_json::from_str::<Value>(&half).unwrap_err();
        let garbage = ClientError::Protocol(format!("{text}: {no_text}, {}", not_the_protocol.unwrap_err()));
        let mut body = ClientError::Api(Box::new(failure(text))).to_body();
        body.error_description.push_str(&garbage.to_body().error_description);
        self.texts.extend(voices(&body));
        self.lines.push(az::why(&body));
    }

    fn events(&mut self, text: &str, asked: DevicePrompt, account: AccountRef, look: &Look) {
        let events = [
            Event::AccountChanged { account, profile: text.into(), state: None },
            Event::PromptEnded { id: text.into(), outcome: text.into() },
            Event::PromptStarted(Box::new(asked)),
        ];
        self.lines.extend(events.iter().map(watch::told));
        self.lines.push(output::as_json(&events[2]).unwrap());
        self.lines.extend(watch::drawn(&events, text, look).iter().map(|line| line.render(look)));
    }

    fn status(&mut self, text: &str, asked: &DevicePrompt, look: &Look) {
        let accounts = [read::<Account>(json!({
            "id": text, "username": text, "profile": text, "state": "signed_in", "scope": text, "signed_in_at": text,
            "refresh_token_expires_at": text,
            "tokens": [{"scope": text, "expires_at": text, "refresh_after": text}, {"scope": text}],
            "last_error": {"at": text, "error": "blocked", "error_description": text, "hint": text}
        }))];
        let status: Status = read(json!({
            "version": text, "pid": 7, "uptime": 3600, "accounts": 1,
            "store": {"kind": text, "durability": text, "state": text, "detail": text, "unlock": text},
            "configuration": {"path": text, "error": text}, "profiles": [summary(text)],
            "flights": [{"kind": text, "profile": text, "account": text, "waiters": 3}], "notices": [text, text]
        }));
        let (rows, lines) = status::shown((&status, &accounts, std::slice::from_ref(asked)), text, look);
        self.texts.push(rows);
        self.lines.extend(lines.iter().map(|line| line.render(look)));
        self.texts.push(accounts::table(&accounts).render());
        let signed_out: SignedOut = read(json!({
            "account": {"id": text, "username": text}, "profile": text, "revocation": "failed", "detail": text
        }));
        self.texts.push(accounts::told(&signed_out));
    }

    fn profiles(&mut self, text: &str) {
        let listed = ListedProfiles { path: text.into(), profiles: vec![read(summary(text))] };
        self.texts.push(profile::table(&listed).render());
        let shown: ShownProfile = read(json!({
            "path": text, "profile": text, "default": true, "in_file": [],
            "settings": {text: text, "list of them": [text, text], "object of them": {text: text}}
        }));
        self.texts.push(profile::describe(&shown).render());
        let added = profile::Added {
            written: read(
                json!({"path": text, "profile": summary(text), "replaced": true, "wants_client_secret": false, "no_default_after": text}),
            ),
            checked: Some(found(text)),
            unchecked: None,
            not_in_force: Some(text.into()),
        };
        let removed = RemovedProfile { path: text.into(), profile: text.into(), was_default: true };
        self.lines.extend(profile::told(&added, removed, text));
    }

    fn findings(&mut self, text: &str) {
        self.texts.push(doctor::list(&found(text)).render());
    }

    /// The first thing that is not as it must be, beside what is shown of a text that is harmless.
    fn finding(&self, harmless: &Self) -> Option<String> {
        let more_lines = |(own, harmless): (&String, &String)| {
            (own.matches('\n').count() != harmless.matches('\n').count()).then(|| own.clone())
        };
        let forged = self.texts.iter().zip(&harmless.texts).find_map(more_lines);
        let in_texts = || self.texts.iter().find(|text| text.split('\n').any(steers)).cloned();
        let in_lines = || self.lines.iter().find(|line| steers_beside_us(line)).cloned();
        forged.or_else(in_texts).or_else(in_lines)
    }
}

fn steers(line: &str) -> bool {
    let is_plain = |char| matches!(char, ' '..='~');
    line.chars().any(|char| !is_plain(char) && (clean::is_unsafe(char) || is_treacherous(char)))
}

/// The same of a line that we have drawn.
fn steers_beside_us(line: &str) -> bool {
    let mut pieces = line.split('\u{1b}');
    let ours = |piece: &'_ str| OUR_OWN.iter().find_map(|own| piece.strip_prefix(own)).is_none_or(steers);
    pieces.next().is_none_or(steers) || pieces.any(ours)
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn asked(text: &str) -> DevicePrompt {
    prompt::example(json!({
        "id": text, "user_code": text, "verification_uri": text, "verification_uri_complete": text, "expires_at": text,
        "profile": text, "account": text, "other_accounts": [text, text, text, text], "scopes": [text, text],
        "requested_by": {"pid": 4711, "command": text, "via": text}
    }))
}

fn failure(text: &str) -> ErrorBody {
    read(json!({
        "error": text, "error_description": text, "hint": text, "retry_after": 30,
        "accounts": [{"id": text, "username": text}, {"id": text, "username": text}],
        "provider": {
            "error": text, "error_description": text, "suberror": text, "classification": text, "error_codes": [53003],
            "correlation_id": text, "trace_id": text, "timestamp": text, "claims": {text: {"values": [text]}}
        }
    }))
}

fn summary(text: &str) -> Value {
    json!({
        "name": text, "provider": text, "issuer": text, "client_id": text, "scopes": [text], "default": true,
        "proxy": {"from": text, "address": text, "error": text}, "ca_file": text
    })
}

fn found(text: &str) -> Findings {
    let finding = json!({"check": text, "subject": text, "ok": false, "error": text, "detail": text, "hint": text});
    read(json!({"ok": false, "findings": [finding, finding]}))
}
