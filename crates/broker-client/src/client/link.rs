//! One connection and the answer that is on it.
//!
//! hyper splits a client's connection into a handle and a future that does the work. Here both live together and the work
//! is done while somebody waits for its outcome: no task is spawned, and dropping the waiter closes the socket.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use broker_ipc::api::{HOST, JSON, MAX_HEAD, NDJSON};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST as HOST_HEADER};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::{self, Buffer, Lines, MAX_ANSWER};
use crate::call::Call;
use crate::error::ClientError;

/// A connection with nothing on it.
pub(super) struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// The future that moves the bytes; `None` once the connection has ended.
struct Driver(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl Driver {
    /// Does the connection's work until `waiter` is done.
    async fn run<F: Future>(&mut self, waiter: F) -> F::Output {
        let mut waiter = pin!(waiter);
        poll_fn(|cx| {
            if self.0.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
                // Why it ended reaches the waiter too.
                self.0 = None;
            }
            match waiter.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(done),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

impl Link {
    /// Speaks HTTP over a connection.
    pub(super) async fn over(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, ClientError> {
        let (sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(io)).await.map_err(failed)?;
        Ok(Self { sender, driver: Driver(Some(Box::pin(connection))) })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) async fn send(mut self, call: &Call) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(call.method.as_str()).uri(&call.path).header(HOST_HEADER, HOST);
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let body = Full::new(Bytes::from(call.body.clone().unwrap_or_default()));
        let request = request
            .body(body)
            .map_err(|error| ClientError::Protocol(format!("the request cannot be written: {error}")))?;
        let sender = &mut self.sender;
        let sent = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let response = self.driver.run(sent).await.map_err(failed)?;
        let kind = response.headers().get(CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
        Ok(Answer {
            status: response.status().as_u16(),
            is_stream: kind.starts_with(NDJSON.as_bytes()),
            body: response.into_body(),
            link: self,
        })
    }
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    status: u16,
    pub(super) is_stream: bool,
    body: Incoming,
    link: Link,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads all of it, and gives the connection back if it can be used again.
    pub(super) async fn whole(mut self) -> Result<(Whole, Option<Link>), ClientError> {
        let expected = usize::try_from(self.body.size_hint().lower()).unwrap_or(MAX_ANSWER);
        let mut body = Buffer::with_capacity(expected.min(MAX_ANSWER));
        while let Some(piece) = self.piece().await? {
            body.push(&piece)?;
        }
        let link = self.link.driver.0.is_some().then_some(self.link);
        Ok((Whole { status: self.status, body }, link))
    }

    /// Reads the next piece of the body; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let Some(frame) = self.link.driver.run(self.body.frame()).await else {
                return Ok(None);
            };
            // Anything else is trailers.
            if let Ok(data) = frame.map_err(failed)?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Reads the next line; `None` when the stream ends.
    pub(super) async fn line<T: DeserializeOwned>(&mut self, lines: &mut Lines) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(value) = lines.next() {
                return value.map(Some);
            }
            match self.piece().await? {
                Some(piece) => lines.push(&piece)?,
                None => return Ok(None),
            }
        }
    }
}

/// An answer, read to its end.
pub(super) struct Whole {
    status: u16,
    body: Buffer,
}

impl Whole {
    /// Returns the value of a success, or the failure.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        self.check()?;
        answer::json(self.body.as_slice())
    }

    /// Returns the failure, if it is one.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        if (200..300).contains(&self.status) { Ok(()) } else { Err(self.failure()) }
    }

    pub(super) fn failure(&self) -> ClientError {
        answer::failure(self.status, self.body.as_slice())
    }
}

/// Says what hyper's error means: an answer that is not HTTP, or a connection that ended.
#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn failed(error: hyper::Error) -> ClientError {
    if error.is_parse() {
        return ClientError::Protocol(error.to_string());
    }
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
    let kind = if error.is_canceled() || error.is_closed() {
        // The daemon had closed the connection before the request was taken.
        io::ErrorKind::NotConnected
    } else if source.is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe) {
        // Nor was any of it written.
        io::ErrorKind::BrokenPipe
    } else {
        io::ErrorKind::ConnectionReset
    };
    ClientError::Io(io::Error::new(kind, error.to_string()))
}
