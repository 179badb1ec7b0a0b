//! HTTP to authorization servers: hyper, rustls with the platform's trust store, no redirects, everything bounded.
//!
//! Tests exchange the connector below hyper, so that they cover real requests, headers, cut bodies and timeouts.

mod connector;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_oauth::wire::{Form, MAX_BODY, ProviderRequest, ProviderResponse};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use self::connector::Connector;
pub use self::connector::MemoryDial;
use crate::config::Transport;

/// How long one exchange may take, from the name look-up to the last byte.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection is kept for the next exchange.
const IDLE: Duration = Duration::from_secs(60);

type HttpClient = Client<Connector, Full<Bytes>>;

/// Sends requests to authorization servers. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Outbound {
    memory: Option<MemoryDial>,
    clients: Arc<Mutex<HashMap<Transport, HttpClient>>>,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// No connection, no answer, or none in time.
    #[error("{0}")]
    Unreachable(String),
    /// The profile's way to the provider cannot be set up.
    #[error("{0}")]
    Transport(String),
}

impl Outbound {
    /// Over the network.
    pub fn network() -> Self {
        Self { memory: None, clients: Arc::default() }
    }

    /// Over in-memory connections.
    pub fn memory(dial: MemoryDial) -> Self {
        Self { memory: Some(dial), clients: Arc::default() }
    }

    /// Sends a request and reads the whole answer. Ends within [`EXCHANGE_TIMEOUT`]. Dropping the future drops the
    /// connection; whether the server acted on the request is unknown then.
    pub async fn send(
        &self,
        transport: &Transport,
        request: &ProviderRequest,
        now: Timestamp,
    ) -> Result<ProviderResponse, OutboundError> {
        let client = self.client(transport)?;
        let exchange = async {
            let response = client.request(http_request(request)?).await.map_err(|error| unreachable(&error))?;
            read(response, now).await
        };
        match tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::Unreachable(format!("no answer in {} s", EXCHANGE_TIMEOUT.as_secs()))),
        }
    }

    fn client(&self, transport: &Transport) -> Result<HttpClient, OutboundError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(transport) {
            return Ok(client.clone());
        }
        let connector = Connector::new(transport, self.memory.clone()).map_err(OutboundError::Transport)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(128 * 1024)
            .build(connector);
        clients.insert(transport.clone(), client.clone());
        Ok(client)
    }
}

fn http_request(request: &ProviderRequest) -> Result<http::Request<Full<Bytes>>, OutboundError> {
    let mut builder = http::Request::builder()
        .uri(request.url.as_str())
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::USER_AGENT, concat!("brokerd/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = &request.authorization {
        let mut value = http::HeaderValue::from_str(authorization.expose_secret())
            .map_err(|_| OutboundError::Transport("the client secret does not fit a header".into()))?;
        value.set_sensitive(true);
        builder = builder.header(http::header::AUTHORIZATION, value);
    }
    if let Some(id) = &request.request_id {
        builder = builder.header("client-request-id", id).header("return-client-request-id", "true");
    }
    let built = match &request.form {
        None => builder.body(Full::default()),
        Some(form) => builder
            .method(http::Method::POST)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(zeroized(form))),
    };
    built.map_err(|error| OutboundError::Transport(format!("the request cannot be built: {error}")))
}

/// The form as hyper wants it, still zeroed when hyper is done with it.
fn zeroized(form: &Form) -> Bytes {
    Bytes::from_owner(Zeroizing::new(form.as_str().as_bytes().to_vec()))
}

async fn read(
    response: http::Response<hyper::body::Incoming>,
    now: Timestamp,
) -> Result<ProviderResponse, OutboundError> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(http::header::RETRY_AFTER).and_then(|value| retry_after(value, now));
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let mut incoming = response.into_body();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| unreachable(&error))?;
        if let Some(data) = frame.data_ref() {
            if body.len() + data.len() > MAX_BODY {
                return Err(OutboundError::Unreachable(format!("the answer is larger than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(data);
        }
    }
    Ok(ProviderResponse { status, retry_after, body })
}

/// RFC 9110 §10.2.3: seconds, or a date. At most an hour is believed.
fn retry_after(value: &http::HeaderValue, now: Timestamp) -> Option<u64> {
    let text = value.to_str().ok()?.trim();
    let seconds = if let Ok(seconds) = text.parse::<u64>() {
        seconds
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        u64::try_from(at.as_second() - now.as_second()).unwrap_or(0)
    };
    Some(seconds.min(3600))
}

/// The innermost cause is the one that helps: "Connection refused", "invalid peer certificate".
fn unreachable(error: &dyn std::error::Error) -> OutboundError {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    OutboundError::Unreachable(broker_oauth::text::clean(&cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
        let now = Timestamp::from_second(784_111_777).unwrap();
        for (value, want) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(&http::HeaderValue::from_static(value), now), want, "{value}");
        }
    }
}
