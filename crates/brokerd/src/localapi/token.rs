//! `POST /v1/token` and `POST /v1/login`: the first thing that happens decides between one object and a stream.

use std::sync::Arc;

use broker_ipc::api::{Include, Interaction, TokenAnswer, TokenEvent, TokenRequest, TokenResponse};
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::secret::IdToken;
use futures_util::stream;
use http::StatusCode;

use super::parse;
use super::reply::Reply;
use crate::acquire::{self, Acquired, Acquisition, Goal, Told};
use crate::audit::{Client, Inquiry};
use crate::broker::Broker;
use crate::clock::rfc3339;
use crate::raise;

pub(super) async fn token(
    broker: &Arc<Broker>,
    client: &Arc<Client>,
    body: &[u8],
    goal: Goal,
) -> Result<Reply, ErrorBody> {
    let mut request = TokenRequest::default();
    let settled = settle(broker, client, body, &mut request);
    if let (Err(refusal), Goal::Token) = (&settled, goal) {
        Inquiry::new(client, &request).refused(refusal.error);
    }
    let username = settled?;
    if goal == Goal::SignIn && !matches!(request.interaction, None | Some(Interaction::Allow)) {
        return Err(
            ErrorBody::new(ErrorCode::BadRequest, "a login is always interactive").with_hint("ask /v1/token instead")
        );
    }
    let shape = Shape { include: request.include.clone(), username };
    if request.interaction == Some(Interaction::Elsewhere) {
        return raise::token(broker, request, client).await.map(|acquired| Reply::json(&shape.answer(&acquired)));
    }
    if goal == Goal::Token {
        request = match acquire::at_once(broker, request, client) {
            Ok(acquired) => return Ok(Reply::json(&shape.answer(&acquired))),
            Err(request) => *request,
        };
    }
    let mut acquisition = Acquisition::new(broker, request, goal, client);
    let first = acquisition.next().await;
    match (goal, first) {
        (Goal::Token, Told::Done(outcome)) => Ok(Reply::json(&shape.answer(&(*outcome)?))),
        (Goal::SignIn, Told::Done(outcome)) if outcome.is_err() => Err((*outcome).err().unwrap_or_else(internal)),
        (_, first) => {
            // Dropping the stream drops the acquisition: that is how a caller leaves.
            let events = stream::unfold((Some(first), Some(acquisition)), move |(told, acquisition)| {
                let shape = shape.clone();
                async move {
                    let mut acquisition = acquisition?;
                    let told = match told {
                        Some(told) => told,
                        None => acquisition.next().await,
                    };
                    let more = matches!(told, Told::Prompt(_)).then_some(acquisition);
                    Some((shape.event(told, goal), (None, more)))
                }
            });
            Ok(Reply::events(StatusCode::ACCEPTED, events))
        }
    }
}

/// What `write` makes of the answer to a request for a token at hand, with its audit line written. `None`: there is more to it,
/// and nothing has been done.
pub(super) fn at_once<T>(
    broker: &Arc<Broker>,
    client: &Arc<Client>,
    body: &[u8],
    write: impl FnOnce(&TokenAnswer<'_>) -> T,
) -> Option<T> {
    let mut request = TokenRequest::default();
    let username = settle(broker, client, body, &mut request).ok()?;
    let shape = Shape { include: request.include.clone(), username };
    let acquired = acquire::at_once(broker, request, client).ok()?;
    Some(write(&shape.answer(&acquired)))
}

/// Reads a request, and settles whom it is for and what its socket allows. Returns the user name that goes with the host.
fn settle(
    broker: &Arc<Broker>,
    client: &Arc<Client>,
    body: &[u8],
    request: &mut TokenRequest,
) -> Result<Option<String>, ErrorBody> {
    *request = parse(body)?;
    let username = broker.settle_host(request)?;
    client.limit(broker, request)?;
    Ok(username)
}

/// What this caller's answers have in them.
#[derive(Clone)]
struct Shape {
    include: Vec<Include>,
    username: Option<String>,
}

impl Shape {
    fn event(&self, told: Told, goal: Goal) -> TokenEvent {
        match told {
            Told::Prompt(prompt) => TokenEvent::DevicePrompt(prompt),
            Told::Done(outcome) => match (*outcome, goal) {
                (Ok(acquired), Goal::Token) => TokenEvent::Token(Box::new(self.response(&acquired))),
                (Ok(acquired), Goal::SignIn) => {
                    TokenEvent::SignedIn { account: acquired.account, profile: acquired.profile }
                }
                (Err(body), _) => TokenEvent::Error(body),
            },
        }
    }

    fn answer<'a>(&'a self, acquired: &'a Acquired) -> TokenAnswer<'a> {
        let token = &acquired.token;
        let expires_at = if acquired.extended { token.extended_expires_at } else { token.expires_at };
        let id_token = token.id_token.as_ref().filter(|_| self.include.contains(&Include::IdToken));
        TokenAnswer {
            access_token: token.access_token.expose(),
            token_type: &token.token_type,
            expires_at: expires_at.map(|at| rfc3339(at).into()),
            expires_on: expires_at.map(jiff::Timestamp::as_second),
            extended: acquired.extended,
            scope: token.scope.joined().into(),
            profile: &acquired.profile,
            account: &acquired.account,
            basic_username: self.username.as_deref(),
            id_token: id_token.map(IdToken::expose),
        }
    }

    fn response(&self, acquired: &Acquired) -> TokenResponse {
        self.answer(acquired).to_response()
    }
}

fn internal() -> ErrorBody {
    crate::explain::Refusal::internal().body
}
