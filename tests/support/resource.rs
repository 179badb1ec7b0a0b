//! A resource server (RFC 6749 §1.1): HTTP on loopback behind which a test decides, with a log of what was asked.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::service::service_fn;
use hyper::{Method, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::fake_as::Ca;

/// What it answers.
pub type Answer = Response<Full<Bytes>>;

/// The server; dropping it closes every connection.
#[derive(Debug)]
pub struct Resource {
    address: SocketAddr,
    log: Log,
    _serving: JoinSet<()>,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// A request, whole.
#[derive(Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Resource {
    /// Listens on a free port of loopback.
    pub async fn http<F, A>(answer: F) -> io::Result<Self>
    where
        F: Fn(Asked) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self::listen(None, answer).await
    }

    /// The same by TLS, with a certificate for `localhost`.
    pub async fn https<F, A>(ca: &Ca, answer: F) -> io::Result<Self>
    where
        F: Fn(Asked) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self::listen(Some(ca.acceptor()?), answer).await
    }

    async fn listen<F, A>(tls: Option<TlsAcceptor>, answer: F) -> io::Result<Self>
    where
        F: Fn(Asked) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, log) = (listener.local_addr()?, Log::default());
        let mut serving = JoinSet::new();
        let asked = Arc::clone(&log);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (tls, answer, log) = (tls.clone(), answer.clone(), Arc::clone(&asked));
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, answer, log).await,
                        Some(tls) => {
                            // A client that does not trust us leaves here.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answer, log).await;
                            }
                        }
                    }
                });
            }
        });
        Ok(Self { address, log, _serving: serving })
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns what it was asked so far, in order.
    pub fn log(&self) -> Vec<Asked> {
        lock(&self.log).clone()
    }
}

impl Asked {
    /// Returns a header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the bearer token (RFC 6750 §2.1).
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// Returns user and password (RFC 7617).
    pub fn basic(&self) -> Option<(String, String)> {
        let encoded = self.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }
}

/// A token may stand in the headers.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)
    }
}

/// Makes an answer.
pub fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Full::new(body.into()))
        .expect("a status and a type without surprises")
}

/// Makes the answer to a request without the right credential: these are the schemes it may come by (RFC 9110 §11.6.1).
pub fn unauthorized(challenges: &[&str]) -> Answer {
    let mut answer = answer(401, "text/plain", "who are you?\n");
    for challenge in challenges {
        answer.headers_mut().append("www-authenticate", challenge.parse().expect("a challenge"));
    }
    answer
}

async fn serve<F, A>(io: impl AsyncRead + AsyncWrite + Unpin, answer: F, log: Log)
where
    F: Fn(Asked) -> A,
    A: Future<Output = Answer>,
{
    let service = service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let asked = Asked { method: parts.method, uri: parts.uri, headers: parts.headers, body };
        lock(&log).push(asked.clone());
        Ok::<_, hyper::Error>(answer(asked).await)
    });
    // A client may leave in the middle of anything.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service).await);
}

fn lock(log: &Log) -> MutexGuard<'_, Vec<Asked>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
