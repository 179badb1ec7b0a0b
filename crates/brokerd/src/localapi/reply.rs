//! Answers as HTTP: one JSON object, or a stream of events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use broker_ipc::api::{JSON, NDJSON, VERSION_HEADER};
use broker_ipc::error::ErrorBody;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{BoxStream, StreamExt as _};
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde::Serialize;

use crate::server::State;
use crate::wiped;

/// An answer.
pub(super) struct Reply {
    status: StatusCode,
    kind: &'static str,
    content: Content,
    allow: Option<HeaderValue>,
    close: bool,
}

enum Content {
    Whole(Bytes),
    Events(BoxStream<'static, Bytes>),
}

impl Reply {
    /// 200 with one object.
    pub(super) fn json<T: Serialize>(value: &T) -> Self {
        Self::new(StatusCode::OK, JSON, Content::Whole(encode(value)))
    }

    /// 204.
    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, JSON, Content::Whole(Bytes::new()))
    }

    /// A failure.
    pub(super) fn error(body: &ErrorBody) -> Self {
        let status = StatusCode::from_u16(body.error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, JSON, Content::Whole(encode(body)))
    }

    /// A stream, one event a line.
    pub(super) fn events<T: Serialize>(status: StatusCode, events: impl Stream<Item = T> + Send + 'static) -> Self {
        let lines = events.map(|event| encode(&event)).boxed();
        Self::new(status, NDJSON, Content::Events(lines))
    }

    fn new(status: StatusCode, kind: &'static str, content: Content) -> Self {
        Self { status, kind, content, allow: None, close: false }
    }

    /// The same, naming the methods that there are instead (RFC 9110 §15.5.6).
    pub(super) fn and_allow(mut self, methods: &[&str]) -> Self {
        self.allow = HeaderValue::try_from(methods.join(", ")).ok();
        self
    }

    /// The same, and the connection ends with it.
    pub(super) fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(super) fn into_response(self, state: Arc<State>) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody { content: Some(self.content), state });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VERSION_HEADER, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, methods);
        }
        if self.close {
            response.body().state.end_with_this();
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// One line of JSON. The bytes may hold a token: they are zeroed when hyper is done with them.
fn encode<T: Serialize>(value: &T) -> Bytes {
    let mut line = wiped::json(value, 1);
    line.push(b'\n');
    Bytes::from_owner(line)
}

/// An answer's body. When it is done or dropped, it is the client's turn again.
pub struct ReplyBody {
    content: Option<Content>,
    state: Arc<State>,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.content {
            Some(Content::Events(events)) => {
                events.poll_next_unpin(cx).map(|event| event.map(|line| Ok(Frame::data(line))))
            }
            Some(Content::Whole(_)) => match self.content.take() {
                Some(Content::Whole(bytes)) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Some(Content::Whole(bytes)) => bytes.is_empty(),
            Some(Content::Events(_)) => false,
            None => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Some(Content::Whole(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Some(Content::Events(_)) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        self.state.end_serving();
    }
}
