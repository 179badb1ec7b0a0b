//! Prompts whose caller cannot show them: build tools and editors hide what a helper says, and give up in seconds.
//!
//! 1. The caller is answered `interaction_required` at once.
//! 2. The daemon waits for the sign-in in its place, so that the code lives; each profile and account has one such wait.
//! 3. The prompt is in `GET /v1/prompts` and `/v1/events`; a `brokerctl login` joins it; and the configuration's
//!    `[prompt] command` is run: fixed arguments, the values in its environment, ten seconds, never a token.
//! 4. If it ends without a sign-in, none is raised for a while: a build that tries again every minute must not nag.
//!
//! A caller whose time is over before it is known whether a person is needed is waited for as well: the prompt, if there must be
//! one, is raised when its caller has left.

mod hook;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_ipc::api::{Interaction, TokenRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};
use tokio::time::Instant;

use crate::acquire::{Acquired, Acquisition, Goal, Told};
use crate::audit::Client;
use crate::broker::Broker;

/// After a raised prompt that nobody followed.
const QUIET: Duration = Duration::from_secs(10 * 60);

/// The prompts raised, by profile and account.
#[derive(Default)]
pub(crate) struct Raised(Mutex<HashMap<Key, State>>);

type Key = (String, Option<String>);

#[derive(Clone, Copy)]
enum State {
    /// The daemon waits.
    Waiting,
    /// Nobody followed the last one; none before then.
    Quiet(Instant),
}

/// Asks without a person; where one is needed, raises a prompt and says so.
pub(crate) async fn token(
    broker: &Arc<Broker>,
    request: TokenRequest,
    client: &Arc<Client>,
) -> Result<Acquired, ErrorBody> {
    // It leaves with its answer, and the prompt is to name it.
    client.command();
    let silent = TokenRequest { interaction: Some(Interaction::Never), ..request.clone() };
    let refusal = match Acquisition::new(broker, silent, Goal::Token, client).next().await {
        Told::Done(outcome) => match *outcome {
            Err(body) if body.error == ErrorCode::InteractionRequired => body,
            Err(body) if body.error == ErrorCode::Timeout => {
                raise(broker, request, client);
                return Err(body);
            }
            outcome => return outcome,
        },
        Told::Prompt(_) => return Err(crate::explain::Refusal::internal().body),
    };
    if raise(broker, request, client) {
        return Err(refusal.with_hint("a prompt has been raised: see `brokerctl prompts`, then try again"));
    }
    Err(refusal)
}

/// Begins to wait in the caller's place. `false` if nobody would see it, or nobody cared a moment ago.
fn raise(broker: &Arc<Broker>, request: TokenRequest, client: &Arc<Client>) -> bool {
    let command = broker.profiles().prompt_command.clone();
    if command.is_empty() && !broker.events.has_readers() {
        return false;
    }
    // By the profile that is meant, however it was asked for.
    let Ok(provider) = broker.provider(request.profile.as_deref()) else { return false };
    let profile = &provider.profile;
    let key = (profile.name.clone(), request.account.clone().or_else(|| profile.default_account.clone()));
    if !broker.raised.enter(&key) {
        return broker.raised.is_waiting(&key);
    }
    // A rejected token has been dropped by the silent try already, and the caller's own timeout is not the person's.
    let request =
        TokenRequest { interaction: Some(Interaction::Allow), timeout: None, reject_token_sha256: None, ..request };
    let acquisition = Acquisition::unheard(broker, request, client);
    let waiting = wait(Arc::clone(broker), acquisition, command, key);
    broker.tasks.spawn(waiting);
    true
}

/// Waits for the sign-in.
async fn wait(broker: Arc<Broker>, mut acquisition: Acquisition, command: Vec<String>, key: Key) {
    let mut was_seen = false;
    let signed_in = loop {
        let told = tokio::select! {
            told = acquisition.next() => told,
            () = broker.stop.cancelled() => return,
        };
        match told {
            Told::Done(outcome) => break outcome.is_ok(),
            Told::Prompt(prompt) => {
                was_seen = true;
                if !command.is_empty() {
                    // Beside the wait: a hook that hangs must not hide that the prompt has ended.
                    drop(broker.tasks.spawn(hook::run(command.clone(), *prompt, broker.stop.clone())));
                }
            }
        }
    };
    // What no provider gave a code for has nagged nobody.
    broker.raised.leave(key, signed_in || !was_seen);
}

impl Raised {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a wait, unless there is one or it is to be quiet.
    fn enter(&self, key: &Key) -> bool {
        let mut raised = self.lock();
        let now = Instant::now();
        raised.retain(|_, state| !matches!(state, State::Quiet(until) if *until <= now));
        let free = !raised.contains_key(key);
        if free {
            raised.insert(key.clone(), State::Waiting);
        }
        free
    }

    fn is_waiting(&self, key: &Key) -> bool {
        matches!(self.lock().get(key), Some(State::Waiting))
    }

    fn leave(&self, key: Key, may_return: bool) {
        let mut raised = self.lock();
        if may_return {
            raised.remove(&key);
        } else {
            raised.insert(key, State::Quiet(Instant::now() + QUIET));
        }
    }
}
