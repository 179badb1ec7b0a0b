//! What a program reads from: the events of its wait for a token, and the daemon's own.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::time::{Instant, sleep_until};

use super::link::Answer;
use super::{Client, within};
use crate::answer::Lines;
use crate::error::ClientError;
use crate::wait::{COMEBACK, Meaning, Wait};
use crate::{Event, TokenEvent};

/// The events of one wait for a token; see [`Client::token`].
///
/// Dropping it closes its connection, which cancels this caller's wait.
pub struct TokenStream(Unfold<Waiting, TokenEvent>);

impl TokenStream {
    pub(super) fn new(client: Client, wait: Wait) -> Self {
        let deadline = Instant::now() + wait.patience();
        Self(Unfold::Ready(Some(Waiting { client, wait, deadline, open: None, back_by: None })))
    }

    /// Waits for the next event; `None` after the last. Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<TokenEvent, ClientError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for TokenStream {
    type Item = Result<TokenEvent, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx)
    }
}

impl std::fmt::Debug for TokenStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenStream")
    }
}

/// What happens in the daemon; see [`Client::events`]. Kinds this version does not know are passed over.
pub struct EventStream(Unfold<Following, Event>);

impl EventStream {
    pub(super) fn new(answer: Answer) -> Self {
        Self(Unfold::Ready(Some(Following { answer, lines: Lines::default() })))
    }

    /// Waits for the next event; `None` when the daemon ended the stream. Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for EventStream {
    type Item = Result<Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx)
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}

/// A source whose `next` is an async function, as a stream. After an error it is over.
enum Unfold<S, T> {
    Ready(Option<S>),
    Busy(Step<S, T>),
}

type Step<S, T> = Pin<Box<dyn Future<Output = (Next<T>, S)> + Send>>;
type Next<T> = Result<Option<T>, ClientError>;

trait Source: Send + Sized + 'static {
    type Item;
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Item>, ClientError>> + Send;
    /// Whether this item is the last.
    fn is_last(item: &Self::Item) -> bool;
}

impl<S: Source<Item = T>, T> Unfold<S, T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, ClientError>>> {
        loop {
            match self {
                Self::Ready(source) => {
                    let Some(mut source) = source.take() else {
                        return Poll::Ready(None);
                    };
                    *self = Self::Busy(Box::pin(async move {
                        let next = source.next().await;
                        (next, source)
                    }));
                }
                Self::Busy(step) => {
                    let (next, source) = std::task::ready!(step.as_mut().poll(cx));
                    let more = matches!(&next, Ok(Some(item)) if !S::is_last(item));
                    *self = Self::Ready(more.then_some(source));
                    return Poll::Ready(next.transpose());
                }
            }
        }
    }
}

/// A wait for a token under way.
struct Waiting {
    client: Client,
    wait: Wait,
    deadline: Instant,
    open: Option<(Answer, Lines)>,
    /// When a daemon that went away must be back.
    back_by: Option<Instant>,
}

impl Source for Waiting {
    type Item = TokenEvent;

    async fn next(&mut self) -> Next<TokenEvent> {
        loop {
            let meaning = match within(self.deadline, self.event()).await {
                Ok(event) => self.wait.meaning(event),
                Err(error) => Meaning::End(Err(error)),
            };
            match meaning {
                Meaning::Nothing => {}
                Meaning::Tell(event, patience) => {
                    self.deadline = patience.map_or(self.deadline, |left| Instant::now() + left);
                    return Ok(Some(event));
                }
                Meaning::End(Err(error)) if self.may_come_back(&error) => self.pause().await,
                Meaning::End(Err(_)) if self.has_gone() => return Err(ClientError::Gone),
                Meaning::End(end) => return end.map(Some),
            }
        }
    }

    fn is_last(item: &TokenEvent) -> bool {
        !matches!(item, TokenEvent::DevicePrompt(_))
    }
}

impl Waiting {
    /// Returns when to give up on a daemon that is away.
    fn limit(&self) -> Instant {
        self.back_by.map_or(self.deadline, |back_by| back_by.min(self.deadline))
    }

    /// Returns whether to try again: the daemon went away while it was waited for, and there is time for it to return.
    fn may_come_back(&self, error: &ClientError) -> bool {
        let away = match error {
            ClientError::NotRunning { .. } => self.back_by.is_some(),
            error => error.is_loss(),
        };
        away && Instant::now() < self.limit()
    }

    /// Returns whether it was away for as long as it may be.
    fn has_gone(&self) -> bool {
        self.back_by.is_some_and(|back_by| back_by <= Instant::now())
    }

    /// Gives the daemon a moment to come back.
    async fn pause(&mut self) {
        self.open = None;
        self.back_by.get_or_insert_with(|| Instant::now() + COMEBACK);
        let pause = self.wait.pause();
        sleep_until(self.limit().min(Instant::now() + pause)).await;
    }

    /// Reads the next event, asking first where nothing is open.
    async fn event(&mut self) -> Result<TokenEvent, ClientError> {
        if self.open.is_none() {
            let answer = self.ask().await?;
            if !(answer.is_success() && answer.is_stream) {
                let (whole, link) = answer.whole().await?;
                self.client.keep(link);
                return whole.json().map(|token| TokenEvent::Token(Box::new(token)));
            }
            self.open = Some((answer, Lines::default()));
        }
        let Some((answer, lines)) = &mut self.open else {
            return Err(ClientError::lost());
        };
        answer.line(lines).await?.ok_or_else(ClientError::lost)
    }

    /// Sends the request, on a new connection if the daemon went away meanwhile.
    async fn ask(&mut self) -> Result<Answer, ClientError> {
        let call = self.wait.call(self.deadline.saturating_duration_since(Instant::now()))?;
        if self.back_by.is_none() {
            return self.client.exchange(&call, self.deadline).await;
        }
        let link = within(self.limit(), self.client.connect(self.limit())).await?;
        // It is back: from here on only the caller's own deadline counts.
        self.back_by = None;
        link.send(&call).await
    }
}

/// The daemon's events.
struct Following {
    answer: Answer,
    lines: Lines,
}

impl Source for Following {
    type Item = Event;

    async fn next(&mut self) -> Next<Event> {
        loop {
            match self.answer.line(&mut self.lines).await? {
                Some(Event::Unknown) => {}
                other => return Ok(other),
            }
        }
    }

    fn is_last(_: &Event) -> bool {
        false
    }
}
