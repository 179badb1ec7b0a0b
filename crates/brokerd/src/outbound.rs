//! HTTP to authorization servers: hyper, rustls with the platform's trust store, no redirects, everything bounded.
//!
//! Tests exchange the connector below hyper, so that they cover real requests, headers, cut bodies and timeouts.

mod answer;
mod awake;
mod ca_file;
mod cause;
mod clocks;
mod connector;
mod names;
mod surroundings;
mod tunnel;
mod way;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_oauth::wire::{Form, MAX_BODY, ProviderRequest, ProviderResponse};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::TokioExecutor;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use tower_service::Service as _;
use url::Url;
use zeroize::Zeroizing;

use self::awake::Awake;
use self::ca_file::{CaFile, Stamp};
use self::cause::{innermost, unreachable};
use self::clocks::Clocks;
use self::connector::Connector;
pub use self::connector::MemoryDial;
pub(crate) use self::surroundings::Source;
use self::surroundings::Surroundings;
pub(crate) use self::way::Step;
use crate::config::{HttpProxy, Proxy, Transport};

const CHECK_THE_WAY: Hint = "check the network, the proxy and the profile's addresses; brokerctl doctor tries them";
/// The end of a hint that is of no use to the doctor.
pub(crate) const DOCTOR_TRIES: &str = "; brokerctl doctor tries them";
/// How long one exchange may take, from the name look-up to the last byte.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How old a connection may be that is used for the next exchange.
const IDLE: Duration = Duration::from_secs(60);

type HttpClient = Client<Connector, Full<Bytes>>;

/// What to do, where the cause says it.
pub(crate) type Hint = &'static str;

/// Sends requests to authorization servers. Cheap to clone; clones share connections.
#[derive(Clone, Default)]
pub struct Outbound {
    memory: Option<MemoryDial>,
    surroundings: Arc<Surroundings>,
    clients: Arc<Mutex<HashMap<Way, Made>>>,
    clocks: Arc<Clocks>,
    awake: Arc<Awake>,
}

/// What a connection depends on. Two profiles that agree in it share their connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// Whom it trusts beside the platform's.
    pub(crate) ca_file: Option<PathBuf>,
    /// What it goes through.
    pub(crate) proxy: Option<HttpProxy>,
}

/// A client, what connects for it, and the CA file as it was when it was read.
#[derive(Clone)]
struct Made {
    client: HttpClient,
    connector: Connector,
    ca_file: Option<Stamp>,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// No connection: nothing was sent.
    #[error("{0}")]
    NotConnected(Unreachable),
    /// No connection in all the time that an exchange has: nothing was sent.
    #[error("{0}")]
    NotConnectedInTime(Unreachable),
    /// The connection ended before the answer did: whether the server acted on the request is unknown.
    #[error("{0}")]
    Unreachable(Unreachable),
    /// No answer in time: the server may be at work on the request still.
    #[error("{0}")]
    TimedOut(Unreachable),
    /// There was one, and it is larger than [`MAX_BODY`].
    #[error("the answer is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// The profile's way to the provider cannot be set up.
    #[error("{0}")]
    Transport(String),
}

impl OutboundError {
    /// Whether nothing came as far as the server's HTTP.
    pub(crate) fn is_before_a_connection(&self) -> bool {
        matches!(self, Self::NotConnected(_) | Self::NotConnectedInTime(_))
    }
}

/// Why a provider was not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreachable {
    why: String,
    hint: Option<Hint>,
}

impl Unreachable {
    /// Without a hint of its own.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None }
    }

    /// What to do.
    pub(crate) fn hint(&self) -> Hint {
        self.hint.unwrap_or(CHECK_THE_WAY)
    }
}

impl From<&str> for Unreachable {
    fn from(why: &str) -> Self {
        Self::new(why)
    }
}

/// Whether a file of CA certificates can be used.
pub(crate) fn check_ca_file(path: &Path) -> Result<(), String> {
    connector::check_ca_file(path)
}

impl From<Unreachable> for OutboundError {
    fn from(unreachable: Unreachable) -> Self {
        Self::Unreachable(unreachable)
    }
}

impl Outbound {
    /// Over the network, through the proxies that this process's environment or the system names.
    pub fn network() -> Self {
        Self { surroundings: Arc::new(Surroundings::of_this_process()), ..Self::default() }
    }

    /// Over in-memory connections.
    pub fn memory(dial: MemoryDial) -> Self {
        Self { memory: Some(dial), ..Self::default() }
    }

    /// The proxy for a URL, and where it was found. The error says which setting is of no use.
    pub(crate) fn proxy(&self, transport: &Transport, url: &Url) -> Result<Option<(HttpProxy, Source)>, String> {
        match &transport.proxy {
            _ if is_this_machine(url) => Ok(None),
            Proxy::None => Ok(None),
            Proxy::Http(proxy) => Ok(Some((proxy.clone(), Source::Configuration))),
            Proxy::Surroundings => self.surroundings.proxy(url),
        }
    }

    /// What a connection to a URL's server depends on, as things are now.
    pub(crate) fn way(&self, transport: &Transport, url: &Url) -> Result<Way, OutboundError> {
        let proxy = self.proxy(transport, url).map_err(OutboundError::Transport)?.map(|(proxy, _)| proxy);
        Ok(Way { ca_file: transport.ca_file.clone(), proxy })
    }

    /// The variables that decide about proxies and certificates and are set here: their names only.
    pub(crate) fn variables(&self) -> &[&'static str] {
        self.surroundings.names()
    }

    /// By how much this machine's clock is ahead of that of a URL's server, where an answer has told.
    pub(crate) fn clock_ahead_of(&self, url: &Url) -> Option<SignedDuration> {
        self.clocks.ahead_of(url.host_str()?)
    }

    /// Lets the kept connections go, and with them what was read of certificates.
    pub(crate) fn begin_anew(&self) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether a request to a URL could be made at all: its proxy can be used, and its CA file be read.
    pub(crate) fn check(&self, transport: &Transport, url: &Url) -> Result<(), OutboundError> {
        self.made(transport, url).map(drop)
    }

    /// Connects to a URL's server as a request would, and ends the connection again. Ends within [`EXCHANGE_TIMEOUT`].
    ///
    /// Not for the pool: hyper-util puts a connection into it only behind a request.
    pub(crate) async fn reach(&self, transport: &Transport, url: &Url) -> Result<(), OutboundError> {
        let mut connector = self.made(transport, url)?.connector;
        let uri = url.as_str().parse().map_err(|error| OutboundError::Transport(format!("not an address: {error}")))?;
        match tokio::time::timeout(EXCHANGE_TIMEOUT, connector.call(uri)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(before_a_connection(unreachable(&*error))),
            Err(_) => Err(OutboundError::NotConnectedInTime(no_connection())),
        }
    }

    /// Sends a request and reads the whole answer. Ends within [`EXCHANGE_TIMEOUT`]. Dropping the future drops the
    /// connection; whether the server acted on the request is unknown then.
    pub async fn send(
        &self,
        transport: &Transport,
        request: &ProviderRequest,
        now: Timestamp,
    ) -> Result<ProviderResponse, OutboundError> {
        if self.awake.slept(now) {
            self.begin_anew();
        }
        let client = self.made(transport, &request.url)?.client;
        let mut http_request = http_request(request)?;
        let connection = capture_connection(&mut http_request);
        let exchange = async {
            let response = client.request(http_request).await.map_err(|error| {
                let cut = unreachable(&error);
                if error.is_connect() { before_a_connection(cut) } else { cut }
            })?;
            self.clocks.note(request.url.host_str(), response.headers(), now);
            answer::read(response, now).await
        };
        tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await.unwrap_or_else(|_| {
            let seconds = EXCHANGE_TIMEOUT.as_secs();
            Err(match *connection.connection_metadata() {
                Some(_) => OutboundError::TimedOut(Unreachable::new(format!("no answer in {seconds} s"))),
                None => OutboundError::NotConnectedInTime(no_connection()),
            })
        })
    }

    /// The client of this way. The CA file is read again when it is another than it was.
    fn made(&self, transport: &Transport, url: &Url) -> Result<Made, OutboundError> {
        let way = self.way(transport, url)?;
        let ca_file = way.ca_file.as_deref().map(CaFile::open).transpose().map_err(OutboundError::Transport)?;
        let stamp = ca_file.as_ref().map(CaFile::stamp);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = clients.get(&way).filter(|made| made.ca_file == stamp) {
            return Ok(made.clone());
        }
        let connector = Connector::new(ca_file, way.proxy.clone(), self.memory.clone());
        let connector = connector.map_err(OutboundError::Transport)?;
        let client = Client::builder(TokioExecutor::new())
            // Without a timer: it would wake the daemon every minute for ever. An old connection is not used again, and goes
            // when its server closes it or the next one is made.
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(128 * 1024)
            .build(connector.clone());
        let made = Made { client, connector, ca_file: stamp };
        clients.insert(way, made.clone());
        Ok(made)
    }
}

/// The same, of something that was not sent.
fn before_a_connection(error: OutboundError) -> OutboundError {
    match error {
        OutboundError::Unreachable(why) => OutboundError::NotConnected(why),
        other => other,
    }
}

fn no_connection() -> Unreachable {
    Unreachable::new(format!("no connection in {} s", EXCHANGE_TIMEOUT.as_secs()))
}

/// Whether a URL leads to this machine: no proxy is asked for that.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server has not seen costs it nothing.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_for_its_connection_was_not_sent() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let dial = Arc::clone(&kept);
        let outbound = Outbound::memory(Arc::new(move |_: &http::Uri| {
            let (near, far) = tokio::io::duplex(64 * 1024);
            dial.lock().unwrap().push(far);
            Ok(near)
        }));
        // Nobody answers, in TLS or in HTTP.
        for (url, before) in [("https://as.example/token", true), ("http://127.0.0.1:1/token", false)] {
            let request = ProviderRequest::get(url.parse().unwrap());
            let error = outbound.send(&Transport::default(), &request, Timestamp::UNIX_EPOCH).await.unwrap_err();
            assert_eq!(error.is_before_a_connection(), before, "{url}: {error:?}");
            let reached = outbound.reach(&Transport::default(), &request.url).await;
            assert_eq!(matches!(reached, Err(OutboundError::NotConnectedInTime(_))), before, "{url}: {reached:?}");
            assert_eq!(reached.is_ok(), !before, "{url}: {reached:?}");
        }
    }

    #[tokio::test]
    async fn who_refuses_a_connection_was_not_reached() {
        let outbound = Outbound::memory(Arc::new(|_: &http::Uri| Err(std::io::ErrorKind::ConnectionRefused.into())));
        let reached = outbound.reach(&Transport::default(), &"https://as.example/token".parse().unwrap()).await;
        assert!(matches!(reached, Err(OutboundError::NotConnected(_))), "{reached:?}");
    }

    /// Whatever prints a request prints its headers.
    #[test]
    fn an_authorization_header_is_not_shown() {
        let mut request = ProviderRequest::get("https://a.example/userinfo".parse().unwrap());
        request.authorization = Some("Bearer at-5d41402a".into());
        let request = http_request(&request).unwrap();
        assert_eq!(request.headers()[http::header::AUTHORIZATION], "Bearer at-5d41402a");
        let shown = format!("{request:?}");
        assert!(shown.contains("authorization") && !shown.contains("at-5d41402a"), "{shown}");
    }
}
