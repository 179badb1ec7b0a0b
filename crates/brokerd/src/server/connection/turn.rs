//! Whose turn it is on a connection, how much of a request has come, and until when more may.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::Limits;

/// What a head ends in, and a chunked body (RFC 9112 §7.1).
const EMPTY_LINE: &[u8; 4] = b"\r\n\r\n";
/// Far enough away to mean never.
pub(super) const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

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

/// What is next if nothing else happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The connection comes to rest.
    Rest,
    /// It ends, then.
    Close(Instant),
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
    /// An answer is on its way out.
    unsent: bool,
    /// No request may follow the one that is being served: some of it was left unread, or its answer says so.
    last: bool,
}

impl State {
    pub(in crate::server) fn new() -> Self {
        let turn = Turn::Idle(Instant::now());
        Self(Mutex::new(Inner { turn, received: 0, head: None, tail: [0; 4], unsent: false, last: false }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::server) fn idle_since(&self) -> Option<Instant> {
        match self.lock().turn {
            Turn::Idle(since) => Some(since),
            Turn::Receiving(_) | Turn::Serving => None,
        }
    }

    pub(super) fn next(&self, limits: Limits, never: Instant) -> Next {
        let inner = self.lock();
        match inner.turn {
            // What is left of it is not to be taken for another.
            Turn::Idle(since) if inner.unsent || inner.last => Next::Close(since + limits.idle),
            Turn::Idle(_) => Next::Rest,
            Turn::Receiving(since) => Next::Close(since + limits.request),
            Turn::Serving => Next::Close(never),
        }
    }

    /// Whether all that was written is with the kernel.
    pub(super) fn sent(&self, all: bool) {
        self.lock().unsent = !all;
    }

    /// Bytes came. `false` if it was not the client's turn: it has left its request behind.
    pub(super) fn received(&self, bytes: &[u8]) -> bool {
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

    /// The connection ends with the answer to come.
    pub fn end_with_this(&self) {
        self.lock().last = true;
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
    async fn each_turn_has_its_end() {
        let (state, limits) = (State::new(), Limits::default());
        let never = Instant::now() + NEVER;
        assert_eq!(state.next(limits, never), Next::Rest);
        tokio::time::advance(Duration::from_secs(50)).await;
        state.received(b"G");
        assert_eq!(state.next(limits, never), Next::Close(Instant::now() + limits.request));
        tokio::time::advance(Duration::from_secs(4)).await;
        state.received(b"E");
        let second = Instant::now() + Duration::from_secs(1);
        assert_eq!(state.next(limits, never), Next::Close(second), "a drip buys no time");
        state.begin_serving(None);
        assert_eq!(state.next(limits, never), Next::Close(never));
        state.sent(false);
        state.end_serving();
        assert_eq!(state.next(limits, never), Next::Close(Instant::now() + limits.idle), "an answer that nobody reads");
        state.sent(true);
        assert_eq!(state.next(limits, never), Next::Rest);
        state.end_with_this();
        assert_eq!(state.next(limits, never), Next::Close(Instant::now() + limits.idle), "its end is hyper's");
    }
}
