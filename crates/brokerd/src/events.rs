//! What happens, for `GET /v1/events`; and what the user should know, for `status`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use broker_ipc::api::{AccountRef, AccountState, DevicePrompt, Event};
use tokio::sync::{Notify, broadcast};

/// Events a slow reader may be behind before it is told that it missed some.
const BACKLOG: usize = 256;
/// Notices kept; the oldest goes first.
const MAX_NOTICES: usize = 32;

/// Tells readers what happens. Telling never waits for a reader.
pub(crate) struct Events {
    readers: broadcast::Sender<Event>,
    happened: Notify,
}

impl Default for Events {
    fn default() -> Self {
        Self { readers: broadcast::channel(BACKLOG).0, happened: Notify::new() }
    }
}

impl Events {
    /// A reader, from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.readers.subscribe()
    }

    /// Whether anybody reads.
    pub(crate) fn has_readers(&self) -> bool {
        self.readers.receiver_count() > 0
    }

    /// Waits until something has happened, for the one who only wants to know that: it is no reader, to whom a prompt could be
    /// shown.
    pub(crate) async fn happened(&self) {
        self.happened.notified().await;
    }

    pub(crate) fn prompt_started(&self, prompt: DevicePrompt) {
        self.send(Event::PromptStarted(Box::new(prompt)));
    }

    pub(crate) fn prompt_ended(&self, id: &str, outcome: &str) {
        self.send(Event::PromptEnded { id: id.into(), outcome: outcome.into() });
    }

    pub(crate) fn account_changed(&self, account: AccountRef, profile: String, state: Option<AccountState>) {
        self.send(Event::AccountChanged { account, profile, state });
    }

    fn send(&self, event: Event) {
        // An error means that nobody reads.
        drop(self.readers.send(event));
        self.happened.notify_one();
    }
}

/// What the user should know and no request asks for. Told in the log at once, and in `status` until the daemon ends.
#[derive(Default)]
pub(crate) struct Notices(Mutex<VecDeque<String>>);

impl Notices {
    /// Adds one, unless it stands there already.
    pub(crate) fn add(&self, notice: String) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.contains(&notice) {
            return;
        }
        tracing::warn!(notice, "notice");
        if notices.len() >= MAX_NOTICES {
            notices.pop_front();
        }
        notices.push_back(notice);
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
