//! TLS on loopback, by a certificate authority that is made for a test and dies with it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{FakeAs, Options, http};

/// An authority that nobody trusts until told to: `ca_file` of a profile, `verify=` of Python's requests.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// How a server meets those who connect.
#[derive(Clone)]
pub enum Handshake {
    /// With a certificate, which the client may find wanting.
    Accepted(TlsAcceptor),
    /// With these bytes in answer to the first message, and the end of the connection.
    Answered(&'static [u8]),
}

/// What a server's certificate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// As it should be.
    Good,
    /// It ended an hour ago.
    Expired,
    /// It begins in an hour.
    NotYetValid,
    /// It is for `elsewhere.test` alone.
    OtherName,
}

impl Ca {
    /// Makes one. It is good for a day, and its certificates for `localhost` and for `as.test`, which only a test's proxy knows.
    pub fn new() -> Self {
        Self::named("broker tests")
    }

    /// Makes one of another name.
    pub fn named(name: &str) -> Self {
        Self::generate(name).unwrap_or_else(|error| panic!("a certificate authority: {error}"))
    }

    /// Returns its certificate as PEM.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", self.issuer.der())
    }

    /// Returns what a server for `localhost` accepts connections with.
    pub fn acceptor(&self) -> io::Result<TlsAcceptor> {
        self.acceptor_for(Leaf::Good)
    }

    /// The same with a certificate like this.
    pub fn acceptor_for(&self, leaf: Leaf) -> io::Result<TlsAcceptor> {
        Ok(TlsAcceptor::from(Arc::new(self.server(leaf)?)))
    }

    fn generate(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = params(name, Leaf::Good)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Returns a server's configuration, with a key of its own.
    fn server(&self, leaf: Leaf) -> io::Result<rustls::ServerConfig> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = params("localhost", leaf).map_err(io::Error::other)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key)).map_err(io::Error::other)
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeAs {
    /// A server on a free loopback port that speaks TLS; its issuer is at `https://localhost:PORT`, with the path of the
    /// issuer given.
    pub async fn listen_tls(mut options: Options, ca: &Ca) -> io::Result<Self> {
        let acceptor = ca.acceptor()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let path = url::Url::parse(&options.issuer).map_err(io::Error::other)?;
        let path = path.path().trim_end_matches('/');
        options.issuer = format!("https://localhost:{}{path}", listener.local_addr()?.port());
        options.patience = options.patience.min(Duration::from_secs(30));
        let server = Self::new(options);
        server.inner.tasks.spawn(server.clone().serve_tls(listener, acceptor));
        Ok(server)
    }

    async fn serve_tls(self, listener: TcpListener, acceptor: TlsAcceptor) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            if self.with(|state| state.connections.refused) {
                continue;
            }
            let handshake = self.with(|state| state.connections.handshake.clone());
            let (server, acceptor) = (self.clone(), acceptor.clone());
            self.inner.tasks.spawn(async move {
                let acceptor = match handshake {
                    None => acceptor,
                    Some(Handshake::Accepted(other)) => other,
                    Some(Handshake::Answered(bytes)) => return drop(answer_once(stream, bytes).await),
                };
                // A client that does not trust us leaves here: no request, and none in the log.
                if let Ok(stream) = acceptor.accept(stream).await {
                    http::serve(server, stream, true).await;
                }
            });
        }
    }
}

/// Reads once, for what was not read would end the connection by a reset, before what is sent here arrives.
async fn answer_once(mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut hello = Vec::with_capacity(16 * 1024);
    stream.read_buf(&mut hello).await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await
}

/// What both certificates have in common.
#[expect(clippy::disallowed_methods, reason = "a certificate is good by the wall clock of whoever looks at it")]
fn params(name: &str, leaf: Leaf) -> Result<CertificateParams, rcgen::Error> {
    let names: &[&str] =
        if leaf == Leaf::OtherName { &["elsewhere.test"] } else { &["localhost", "127.0.0.1", "as.test"] };
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now();
    let (begin, end) = match leaf {
        Leaf::Good | Leaf::OtherName => (now - HALF_A_DAY, now + HALF_A_DAY),
        Leaf::Expired => (now - HALF_A_DAY, now - HOUR),
        Leaf::NotYetValid => (now + HOUR, now + HALF_A_DAY),
    };
    params.not_before = begin.into();
    params.not_after = end.into();
    Ok(params)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
    format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", lines.collect::<String>())
}

const HOUR: Duration = Duration::from_secs(3600);
const HALF_A_DAY: Duration = Duration::from_secs(12 * 3600);
