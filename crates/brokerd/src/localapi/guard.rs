//! What every request must be before it is looked at: local in origin, small, and whole.
//!
//! A browser can be made to send a request to a local HTTP server. It cannot leave out `Origin`, nor choose `Host`.

use broker_ipc::api::{HOST, JSON, MAX_BODY, MAX_HEAD};
use broker_ipc::error::{ErrorBody, ErrorCode};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST as HOST_HEADER, ORIGIN, REFERER};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use zeroize::Zeroizing;

use crate::server::State;

/// Checks a request and reads its body. From here on it is our turn.
pub(super) async fn admit(request: Request<Incoming>, state: &State) -> Result<Zeroizing<Vec<u8>>, ErrorBody> {
    let (head, body) = request.into_parts();
    let checked = check(&head.headers, state.head());
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if checked.is_err() || announced.is_some_and(|length| length > MAX_BODY) {
        // The body, if there is one, stays unread; the connection closes after the answer.
        state.begin_serving(None);
        checked?;
        return Err(too_large());
    }
    let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| is_json(kind.to_str().unwrap_or_default()));
    let chunked = announced.is_none() && !hyper::body::Body::is_end_stream(&body);
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Zeroizing::new(Vec::from(body.to_bytes())),
        Err(error) => {
            state.begin_serving(None);
            let large = error.downcast_ref::<LengthLimitError>().is_some();
            return Err(if large {
                too_large()
            } else {
                ErrorBody::new(ErrorCode::BadRequest, "the body could not be read")
            });
        }
    };
    let whole = state.begin_serving(if chunked { None } else { Some(body.len()) });
    if !whole {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "more was sent than one request")
            .with_hint("send the next request after the answer to this one"));
    }
    if !body.is_empty() && !is_json {
        return Err(ErrorBody::new(ErrorCode::BadRequest, format!("the body's Content-Type is not {JSON}")));
    }
    Ok(body)
}

fn check(headers: &HeaderMap, bytes: usize) -> Result<(), ErrorBody> {
    if bytes > MAX_HEAD {
        return Err(ErrorBody::new(ErrorCode::TooLarge, format!("the head is larger than {MAX_HEAD} bytes")));
    }
    if headers.contains_key(ORIGIN) || headers.contains_key(REFERER) {
        return Err(ErrorBody::new(ErrorCode::Forbidden, "requests from web pages are refused"));
    }
    let hosts: Vec<_> = headers.get_all(HOST_HEADER).iter().collect();
    match hosts.as_slice() {
        [host] if host.to_str().is_ok_and(is_ours) => Ok(()),
        _ => Err(ErrorBody::new(ErrorCode::Forbidden, format!("the Host header must be localhost or {HOST}"))),
    }
}

/// Whether a `Host` means this daemon.
pub(super) fn is_ours(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.eq_ignore_ascii_case(HOST)
}

/// Whether a `Content-Type` is JSON, whatever its parameters.
pub(super) fn is_json(kind: &str) -> bool {
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON)
}

fn too_large() -> ErrorBody {
    ErrorBody::new(ErrorCode::TooLarge, format!("the body is larger than {MAX_BODY} bytes"))
}
