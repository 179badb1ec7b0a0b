//! What a program iterates over: the events of its wait for a token, and the daemon's own.

use std::thread::sleep;

use broker_ipc::deadline::Deadline;
use serde::de::DeserializeOwned;

use super::Client;
use super::connection::Connection;
use super::http::Body;
use crate::answer::{self, Lines};
use crate::error::ClientError;
use crate::wait::{COMEBACK, Meaning, Wait};
use crate::{Event, TokenEvent};

/// The events of one wait for a token; see [`Client::token`].
///
/// Dropping it closes its connection, which cancels this caller's wait. As an iterator it passes over what only a user
/// would want to know; [`TokenEvents::step`] tells that too.
#[derive(Debug)]
pub struct TokenEvents<'a> {
    client: &'a Client,
    wait: Wait,
    deadline: Deadline,
    open: Option<Open>,
    /// When a daemon that went away must be back.
    back_by: Option<Deadline>,
    /// Whether [`Step::Away`] was told and [`Step::Back`] not yet.
    away: bool,
    /// What came with the daemon's return, to be told after it.
    held: Option<Meaning>,
    over: bool,
}

/// What happens in a wait, the daemon's comings and goings included.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// The daemon went away, and a first try to reach it again has failed. The wait goes on for a while.
    Away,
    /// It is back, and the wait with it.
    Back,
    /// It said something.
    Event(TokenEvent),
}

impl<'a> TokenEvents<'a> {
    pub(super) fn new(client: &'a Client, wait: Wait) -> Self {
        let deadline = Deadline::after(wait.patience());
        Self { client, wait, deadline, open: None, back_by: None, away: false, held: None, over: false }
    }

    /// Returns when to give up on a daemon that is away.
    fn limit(&self) -> Deadline {
        self.back_by.map_or(self.deadline, |back_by| back_by.earlier(self.deadline))
    }

    /// Returns whether to try again: the daemon went away while it was waited for, and there is time for it to return.
    fn may_come_back(&self, error: &ClientError) -> bool {
        let away = match error {
            ClientError::NotRunning { .. } => self.back_by.is_some(),
            error => error.is_loss(),
        };
        away && self.limit().remaining().is_some()
    }

    /// Returns whether it was away for as long as it may be.
    fn has_gone(&self) -> bool {
        self.back_by.is_some_and(|back_by| back_by.remaining().is_none())
    }

    /// Gives the daemon a moment to come back.
    fn pause(&mut self) {
        self.open = None;
        self.back_by.get_or_insert_with(|| Deadline::after(COMEBACK));
        let pause = self.wait.pause();
        sleep(self.limit().remaining().unwrap_or_default().min(pause));
    }

    /// Reads the next event, asking first where nothing is open.
    fn event(&mut self) -> Result<TokenEvent, ClientError> {
        if self.open.is_none() {
            let (connection, head) = self.ask()?;
            if !(head.is_success() && head.is_stream) {
                let token = self.client.finish(connection, &head, answer::json)?;
                return Ok(TokenEvent::Token(Box::new(token)));
            }
            self.open = Some(Open::new(connection, head.body));
        }
        let Some(open) = &mut self.open else {
            return Err(ClientError::lost());
        };
        open.connection.set_deadline(self.deadline);
        open.line()?.ok_or_else(ClientError::lost)
    }

    /// Sends the request, on a new connection if the daemon went away meanwhile.
    fn ask(&mut self) -> Result<(Connection, super::Head), ClientError> {
        let call = self.wait.call(self.deadline.remaining().unwrap_or_default())?;
        if self.back_by.is_none() {
            return self.client.exchange(&call, self.deadline);
        }
        let mut connection = Connection::open(&self.client.endpoint, self.limit())?;
        // It is back: from here on only the caller's own deadline counts.
        self.back_by = None;
        connection.set_deadline(self.deadline);
        let head = connection.exchange(&call)?;
        Ok((connection, head))
    }
}

impl TokenEvents<'_> {
    /// Returns the next step; nothing after the token or the error that ends the wait.
    pub fn step(&mut self) -> Option<Result<Step, ClientError>> {
        while !self.over {
            let meaning = self.held.take().map_or_else(|| self.meaning(), Some);
            let Some(meaning) = meaning else { return Some(Ok(Step::Back)) };
            match meaning {
                Meaning::Nothing => {}
                Meaning::Tell(event, patience) => {
                    self.deadline = patience.map_or(self.deadline, Deadline::after);
                    return Some(Ok(Step::Event(event)));
                }
                Meaning::End(Err(error)) if self.may_come_back(&error) => {
                    if self.back_by.is_some() && !std::mem::replace(&mut self.away, true) {
                        return Some(Ok(Step::Away));
                    }
                    self.pause();
                }
                Meaning::End(Err(_)) if self.has_gone() => {
                    self.over = true;
                    return Some(Err(ClientError::Gone));
                }
                Meaning::End(end) => {
                    self.over = true;
                    self.open = None;
                    return Some(end.map(Step::Event));
                }
            }
        }
        None
    }

    /// Waits for what is next; `None` if that is the daemon's return, which is told first.
    fn meaning(&mut self) -> Option<Meaning> {
        let event = self.event();
        let is_back = event.is_ok() && std::mem::take(&mut self.away);
        let meaning = match event {
            Ok(event) => self.wait.meaning(event),
            Err(error) => Meaning::End(Err(error)),
        };
        if is_back {
            self.held = Some(meaning);
            return None;
        }
        Some(meaning)
    }
}

impl Iterator for TokenEvents<'_> {
    type Item = Result<TokenEvent, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step()? {
                Ok(Step::Event(event)) => return Some(Ok(event)),
                Ok(Step::Away | Step::Back) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What happens in the daemon; see [`Client::events`]. Kinds this version does not know are passed over.
#[derive(Debug)]
pub struct Events {
    open: Option<Open>,
}

impl Events {
    pub(super) fn new(connection: Connection, body: Body) -> Self {
        Self { open: Some(Open::new(connection, body)) }
    }
}

impl Iterator for Events {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.open.as_mut()?.line() {
                Ok(Some(Event::Unknown)) => {}
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => self.open = None,
                Err(error) => {
                    self.open = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// A stream of lines under way.
#[derive(Debug)]
struct Open {
    connection: Connection,
    body: Body,
    lines: Lines,
}

impl Open {
    fn new(connection: Connection, body: Body) -> Self {
        Self { connection, body, lines: Lines::default() }
    }

    /// Waits for the next line; `None` when the stream ends.
    fn line<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(value) = self.lines.next() {
                return value.map(Some);
            }
            let lines = &mut self.lines;
            if !self.connection.piece(&mut self.body, &mut |bytes| lines.push(bytes))? {
                return Ok(None);
            }
        }
    }
}
