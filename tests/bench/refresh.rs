//! What the broker adds to a refresh, and how fast those who wait for one are answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use broker_client::{Client, Endpoint, TokenRequest};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use support::fake_as::Grant;
use support::processes::{Daemon, Home};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::footprint::Keyring;
use super::options::Options;
use super::report::{Report, ratio};
use super::sockets;
use super::stage::{Server, profile, sign_in};
use super::timing::Sample;

/// Refreshes of each kind.
const REFRESHES: usize = 100;
/// Clients that wait for one.
const CLIENTS: usize = 50;

/// Measures and reports.
pub(crate) fn measure(runtime: &Handle, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        "A refresh",
        "Forced, one after the other and in turns, against the same server; the bare round trip is a `POST` of a form to the \
         token endpoint over a kept TLS connection. The provider rotates, so brokerd writes the store twice: the difference \
         between the stores is what those writes cost.",
    );
    let keyring = Keyring::start().ok();
    let server = runtime.block_on(Server::listen())?;
    let mut sides = Vec::new();
    for store in ["memory", "keyring"] {
        let bus = keyring.as_ref().map(|keyring| keyring.bus.as_str());
        if store == "keyring" && bus.is_none() {
            report.say("Left out: the keyring; tests/run sets one up.");
            continue;
        }
        sides.push((store, runtime.block_on(Side::start(&server, store, bus, options))?));
    }
    let (bare, taken) = runtime.block_on(refreshes(&server, &sides))?;
    let mut rows = vec![vec!["bare HTTPS round trip".to_owned(), format!("{:.2}", bare.p50() / 1000.0), String::new()]];
    for ((store, _), sample) in sides.iter().zip(&taken) {
        let added = (sample.p50() - bare.p50()) / 1000.0;
        rows.push(vec![format!("brokerd, {store}"), format!("{:.2}", sample.p50() / 1000.0), format!("{added:.2}")]);
    }
    report.table(&["", "p50 ms", "added ms"], rows);
    let added = (taken[0].p50() - bare.p50()) / 1000.0;
    report.target("broker's addition to a refresh, store in memory", "ms", added, 2.0);
    if let Some(keyring) = taken.get(1) {
        let share = (keyring.p50() - taken[0].p50()) / 1000.0;
        report.say(&format!("The keyring's two writes: {} ms.", ratio(share)));
    }
    report.say(&format!(
        "Connections that brokerd made to the server for these {} refreshes: {}.",
        REFRESHES * sides.len(),
        server.fake.connections() - 1 - sides.len()
    ));
    let (store, side) = sides.last().context("a side")?;
    let (first, last) = runtime.block_on(crowd(&server, side))?;
    report.say(&format!(
        "{CLIENTS} clients that wait for one refresh at a slow server, store {store}: from the server's answer to the first \
         client's {:.1} ms, to the last one's {:.1} ms. The store acknowledges before the first.",
        first * 1000.0,
        last * 1000.0
    ));
    report.target(
        "50 clients, slow server: the last is answered after the first within",
        "ms",
        (last - first) * 1000.0,
        5.0,
    );
    Ok(())
}

/// A daemon with a store.
struct Side {
    home: Home,
    client: Client,
    _daemon: Daemon,
}

impl Side {
    async fn start(server: &Server, store: &str, bus: Option<&str>, options: &Options) -> anyhow::Result<Self> {
        let home = Home::create()?;
        let mut launch = Daemon::launch(&home).config(&profile(server, &home, store)?);
        if let Some(bus) = bus {
            launch = launch.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        let daemon = launch.try_start(&options.binaries).await?;
        sign_in(server, &home.socket(), &TokenRequest::default()).await?;
        let client = Client::new(Endpoint::from_path(home.socket()));
        Ok(Self { home, client, _daemon: daemon })
    }
}

async fn refreshes(server: &Server, sides: &[(&str, Side)]) -> anyhow::Result<(Sample, Vec<Sample>)> {
    let mut bare = Bare::connect(server).await?;
    let (mut bares, mut taken) = (Vec::new(), vec![Vec::new(); sides.len()]);
    let forced = TokenRequest { force_refresh: true, ..sockets::request() };
    for round in 0..REFRESHES + 3 {
        let start = Instant::now();
        bare.post().await?;
        let took = start.elapsed();
        for ((store, side), taken) in sides.iter().zip(&mut taken) {
            let start = Instant::now();
            side.client.access_token(&forced, |_| {}).await.with_context(|| format!("a refresh, store {store}"))?;
            if round >= 3 {
                taken.push(start.elapsed());
            }
        }
        if round >= 3 {
            bares.push(took);
        }
    }
    Ok((Sample::new(bares), taken.into_iter().map(Sample::new).collect()))
}

/// A connection to the token endpoint with nothing around it.
struct Bare {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Bare {
    #[expect(clippy::disallowed_methods, reason = "the connection's work ends with the connection")]
    async fn connect(server: &Server) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(server.ca.pem().as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let issuer = url::Url::parse(&server.fake.issuer())?;
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", issuer.port().context("a port")?)).await?;
        tcp.set_nodelay(true)?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(ServerName::try_from("localhost")?, tcp).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, authority: format!("localhost:{}", issuer.port().unwrap_or_default()) })
    }

    /// A refresh of a token that nobody has: as long as a real one, and answered as fast.
    async fn post(&mut self) -> anyhow::Result<()> {
        let form = "grant_type=refresh_token&client_id=cli&refresh_token=0123456789abcdef0123456789abcdef&scope=openid";
        let request = hyper::Request::post("/token")
            .header("host", &self.authority)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(form))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        ensure!(answer.status() == 400, "{}", answer.status());
        answer.into_body().collect().await?;
        Ok(())
    }
}

/// When the first and the last of those who wait are answered, in seconds from the server's answer.
async fn crowd(server: &Server, side: &Side) -> anyhow::Result<(f64, f64)> {
    let gate = server.fake.hold(Grant::RefreshToken);
    let socket = side.home.socket();
    // All want a token with more life than there is in the one at hand, and so the same one.
    let request = TokenRequest { force_refresh: true, ..sockets::request() };
    let (request, socket) = (&request, &socket);
    let wait = |_| async move {
        let client = Client::new(Endpoint::from_path(socket));
        client.access_token(request, |_| {}).await?;
        anyhow::Ok(Instant::now())
    };
    let open = async {
        gate.arrived().await;
        // Time for all to have asked.
        tokio::time::sleep(Duration::from_millis(500)).await;
        gate.open();
        anyhow::Ok(Instant::now())
    };
    let (answered, opened) = tokio::join!(try_join_all((0..CLIENTS).map(wait)), open);
    let (answered, opened) = (answered?, opened?);
    let after = |at: Option<&Instant>| at.map_or(f64::NAN, |at| at.duration_since(opened).as_secs_f64());
    Ok((after(answered.iter().min()), after(answered.iter().max())))
}
