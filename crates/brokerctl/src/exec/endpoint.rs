//! Loopback endpoints that cloud SDKs ask for tokens: alive as long as a command, and for it alone.
//!
//! 1. It listens on 127.0.0.1, on a port of the system's choice.
//! 2. Who connects must be this user: on Linux the kernel's table of connections says whose the other end is. Elsewhere only
//!    the secret tells, and what has no secret in its protocol is not offered.
//! 3. A browser does not get through: its `Host` may be made up by DNS, so that must be the address itself; `Origin`,
//!    `Referer` and forwarded requests are refused; and the header that each protocol wants is one that a page cannot set
//!    without asking first (CORS), which nobody answers.
//! 4. The secret is compared in constant time.

mod azure;
mod gcp;
mod http;
mod peer;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use self::http::{Request, Response};
use super::Source;
use super::surroundings::Surroundings;

/// Requests at once; one more is turned away.
const MOST: usize = 32;
/// From the connection to the end of a request, and as long for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An endpoint; dropped, it listens no more.
pub(super) struct Endpoint {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

/// What one kind of endpoint answers to a request that has passed the guards.
type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// Azure App Service's managed identity.
pub(super) fn azure(source: Source, surroundings: &mut Surroundings) -> io::Result<Endpoint> {
    let secret = SecretString::from(secret()?);
    let expected = secret.clone();
    let endpoint = Endpoint::listen(Box::new(move |request| azure::answer(&source, &expected, request)))?;
    surroundings.set("IDENTITY_ENDPOINT", format!("http://{}{}", endpoint.address, azure::PATH));
    surroundings.set_secret("IDENTITY_HEADER", secret.expose_secret());
    surroundings.has_loopback();
    Ok(endpoint)
}

/// Google Compute Engine's metadata server. Its protocol has no secret.
pub(super) fn gcp(source: Source, account: String, surroundings: &mut Surroundings) -> io::Result<Endpoint> {
    if !peer::IS_KNOWN {
        let what = "--gcp is for Linux: its protocol has no secret, and here nothing tells who connects";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    let endpoint = Endpoint::listen(Box::new(move |request| gcp::answer(&source, &account, request)))?;
    for name in ["GCE_METADATA_HOST", "GCE_METADATA_IP"] {
        surroundings.set(name, endpoint.address.to_string());
    }
    surroundings.has_loopback();
    Ok(endpoint)
}

/// 256 random bits in hex.
pub(super) fn secret() -> io::Result<String> {
    use std::fmt::Write as _;

    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// Whether both are the same, in a time that does not tell how far they agree.
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    one.iter().zip(other.iter()).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

impl Endpoint {
    fn listen(answer: Box<Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, answer) = (Arc::clone(&stop), Arc::from(answer));
        let acceptor = std::thread::spawn(move || accept(&listener, &stopping, &answer));
        Ok(Self { address, stop, acceptor: Some(acceptor) })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // What waits in accept is woken by a connection.
        drop(TcpStream::connect_timeout(&self.address, PATIENCE));
        drop(self.acceptor.take().map(JoinHandle::join));
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, answer: &Arc<Answer>) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of descriptors, as a rule: not to spin.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if busy.fetch_add(1, Ordering::AcqRel) >= MOST {
            busy.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (answer, done) = (Arc::clone(answer), Arc::clone(&busy));
        std::thread::spawn(move || {
            // Whoever has left hears nothing.
            drop(serve(stream, answer.as_ref()));
            done.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

/// Answers one request.
fn serve(mut stream: TcpStream, answer: &Answer) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (here, there) = (stream.local_addr()?, stream.peer_addr()?);
    if peer::IS_KNOWN && !peer::is_own(here, there) {
        return http::Response::error(403, "this endpoint is another user's").write(&mut stream);
    }
    let response = match http::read(&mut stream, PATIENCE)? {
        Ok(request) => match guard(&request, here) {
            None => answer(&request),
            Some(refused) => refused,
        },
        Err(refused) => refused,
    };
    response.write(&mut stream)
}

/// What no client of these protocols sends, and a browser or a proxy may.
fn guard(request: &Request, here: SocketAddr) -> Option<Response> {
    if request.method != "GET" {
        return Some(Response::only_get());
    }
    if request.header("host") != Some(here.to_string().as_str()) {
        return Some(Response::error(403, "the Host header is not this endpoint's address"));
    }
    let foreign = ["origin", "referer", "forwarded", "x-forwarded-for", "sec-fetch-site"];
    foreign
        .iter()
        .any(|name| request.header(name).is_some())
        .then(|| Response::error(403, "requests from web pages and proxies are refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        let secret = secret().unwrap();
        assert!(secret.len() == 64 && is_same(&secret, &secret.clone()));
        for wrong in ["", &secret[..63], &format!("{secret}0"), &"0".repeat(64)] {
            assert!(!is_same(&secret, wrong), "{wrong}");
        }
    }
}
