//! The way to an account's task: its mailbox, and beside it the tokens that the task has at hand.
//!
//! A cached token needs no turn of the task: while no command is under way, what the task showed last is what it would
//! answer. Whoever sends a command takes that away first, and the task shows it anew when it has obeyed. So nobody who was
//! told that something is done is answered by what was there before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_oauth::refresh::Freshness;
use broker_oauth::scope::ScopeCase;
use broker_oauth::token::IssuedToken;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendError, TrySendError};

use super::cache::Cache;
use super::{Ask, Command};

/// The callers' end. Clones lead to the same account.
#[derive(Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::Sender<Command>,
    shelf: Shelf,
}

impl Mailbox {
    /// A mailbox for so many commands, and the task's two ends.
    pub(crate) fn new(room: usize) -> (Self, mpsc::Receiver<Command>, Shelf) {
        let (sender, receiver) = mpsc::channel(room);
        let shelf = Shelf::default();
        (Self { sender, shelf: shelf.clone() }, receiver, shelf)
    }

    /// Waits for room. Dropping the future sends nothing.
    pub(crate) async fn send(&self, command: Command) -> Result<(), SendError<Command>> {
        let announced = self.shelf.announce();
        self.sender.send(command).await.map(|()| announced.sent())
    }

    /// Does not wait. Returns the command if there is no room for it; of a task that has ended nobody expects anything.
    pub(crate) fn try_send(&self, command: Command) -> Option<Command> {
        let announced = self.shelf.announce();
        match self.sender.try_send(command) {
            Ok(()) => announced.sent(),
            Err(TrySendError::Full(command)) => return Some(command),
            Err(TrySendError::Closed(_)) => {}
        }
        None
    }

    /// Whether the task has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The token that the task would hand out at once. `None`: it must be asked.
    pub(crate) fn at_hand(&self, ask: &Ask, now: Timestamp) -> Option<Arc<IssuedToken>> {
        if ask.reject.is_some() || ask.wants_new() {
            return None;
        }
        let state = self.shelf.lock();
        let (cache, case) = state.shown.as_ref().filter(|_| state.under_way == 0)?;
        cache.best(ask, *case, now, |judged| judged == Freshness::Fresh)
    }
}

/// The task's end of what is shown. Never locked over an await.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Commands that are about to be sent, wait in the mailbox, or are being obeyed.
    under_way: usize,
    shown: Option<(Cache, ScopeCase)>,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what there is, once these commands were obeyed.
    pub(super) fn show(&self, cache: &Cache, case: Option<ScopeCase>, obeyed: usize) {
        let mut state = self.lock();
        state.under_way = state.under_way.saturating_sub(obeyed);
        state.shown = case.map(|case| (cache.tokens_alone(), case));
    }

    /// Shows nothing, because what there is changes.
    pub(super) fn hide(&self) {
        self.lock().shown = None;
    }

    fn announce(&self) -> Announced {
        self.lock().under_way += 1;
        Announced(Some(self.clone()))
    }
}

/// A command that is about to be sent.
struct Announced(Option<Shelf>);

impl Announced {
    /// It is in the mailbox: the task takes it from here.
    fn sent(mut self) {
        self.0 = None;
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        if let Some(Shelf(state)) = self.0.take() {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.under_way = state.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_oauth::scope::ScopeSet;
    use broker_oauth::secret::AccessToken;

    use super::*;

    fn kept(token: &str) -> Cache {
        let mut cache = Cache::default();
        let token = IssuedToken {
            access_token: AccessToken::new(token),
            token_type: "Bearer".into(),
            scope: ScopeSet::parse("a"),
            asked: ScopeSet::parse("a"),
            target: broker_oauth::token::Target::default(),
            issued_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            extended_expires_at: None,
            refresh_at: None,
            id_token: None,
        };
        cache.keep(Arc::new(token), true, Timestamp::UNIX_EPOCH);
        cache
    }

    #[tokio::test]
    async fn nothing_is_at_hand_while_a_command_is_under_way() {
        let (mailbox, mut receiver, shelf) = Mailbox::new(1);
        let ask = Ask { scopes: ScopeSet::parse("a"), ..Ask::default() };
        let at_hand =
            |ask: &Ask| mailbox.at_hand(ask, Timestamp::UNIX_EPOCH).map(|token| token.access_token.expose().to_owned());
        assert_eq!(at_hand(&ask), None, "before anything is shown");
        shelf.show(&kept("one"), Some(ScopeCase::Insensitive), 0);
        assert_eq!(at_hand(&ask).as_deref(), Some("one"));
        assert_eq!(at_hand(&Ask { force: true, ..ask.clone() }), None, "who wants a new one");
        assert_eq!(at_hand(&Ask { reject: Some("00".into()), ..ask.clone() }), None, "who rejects one");

        assert!(mailbox.try_send(Command::Forgive).is_none());
        assert!(mailbox.try_send(Command::Load).is_some(), "no room");
        assert_eq!(at_hand(&ask), None, "under way");
        receiver.recv().await.unwrap();
        assert_eq!(at_hand(&ask), None, "being obeyed");
        shelf.show(&kept("two"), Some(ScopeCase::Insensitive), 1);
        assert_eq!(at_hand(&ask).as_deref(), Some("two"), "what did not fit is under way no more");

        mailbox.send(Command::Forgive).await.unwrap();
        drop(mailbox.send(Command::Load)); // never polled
        let mut waits = Box::pin(mailbox.send(Command::Load));
        assert!(futures_util::poll!(&mut waits).is_pending());
        receiver.recv().await.unwrap();
        shelf.show(&kept("three"), Some(ScopeCase::Insensitive), 1);
        assert_eq!(at_hand(&ask), None, "one waits for room");
        drop(waits);
        assert_eq!(at_hand(&ask).as_deref(), Some("three"), "and has left");
        shelf.hide();
        assert_eq!(at_hand(&ask), None);
    }
}
