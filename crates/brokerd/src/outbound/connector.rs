//! The connection below hyper: TCP or a tunnel through a proxy, TLS on top where the URL says so; or memory, for tests.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::crypto::CryptoProvider;
use rustls_platform_verifier::Verifier;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tower_service::Service;

use super::ca_file::CaFile;
use super::names::Names;
use super::tunnel;
use crate::config::HttpProxy;

/// Gives the client's half of a new in-memory connection to a server, unless that refuses it.
pub type MemoryDial = Arc<dyn Fn(&Uri) -> io::Result<DuplexStream> + Send + Sync>;

/// A single address that does not answer must not eat the whole exchange.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<MaybeHttpsStream<Wire>, BoxError>> + Send>>;

/// Connects by a profile's transport.
#[derive(Clone)]
pub(super) struct Connector(HttpsConnector<Dial>);

impl Connector {
    pub(super) fn new(
        ca_file: Option<CaFile>,
        proxy: Option<HttpProxy>,
        memory: Option<MemoryDial>,
    ) -> Result<Self, String> {
        let dial = match (memory, proxy) {
            (Some(dial), _) => Dial::Memory(dial),
            (None, Some(proxy)) => Dial::Tunnel(proxy, tcp(Names::new())),
            (None, None) => Dial::Tcp(tcp(Names::new())),
        };
        let tls = match &dial {
            // For tests: nobody there has a certificate, and to read the platform's roots takes longer than most tests do.
            Dial::Memory(_) => client_config(provider(), None)?,
            Dial::Tcp(_) | Dial::Tunnel(..) => tls(ca_file)?,
        };
        Ok(Self(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(dial)))
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Wire>;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.0.call(uri))
    }
}

/// hyper-util tries IPv6 and IPv4 side by side, the second 300 ms after the first (RFC 8305).
fn tcp<R>(resolver: R) -> HttpConnector<R> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp
}

pub(super) fn check_ca_file(path: &Path) -> Result<(), String> {
    tls(Some(CaFile::open(path)?)).map(drop)
}

fn tls(ca_file: Option<CaFile>) -> Result<rustls::ClientConfig, String> {
    let provider = provider();
    let verifier = verifier(ca_file, provider.clone())?;
    client_config(provider, verifier)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client_config(provider: Arc<CryptoProvider>, verifier: Option<Verifier>) -> Result<rustls::ClientConfig, String> {
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(match verifier {
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        None => builder.with_root_certificates(rustls::RootCertStore::empty()),
    }
    .with_no_client_auth())
}

/// The platform's verifier, and the profile's own CAs. `None` where the platform has no roots at all (a bare container):
/// then every certificate is refused, and loopback still works.
fn verifier(ca_file: Option<CaFile>, provider: Arc<CryptoProvider>) -> Result<Option<Verifier>, String> {
    let Some(file) = ca_file else {
        return Ok(Verifier::new(provider)
            .inspect_err(|error| tracing::warn!(%error, "no CA certificates: every https provider will be refused"))
            .ok());
    };
    Verifier::new_with_extra_roots(file.certificates()?, provider)
        .map(Some)
        .map_err(|error| format!("ca_file: {error}"))
}

/// The three ways to a byte stream.
#[derive(Clone)]
enum Dial {
    Tcp(HttpConnector<Names>),
    Tunnel(HttpProxy, HttpConnector<Names>),
    Memory(MemoryDial),
}

impl Service<Uri> for Dial {
    type Response = Wire;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Tcp(tcp) | Self::Tunnel(_, tcp) => tcp.poll_ready(cx).map_err(Into::into),
            Self::Memory(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Tcp(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move { Ok(Wire::Tcp(connecting.await?)) })
            }
            Self::Tunnel(proxy, tcp) => {
                let connecting = tunnel::connect(proxy.clone(), tcp.clone(), uri);
                Box::pin(async move { Ok(Wire::Tcp(connecting.await?)) })
            }
            Self::Memory(dial) => {
                let stream = dial(&uri);
                Box::pin(async move { Ok(Wire::Memory(TokioIo::new(stream?))) })
            }
        }
    }
}

/// A byte stream to an authorization server.
pub(super) enum Wire {
    Tcp(TokioIo<TcpStream>),
    Memory(TokioIo<DuplexStream>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        match self {
            Self::Tcp(stream) => stream.connected(),
            Self::Memory(_) => Connected::new(),
        }
    }
}

macro_rules! forward {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Self::Memory(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_read(cx, buf))
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

    use hyper_util::client::legacy::connect::dns::Name;
    use tokio::net::TcpListener;
    #[cfg(target_os = "linux")]
    use tokio::net::TcpSocket;

    use super::*;

    /// A name with these addresses, in this order.
    #[derive(Clone)]
    struct Addresses(Vec<SocketAddr>);

    impl Service<Name> for Addresses {
        type Response = std::vec::IntoIter<SocketAddr>;
        type Error = io::Error;
        type Future = std::future::Ready<io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            std::future::ready(Ok(self.0.clone().into_iter()))
        }
    }

    async fn connect(port: u16) -> io::Result<SocketAddr> {
        let addresses = vec![SocketAddr::from((Ipv6Addr::LOCALHOST, port)), (Ipv4Addr::LOCALHOST, port).into()];
        let uri = Uri::try_from(format!("http://as.test:{port}")).unwrap();
        let stream = tcp(Addresses(addresses)).call(uri).await.map_err(io::Error::other)?;
        stream.inner().peer_addr()
    }

    #[tokio::test]
    async fn one_family_is_enough() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(connect(at.port()).await.unwrap(), at);
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            return; // no IPv6 on this machine: what is left to show has been shown
        };
        let at = listener.local_addr().unwrap();
        assert_eq!(connect(at.port()).await.unwrap(), at);
    }

    /// An address that says nothing at all: on Linux, one whose listener has no room left.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_cost_the_exchange() {
        let silent = TcpSocket::new_v6().unwrap();
        silent.bind((Ipv6Addr::LOCALHOST, 0).into()).unwrap();
        let silent = silent.listen(0).unwrap();
        let port = silent.local_addr().unwrap().port();
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let mut fillers = Vec::new();
        while let Ok(Ok(filler)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(v6)).await {
            fillers.push(filler);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let connected = tokio::time::timeout(CONNECT_TIMEOUT / 2, connect(port)).await.unwrap();
        assert_eq!(connected.unwrap(), listener.local_addr().unwrap());
    }
}
