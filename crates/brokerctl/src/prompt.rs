//! The prompt: what a user sees who must act. Who asks and for what, where to go, which code to enter.
//!
//! Three faces: drawn and live on a terminal whose keyboard is ours; plain lines everywhere else and for screen readers;
//! JSON, one event a line, for programs. Nothing of it exists before a person is needed: most answers are silent.

mod browser;
#[cfg(unix)]
mod card;
#[cfg(unix)]
mod code;
mod events;
mod link;
#[cfg(unix)]
mod live;
mod plain;
#[cfg(unix)]
mod qr;

use std::io::{self, IsTerminal as _};

use broker_client::{AccountRef, DevicePrompt};
use clap::ValueEnum;

pub(crate) use self::browser::Browser;
#[cfg(unix)]
pub(crate) use self::code::osc52;
pub(crate) use self::events::failed;
pub(crate) use self::link::Link;
pub(crate) use self::plain::{place, requester};
use crate::clean;
use crate::failure::say;
#[cfg(unix)]
use crate::terminal;

/// Names a mode where no option does.
const VARIABLE: &str = "BROKERCTL_PROMPT";

/// What there is to tell while somebody waits for a person.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notice<'a> {
    /// brokerd went away; it may come back.
    Away,
    /// It is back.
    Back,
    /// Somebody must act.
    Prompt(&'a DevicePrompt),
}

/// Which face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Live on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// Plain lines, for screen readers and logs
    Plain,
    /// Events on stderr, one JSON object a line, for programs
    Json,
    /// The last where stderr is no terminal, else the first
    #[value(skip)]
    JsonUnlessTerminal,
}

/// Shows what a wait for a person has to tell.
#[derive(Debug)]
pub(crate) struct Prompter {
    mode: Mode,
    face: Face,
}

#[derive(Debug)]
enum Face {
    /// There was nothing to tell so far.
    None,
    /// In lines that each begin so.
    Plain(&'static str),
    Json,
    #[cfg(unix)]
    Live(live::Live),
}

impl Prompter {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, face: Face::None }
    }

    /// Tells it.
    pub(crate) fn tell(&mut self, notice: Notice<'_>) {
        if matches!(self.face, Face::None) {
            self.face = self.mode.face();
        }
        match &mut self.face {
            Face::None => {}
            Face::Plain(start) => say(&format!("{start}{}", plain::notice(notice))),
            Face::Json => say(&events::notice(notice)),
            #[cfg(unix)]
            Face::Live(live) => live.tell(notice),
        }
    }

    /// Says what a person may want to know, and no program needs: among events it is one that may be passed over.
    pub(crate) fn note(&self, text: &str) {
        self.mode.note(text);
    }

    /// Ends with who signed in; silent if nobody was asked.
    pub(crate) fn signed_in(&mut self, account: &AccountRef, profile: &str) {
        let who = who(account, profile);
        match std::mem::replace(&mut self.face, Face::None) {
            Face::None => {}
            Face::Plain(start) => say(&format!("{start}brokerctl: {who}\n")),
            Face::Json => say(&events::signed_in(account, profile)),
            #[cfg(unix)]
            Face::Live(live) => live.end(&who),
        }
    }
}

impl Mode {
    /// Returns whether something may be drawn on a terminal.
    #[cfg(unix)]
    pub(crate) fn may_draw(self) -> bool {
        self.settled() == Self::Auto
    }

    /// Returns whether failures are events too.
    pub(crate) fn is_json(self) -> bool {
        self.settled() == Self::Json
    }

    /// Says it, as [`Prompter::note`].
    pub(crate) fn note(self, text: &str) {
        say(&if self.is_json() { events::note(text) } else { format!("brokerctl: {text}\n") });
    }

    /// Says that the environment names no mode, where it decides.
    pub(crate) fn check(self) {
        let named = std::env::var_os(VARIABLE).unwrap_or_default();
        let is_known = named.is_empty() || named.to_str().is_some_and(|name| Self::from_str(name, true).is_ok());
        if !is_known && !matches!(self, Self::Json | Self::Plain) {
            let named = clean::line(&named.to_string_lossy()).into_owned();
            self.note(&format!("{VARIABLE}={named} is none of auto, plain and json: taken for auto"));
        }
    }

    /// The mode with what the environment says where no option does.
    fn settled(self) -> Self {
        if matches!(self, Self::Json | Self::Plain) {
            return self;
        }
        let named = std::env::var(VARIABLE).ok().and_then(|name| Self::from_str(&name, true).ok());
        match named {
            Some(mode @ (Self::Json | Self::Plain)) => mode,
            _ if self == Self::JsonUnlessTerminal && !io::stderr().is_terminal() => Self::Json,
            _ => Self::Auto,
        }
    }

    fn face(self) -> Face {
        match self.settled() {
            Self::Json => Face::Json,
            Self::Plain => Face::Plain(""),
            #[cfg(unix)]
            _ => live::Live::start().map_or(Face::Plain(terminal::start_of_line()), Face::Live),
            #[cfg(not(unix))]
            _ => Face::Plain(""),
        }
    }
}

/// Says who signed in.
fn who(account: &AccountRef, profile: &str) -> String {
    format!("signed in as {} ({})", clean::line(&account.username), clean::line(profile))
}

/// A prompt and its end, in lines and as JSON.
#[cfg(all(test, unix))]
pub(crate) fn told(prompt: &DevicePrompt, account: &AccountRef) -> [String; 4] {
    let (profile, notice) = (&prompt.profile, Notice::Prompt(prompt));
    [plain::notice(notice), who(account, profile), events::notice(notice), events::signed_in(account, profile)]
}

/// The same, drawn.
#[cfg(all(test, unix))]
pub(crate) fn drawn(prompt: &DevicePrompt, account: &AccountRef, look: &terminal::Look) -> Vec<terminal::Line> {
    [card::card(prompt, look), card::ended(&who(account, &prompt.profile), look)].concat()
}

#[cfg(test)]
pub(crate) fn example(more: serde_json::Value) -> DevicePrompt {
    let mut value = serde_json::json!({
        "id": "p1", "user_code": "ABCD-EFGH", "verification_uri": "https://x.test/d",
        "expires_at": "2026-01-01T00:00:00Z", "expires_in": 900, "interval": 5,
        "profile": "work", "scopes": [], "requested_by": {}
    });
    if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    serde_json::from_value(value).unwrap()
}
