//! `GET /v1/events`: what happens, as it happens. Reading along keeps no prompt alive.

use std::sync::Arc;

use broker_ipc::api::Event;
use futures_util::stream::{self, StreamExt as _};
use http::StatusCode;
use tokio::sync::broadcast::error::RecvError;

use super::reply::Reply;
use crate::broker::Broker;

pub(super) fn stream(broker: &Arc<Broker>) -> Reply {
    let receiver = broker.events.subscribe();
    // Subscribed first, then looked: a prompt may be told twice, but none is missed.
    let pending = broker.sign_ins.prompts(broker.clock.now());
    let pending = stream::iter(pending.into_iter().map(|prompt| Event::PromptStarted(Box::new(prompt))));
    let stop = broker.stop.clone();
    let live = stream::unfold((receiver, stop), |(mut receiver, stop)| async move {
        let event = tokio::select! {
            event = receiver.recv() => event,
            () = stop.cancelled() => return None,
        };
        match event {
            Ok(event) => Some((event, (receiver, stop))),
            Err(RecvError::Lagged(missed)) => Some((Event::Lagged { missed }, (receiver, stop))),
            Err(RecvError::Closed) => None,
        }
    });
    Reply::events(StatusCode::OK, pending.chain(live))
}
