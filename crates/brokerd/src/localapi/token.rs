//! `POST /v1/token` and `POST /v1/login`: the first thing that happens decides between one object and a stream.

use std::sync::Arc;

use broker_ipc::api::{Include, Interaction, TokenEvent, TokenRequest, TokenResponse};
use broker_ipc::error::{ErrorBody, ErrorCode};
use futures_util::stream;
use http::StatusCode;

use super::parse;
use super::reply::Reply;
use crate::acquire::{Acquired, Acquisition, Goal, Told};
use crate::audit::{Client, Inquiry};
use crate::broker::Broker;
use crate::clock::rfc3339;

pub(super) async fn token(
    broker: &Arc<Broker>,
    client: &Arc<Client>,
    body: &[u8],
    goal: Goal,
) -> Result<Reply, ErrorBody> {
    let request: TokenRequest = match (parse(body), goal) {
        (Err(refusal), Goal::Token) => {
            Inquiry::new(client, &TokenRequest::default()).refused(refusal.error);
            return Err(refusal);
        }
        (parsed, _) => parsed?,
    };
    if goal == Goal::SignIn && request.interaction == Some(Interaction::Never) {
        return Err(
            ErrorBody::new(ErrorCode::BadRequest, "a login is always interactive").with_hint("ask /v1/token instead")
        );
    }
    let include = request.include.clone();
    let mut acquisition = Acquisition::new(broker, request, goal, client);
    let first = acquisition.next().await;
    match (goal, first) {
        (Goal::Token, Told::Done(outcome)) => Ok(Reply::json(&response(&(*outcome)?, &include))),
        (Goal::SignIn, Told::Done(outcome)) if outcome.is_err() => Err((*outcome).err().unwrap_or_else(internal)),
        (_, first) => {
            // Dropping the stream drops the acquisition: that is how a caller leaves.
            let events = stream::unfold((Some(first), Some(acquisition)), move |(told, acquisition)| {
                let include = include.clone();
                async move {
                    let mut acquisition = acquisition?;
                    let told = match told {
                        Some(told) => told,
                        None => acquisition.next().await,
                    };
                    let more = matches!(told, Told::Prompt(_)).then_some(acquisition);
                    Some((event(told, goal, &include), (None, more)))
                }
            });
            Ok(Reply::events(StatusCode::ACCEPTED, events))
        }
    }
}

fn event(told: Told, goal: Goal, include: &[Include]) -> TokenEvent {
    match told {
        Told::Prompt(prompt) => TokenEvent::DevicePrompt(prompt),
        Told::Done(outcome) => match (*outcome, goal) {
            (Ok(acquired), Goal::Token) => TokenEvent::Token(Box::new(response(&acquired, include))),
            (Ok(acquired), Goal::SignIn) => {
                TokenEvent::SignedIn { account: acquired.account, profile: acquired.profile }
            }
            (Err(body), _) => TokenEvent::Error(body),
        },
    }
}

fn response(acquired: &Acquired, include: &[Include]) -> TokenResponse {
    let token = &acquired.token;
    let expires_at = if acquired.extended { token.extended_expires_at } else { token.expires_at };
    TokenResponse {
        access_token: token.access_token.expose().into(),
        token_type: token.token_type.clone(),
        expires_at: expires_at.map(rfc3339),
        expires_on: expires_at.map(jiff::Timestamp::as_second),
        extended: acquired.extended,
        scope: token.scope.to_string(),
        profile: acquired.profile.clone(),
        account: acquired.account.clone(),
        id_token: token
            .id_token
            .as_ref()
            .filter(|_| include.contains(&Include::IdToken))
            .map(|token| token.expose().into()),
    }
}

fn internal() -> ErrorBody {
    crate::explain::Refusal::internal().body
}
