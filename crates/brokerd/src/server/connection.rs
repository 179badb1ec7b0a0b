//! One client's connection: whose turn it is, and until when.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use broker_ipc::api::MAX_HEAD;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;
use crate::audit::Client;
use crate::broker::Broker;
use crate::localapi;

/// hyper answers a head that does not fit with a bare 431; one a little too large is to read what is wrong with it.
const HEAD_BUFFER: usize = 4 * MAX_HEAD;
/// What a head ends in, and a chunked body (RFC 9112 §7.1).
const EMPTY_LINE: &[u8; 4] = b"\r\n\r\n";
/// Far enough away to mean never.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// Nobody's, since then.
    Idle(Instant),
    /// The client's: it has begun to send a request.
    Receiving(Instant),
    /// Ours.
    Serving,
}

/// Where a connection stands. Shared by the stream, the handler and the registry; the mutex is never held over an await.
#[derive(Debug)]
pub struct State(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    turn: Turn,
    /// Bytes of the request so far.
    received: usize,
    /// Bytes of its head, once the empty line has come.
    head: Option<usize>,
    /// The last bytes, to find that line across reads and at the end of a chunked body.
    tail: [u8; 4],
}

impl State {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Inner { turn: Turn::Idle(Instant::now()), received: 0, head: None, tail: [0; 4] }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn idle_since(&self) -> Option<Instant> {
        match self.lock().turn {
            Turn::Idle(since) => Some(since),
            Turn::Receiving(_) | Turn::Serving => None,
        }
    }

    fn deadline(&self, limits: Limits, never: Instant) -> Instant {
        match self.lock().turn {
            Turn::Idle(since) => since + limits.idle,
            Turn::Receiving(since) => since + limits.request,
            Turn::Serving => never,
        }
    }

    /// Bytes came. `false` if it was not the client's turn: it has left its request behind.
    fn received(&self, bytes: &[u8]) -> bool {
        let mut inner = self.lock();
        match inner.turn {
            Turn::Serving => return false,
            Turn::Idle(_) => {
                inner.turn = Turn::Receiving(Instant::now());
                (inner.received, inner.head, inner.tail) = (0, None, [0; 4]);
            }
            Turn::Receiving(_) => {}
        }
        if inner.head.is_none() {
            inner.head = end_of_head(inner.tail, bytes).map(|end| inner.received + end);
        }
        inner.received += bytes.len();
        inner.tail = last_of(inner.tail, bytes);
        true
    }

    /// The request is whole, its body of `body` bytes (`None` where that was not announced); now we serve. `false` if more
    /// than the request has come, which hyper would keep and so not notice the client leaving.
    pub fn begin_serving(&self, body: Option<usize>) -> bool {
        let mut inner = self.lock();
        inner.turn = Turn::Serving;
        match (inner.head, body) {
            (Some(head), Some(body)) => inner.received <= head + body,
            // A chunked body ends in an empty line as well; what follows it, as a rule, does not.
            (Some(_), None) => inner.tail == *EMPTY_LINE,
            (None, _) => false,
        }
    }

    /// Bytes of the request's head.
    pub fn head(&self) -> usize {
        self.lock().head.unwrap_or_default()
    }

    /// The answer is on its way; the next request may come.
    pub fn end_serving(&self) {
        self.lock().turn = Turn::Idle(Instant::now());
    }
}

/// How many of these bytes end the head, where `before` came ahead of them.
fn end_of_head(before: [u8; 4], bytes: &[u8]) -> Option<usize> {
    // The line may have begun before; at most three of its bytes.
    (1..=bytes.len().min(3))
        .find(|count| last_of(before, &bytes[..*count]) == *EMPTY_LINE)
        .or_else(|| bytes.windows(4).position(|window| window == EMPTY_LINE).map(|at| at + 4))
}

/// The last four bytes of all.
fn last_of(before: [u8; 4], bytes: &[u8]) -> [u8; 4] {
    if let Some(last) = bytes.last_chunk() {
        return *last;
    }
    let mut last = before;
    last.rotate_left(bytes.len());
    last[4 - bytes.len()..].copy_from_slice(bytes);
    last
}

/// Serves one client until it leaves, oversteps a limit, or the broker stops.
pub(super) async fn serve<S>(broker: Arc<Broker>, stream: S, client: Client, state: Arc<State>, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = {
        let (broker, state, client) = (Arc::clone(&broker), Arc::clone(&state), Arc::new(client));
        service_fn(move |request| {
            let (broker, state, client) = (Arc::clone(&broker), Arc::clone(&state), Arc::clone(&client));
            async move { Ok::<_, std::convert::Infallible>(localapi::handle(&broker, &client, &state, request).await) }
        })
    };
    let stream = TokioIo::new(Metered { stream, state: Arc::clone(&state) });
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(HEAD_BUFFER)
            .max_headers(64)
            .keep_alive(true)
            .serve_connection(stream, service)
    );
    let never = Instant::now() + NEVER;
    let mut sleep = pin!(tokio::time::sleep_until(state.deadline(limits, never)));
    let mut stop = pin!(broker.stop.cancelled());
    let mut stopping = false;
    // Turns change only while the connection is polled, so looking at the deadline after each poll misses nothing.
    std::future::poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
            if let Err(error) = outcome {
                tracing::debug!(%error, "connection ended");
            }
            return Poll::Ready(());
        }
        loop {
            let deadline = state.deadline(limits, never);
            // One that moves away, as with each request served, is looked at again when the old one has come: setting a
            // timer costs more than the whole rest of a request's bookkeeping.
            if deadline < sleep.deadline() {
                sleep.as_mut().reset(deadline);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if deadline <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    })
    .await;
}

/// A stream that tells the state what it reads.
struct Metered<S> {
    stream: S,
    state: Arc<State>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        let bytes = &buf.filled()[before..];
        if !bytes.is_empty() && !self.state.received(bytes) {
            // Whoever sends more while waiting has left; hyper drops the handler on an error.
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_is_measured_across_reads() {
        let state = State::new();
        for part in [&b"POST / HTTP/1.1\r"[..], b"\n\r", b"\nbo", b"dy"] {
            assert!(state.received(part));
        }
        assert!(state.begin_serving(Some(4)));
        assert!(!state.received(b"x"), "bytes while being served");
        state.end_serving();
        assert!(state.received(b"GET / HTTP/1.1\r\n\r\nGET"));
        assert!(!state.begin_serving(Some(0)), "bytes beyond the request");
    }

    #[test]
    fn the_head_ends_where_it_ends_whatever_the_pieces() {
        let request = b"GET / HTTP/1.1\r\nhost: brokerd\r\n\r\nbody\r\n\r\n";
        let head = request.len() - "body\r\n\r\n".len();
        for size in 1..=request.len() {
            let state = State::new();
            assert!(request.chunks(size).all(|piece| state.received(piece)));
            assert!(state.begin_serving(None), "an empty line at the end, in pieces of {size}");
            assert_eq!(state.head(), head, "in pieces of {size}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_turn_has_its_deadline() {
        let (state, limits) = (State::new(), Limits::default());
        let start = Instant::now();
        let never = start + NEVER;
        assert_eq!(state.deadline(limits, never), start + limits.idle);
        tokio::time::advance(Duration::from_secs(50)).await;
        state.received(b"G");
        assert_eq!(state.deadline(limits, never), Instant::now() + limits.request);
        tokio::time::advance(Duration::from_secs(4)).await;
        state.received(b"E");
        assert_eq!(state.deadline(limits, never), Instant::now() + Duration::from_secs(1), "a drip buys no time");
        state.begin_serving(None);
        assert_eq!(state.deadline(limits, never), never);
    }
}
