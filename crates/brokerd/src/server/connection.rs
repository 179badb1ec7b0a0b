//! One client's connection.
//!
//! A client that keeps its connection and asks nothing costs little: at rest there is the stream and a timer. A plain request
//! for a token at hand is answered from there. For any other come hyper and its buffers, and with the answer they go.

mod metered;
mod rest;
mod turn;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use broker_ipc::api::MAX_HEAD;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use self::metered::Metered;
pub use self::turn::State;
use self::turn::{NEVER, Next};
use super::Limits;
use crate::audit::Client;
use crate::broker::Broker;
use crate::localapi;

/// hyper answers a head that does not fit with a bare 431; one a little too large is to read what is wrong with it.
const HEAD_BUFFER: usize = 4 * MAX_HEAD;

/// A client's connection.
pub(super) struct Served {
    pub(super) broker: Arc<Broker>,
    pub(super) client: Arc<Client>,
    pub(super) state: Arc<State>,
    /// Ends it, whatever it is at.
    pub(super) close: CancellationToken,
    pub(super) limits: Limits,
}

impl Served {
    /// Serves the client until it leaves, oversteps a limit, or the broker stops.
    pub(super) async fn serve<S>(&self, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        while let Some(begun) = self.rest(&mut stream).await {
            match self.attend(stream, begun).await {
                Some(rested) => stream = rested,
                None => return,
            }
        }
    }

    /// Serves a request that has begun so. Returns the stream once it is at rest, nothing if it has ended.
    ///
    /// The future is in a place of its own, which is given back with it.
    fn attend<S>(&self, stream: S, begun: Zeroizing<Vec<u8>>) -> Pin<Box<impl Future<Output = Option<S>> + '_>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(|request| {
            let Self { broker, client, state, .. } = self;
            async move { Ok::<_, Infallible>(localapi::handle(broker, client, state, request).await) }
        });
        let stream = TokioIo::new(Metered { stream, begun, state: Arc::clone(&self.state) });
        let mut connection =
            http1::Builder::new().max_buf_size(HEAD_BUFFER).max_headers(64).serve_connection(stream, service);
        Box::pin(async move {
            let (mut close, mut stop) = (pin!(self.close.cancelled()), pin!(self.broker.stop.cancelled()));
            let mut stopping = false;
            let never = Instant::now() + NEVER;
            // Where it will be set to while the request comes.
            let mut sleep = pin!(tokio::time::sleep(self.limits.request));
            // Turns change only while the connection is polled, so looking at what is next after each poll misses nothing.
            let rests = std::future::poll_fn(|cx| {
                if close.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(false);
                }
                if !stopping && stop.as_mut().poll(cx).is_ready() {
                    stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                if let Poll::Ready(outcome) = Pin::new(&mut connection).poll(cx) {
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "connection ended");
                    }
                    return Poll::Ready(false);
                }
                self.poll_next(sleep.as_mut(), never, cx).map(|next| next == Next::Rest)
            })
            .await;
            let parts = rests.then(|| connection.into_parts())?;
            let stream = parts.io.into_inner();
            // All that came has been served.
            (parts.read_buf.is_empty() && stream.begun.is_empty()).then_some(stream.stream)
        })
    }

    /// Waits until what is next has come.
    fn poll_next(&self, mut sleep: Pin<&mut Sleep>, never: Instant, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            let next = self.state.next(self.limits, never);
            let Next::Close(at) = next else { return Poll::Ready(next) };
            // One that moves away is looked at again when the old one has come: setting a timer costs more than the whole
            // rest of a request's bookkeeping.
            if at < sleep.deadline() {
                sleep.as_mut().reset(at);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if at <= sleep.deadline() {
                return Poll::Ready(next);
            }
            sleep.as_mut().reset(at);
        }
    }
}
