//! The way to a server taken step by step, for a person who asks why it is not reached.
//!
//! A request tells of the first thing that failed in one line. Here each step says what it found, also when all is well: which
//! addresses the name has, and whose word the certificate is trusted on.

use std::path::Path;

use broker_oauth::text::clean;
use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use rustls::ProtocolVersion;
use tower_service::Service as _;
use url::{Host, Url};

use super::ca_file::CaFile;
use super::cause::{is_of_tls, unreachable};
use super::connector::Connector;
use super::{Hint, Outbound, OutboundError, Unreachable};
use crate::config::{HttpProxy, Transport};

/// As many addresses as a person reads.
const ADDRESSES: usize = 4;
const NO_ADDRESS: Hint = "check the name, the network and the system's resolver: getent hosts NAME asks the same one, nslookup NAME on Windows";

/// One step of the way.
pub(crate) struct Step {
    /// `dns`, `connection` or `tls`.
    pub(crate) name: &'static str,
    /// What was found.
    pub(crate) outcome: Result<String, Unreachable>,
}

impl Outbound {
    /// Goes to a URL's server as a request would, and ends the connection again. Stops at the step that fails. The caller bounds
    /// the time; dropping the future ends it.
    pub(crate) async fn steps(&self, transport: &Transport, url: &Url) -> Vec<Step> {
        if self.memory.is_some() {
            return Vec::new(); // a test's server has no address
        }
        let proxy = match self.proxy(transport, url) {
            Ok(proxy) => proxy.map(|(proxy, _)| proxy),
            Err(why) => return vec![Step { name: "connection", outcome: Err(Unreachable::new(why)) }],
        };
        // Behind a proxy, the proxy looks the provider's name up.
        let first = proxy.as_ref().map_or_else(|| Some(url.clone()), |proxy| Url::parse(&proxy.uri().to_string()).ok());
        let mut steps = Vec::new();
        if let Some(url) = &first
            && let Some(Host::Domain(name)) = url.host()
        {
            let found = look_up(name, url.port_or_known_default().unwrap_or(443)).await;
            let lost = found.is_err();
            steps.push(Step { name: "dns", outcome: found });
            if lost {
                return steps;
            }
        }
        steps.extend(connect(transport.ca_file.as_deref(), proxy, url).await);
        steps
    }
}

async fn look_up(name: &str, port: u16) -> Result<String, Unreachable> {
    let nothing =
        |why: &str| Unreachable { why: format!("{name} has no address: {}", clean(why)), hint: Some(NO_ADDRESS) };
    let found = tokio::net::lookup_host((name, port)).await.map_err(|error| nothing(&error.to_string()))?;
    // A resolver may name an address once for each kind of socket.
    let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    addresses.dedup();
    let more = addresses.len().saturating_sub(ADDRESSES);
    addresses.truncate(ADDRESSES);
    match (addresses.is_empty(), more) {
        (true, _) => Err(nothing("the resolver names none")),
        (false, 0) => Ok(format!("{name} is {}", addresses.join(", "))),
        (false, more) => Ok(format!("{name} is {} and {more} more", addresses.join(", "))),
    }
}

/// Connects, with TLS where the URL says so. Nothing is told of a plain connection that works: the server's answer shows it.
async fn connect(ca_file: Option<&Path>, proxy: Option<HttpProxy>, url: &Url) -> Option<Step> {
    let failed = |name, why| Some(Step { name, outcome: Err(why) });
    let uri: Uri = match url.as_str().parse() {
        Ok(uri) => uri,
        Err(error) => return failed("connection", Unreachable::new(format!("not an address: {error}"))),
    };
    let authorities = ca_file.map(CaFile::open).transpose();
    let mut connector = match authorities.and_then(|authorities| Connector::new(authorities, proxy, None)) {
        Ok(connector) => connector,
        Err(why) => return failed("tls", Unreachable::new(why)),
    };
    match connector.call(uri).await {
        Ok(MaybeHttpsStream::Http(_)) => None,
        Ok(MaybeHttpsStream::Https(stream)) => {
            let version = match stream.inner().get_ref().1.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                _ => "TLS 1.2", // the only other one that is spoken here
            };
            let by = ca_file.map(|file| format!("{} or ", file.display())).unwrap_or_default();
            let found = format!("{version}, its certificate trusted by {by}the system's authorities");
            Some(Step { name: "tls", outcome: Ok(found) })
        }
        Err(error) => {
            let name = if is_of_tls(&*error) { "tls" } else { "connection" };
            match unreachable(&*error) {
                OutboundError::Unreachable(why) => failed(name, why),
                other => failed(name, Unreachable::new(other.to_string())),
            }
        }
    }
}
