//! A client that asks for a token, and looks at what it gets the moment it gets it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_client::{Client, ClientError, TokenEvent, TokenRequest, TokenResponse};
use brokerd::store::memory::{MemoryStore, Operation, OperationKind};
use support::fake_as::FakeAs;
use support::hostile::{all_text, found_in};
use support::rig::exposed;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A person who must act, as a client tells the world.
pub(crate) struct Prompted {
    /// Who was asked for.
    pub(crate) account: Option<String>,
    pub(crate) user_code: String,
}

/// What a client needs to look.
#[derive(Clone)]
pub(crate) struct Eyes {
    pub(crate) server: FakeAs,
    /// The one there is now: a power cut leaves a copy.
    pub(crate) store: Arc<Mutex<MemoryStore>>,
    pub(crate) prompts: mpsc::UnboundedSender<Prompted>,
    pub(crate) leaving: Leaving,
}

/// All who signed out, or tried to.
pub(crate) type Leaving = Arc<Mutex<Vec<SignOut>>>;

/// A sign-out. It removes what a refresh had saved whose callers are yet to hear of it.
pub(crate) struct SignOut {
    pub(crate) username: String,
    /// When that was answered, and whether it failed at a store that hangs: that one may remove the grant much later, and nobody learns of it
    /// before it answers again.
    pub(crate) ended: Option<(Instant, bool)>,
}

impl SignOut {
    /// Whether it may be why what was saved with a token that was given at `issued` has been removed.
    fn excuses(&self, issued: Instant) -> bool {
        self.ended.is_none_or(|(ended, hung)| ended == Instant::now() || hung && issued <= ended)
    }
}

/// A client under way.
pub(crate) struct Asking {
    pub(crate) number: usize,
    pub(crate) request: TokenRequest,
    pub(crate) since: Instant,
    pub(crate) task: JoinHandle<Ended>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) outcome: Result<TokenResponse, String>,
    pub(crate) at: Instant,
    /// Whether it was shown a prompt.
    pub(crate) prompted: bool,
    /// When the sign-in began that its token comes from.
    pub(crate) began: Option<Instant>,
    /// Guarantees that did not hold, seen from here.
    pub(crate) wrong: Vec<String>,
}

/// Asks, and tells the world of each prompt.
pub(crate) async fn ask(client: Client, request: TokenRequest, eyes: Eyes) -> Ended {
    let mut events = client.token(&request);
    let (mut prompted, mut wrong) = (false, Vec::new());
    let outcome = loop {
        match events.next().await {
            Some(Ok(TokenEvent::DevicePrompt(prompt))) => {
                prompted = true;
                drop(eyes.prompts.send(Prompted { account: request.account.clone(), user_code: prompt.user_code }));
            }
            Some(Ok(TokenEvent::Token(token))) => break Ok(*token),
            Some(Ok(other)) => break Err(format!("{other:?}")),
            Some(Err(ClientError::Api(body))) => {
                // Guarantee 10.
                let told = serde_json::to_value(&*body).expect("an error is JSON");
                wrong.extend(found_in(&all_text(&told)).map(|c| format!("{c:?} was told")));
                break Err(body.error.as_str().to_owned());
            }
            Some(Err(other)) => break Err(format!("{:?}", other.code().as_str())),
            None => break Err("the stream ended without a last event".into()),
        }
    };
    if let Ok(token) = &outcome {
        wrong.extend(look(token, &request, &eyes));
    }
    let began = outcome.as_ref().ok().and_then(|token| eyes.server.began(exposed(token)));
    Ended { outcome, at: Instant::now(), prompted, began, wrong }
}

/// Guarantees 2 and 11, and that a token is what was asked for.
fn look(token: &TokenResponse, request: &TokenRequest, eyes: &Eyes) -> Option<String> {
    let value = exposed(token);
    let Some(live) = eyes.server.access_token(value) else {
        // One that was ended at the provider a moment ago, nobody here can know.
        return (!eyes.server.was_revoked(value)).then(|| "an expired token was served".into());
    };
    let username = format!("{}@example.com", live.user);
    if username != token.account.username {
        return Some(format!("{} was served a token of {username}", token.account.username));
    }
    if request.account.as_ref().is_some_and(|asked| *asked != username) {
        return Some(format!("{:?} was asked for, {username} was served", request.account));
    }
    if let Some(missing) = request.scopes.iter().find(|scope| !live.scope.contains(scope)) {
        return Some(format!("a token without {missing} was served"));
    }
    let successors = eyes.server.refresh_tokens_since(value);
    let kept = || {
        let store = eyes.store.lock().unwrap_or_else(PoisonError::into_inner);
        let records: Vec<_> = store.raw_keys().iter().filter_map(|key| store.raw(key)).collect();
        successors.iter().any(|token| {
            let token = token.as_bytes();
            records.iter().any(|record| record.windows(token.len()).any(|at| at == token))
        })
    };
    let removed = || {
        let store = eyes.store.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = |operation: &&Operation| {
            operation.ok
                && operation.key == token.account.id
                && matches!(operation.kind, OperationKind::Put | OperationKind::Delete)
        };
        store.operations().iter().rfind(changes).is_some_and(|last| last.kind == OperationKind::Delete)
    };
    let left = || {
        let leaving = eyes.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.iter().any(|sign_out| sign_out.username == username && sign_out.excuses(live.issued))
    };
    let excused = || eyes.server.was_revoked(value) || (removed() && left());
    if !successors.is_empty() && !kept() && !excused() {
        return Some("a token was served before its refresh token was saved".into());
    }
    None
}

/// The least and the most a client waits here.
pub(crate) const WAITS: (u64, u64) = (1, 120);

/// How long a client may wait in all that wants to wait for so many seconds: where a daemon that leaves says nothing, it is the client that
/// ends the wait, a tenth later.
pub(crate) fn longest(seconds: u64) -> Duration {
    let wanted = Duration::from_secs(seconds);
    wanted + (wanted / 10).clamp(Duration::from_secs(2), Duration::from_secs(5))
}
