//! The project's own authorization server: a real OAuth server in miniature.
//!
//! It speaks RFC 8628, 6749 §6, 7009 and 8414, OpenID Connect Discovery, and Microsoft Entra's dialect of them. Tests run
//! it in process over in-memory pipes and a paused clock; end-to-end tests and the demo run it on a loopback port. It is
//! strict where real servers are: a spent refresh token ends the sign-in, polling too fast is answered with `slow_down`,
//! a parameter sent twice is refused.
//!
//! [`FakeAs`] is the handle: its user's side ([`approve`](FakeAs::approve)), its faults ([`script`](FakeAs::script),
//! [`hold`](FakeAs::hold)), and what it saw ([`log`](FakeAs::log), [`wait_for`](FakeAs::wait_for)).

mod client;
mod device;
mod dialects;
mod entra;
mod failure;
mod fault;
mod http;
mod journal;
mod metadata;
mod options;
mod page;
mod random;
mod raw;
mod state;
mod tls;
mod token;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::dialects::Quirks;
pub use self::fault::{Endpoint, Fault, Gate, Grant, Select};
pub use self::journal::{AccessToken, Family, Issued, Request, Revoked};
pub use self::options::{Client, Discovery, ENTRA_CLIENT_ID, Options, RefreshTokens, Rotation, Tenant, User};
pub use self::raw::{Piece, Raw};
use self::state::State;
pub use self::tls::{Ca, Handshake, Leaf};

/// A running authorization server; clones are handles to the same one.
#[derive(Clone)]
pub struct FakeAs {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
    tasks: TaskTracker,
}

/// Running it.
impl FakeAs {
    /// A server that nobody is connected to yet.
    #[expect(
        clippy::disallowed_methods,
        reason = "the fake's own clock: it only fills `exp` and `iat`, and moves with tokio's from here on"
    )]
    pub fn new(options: Options) -> Self {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let wall = wall.expect("it is after 1970").as_secs();
        let inner = Inner {
            state: Mutex::new(State::new(options, wall)),
            changes: watch::Sender::new(0),
            tasks: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A server on a free loopback port, which its issuer then names; the path of the issuer given stays.
    pub async fn listen(options: Options) -> io::Result<Self> {
        Self::listen_at(Ipv4Addr::LOCALHOST.into(), options).await
    }

    /// The same at this loopback address.
    pub async fn listen_at(address: IpAddr, mut options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let path = url::Url::parse(&options.issuer).map_err(io::Error::other)?;
        let path = path.path().trim_end_matches('/');
        options.issuer = format!("http://{}{path}", listener.local_addr()?);
        options.patience = options.patience.min(Duration::from_secs(30));
        let server = Self::new(options);
        server.inner.tasks.spawn(server.clone().serve_tcp(listener));
        Ok(server)
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> String {
        self.with(|state| state.options.issuer.clone())
    }

    /// Returns scheme, host and port: the `authority` of a profile of provider `entra`.
    pub fn authority(&self) -> String {
        self.with(|state| state.origin())
    }

    /// Changes the options from the next request on.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Options)) {
        self.change(|state| change(&mut state.options));
    }

    /// Serves one connection until it ends.
    pub async fn serve_connection<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        http::serve(self.clone(), io, true).await;
    }

    /// Serves a listener for as long as it is polled.
    pub async fn serve_tcp(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            if !self.with(|state| state.connections.refused) {
                self.inner.tasks.spawn(http::serve(self.clone(), stream, true));
            }
        }
    }

    /// Returns what an in-memory connector dials.
    pub fn dialer(&self) -> Dialer {
        Dialer { server: self.clone() }
    }

    /// Refuses new connections, or takes them again.
    pub fn refuse_connections(&self, refuse: bool) {
        self.with(|state| state.connections.refused = refuse);
    }

    /// Meets those who connect by TLS from now on like this; with none, as it should.
    pub fn meet_with(&self, handshake: Option<Handshake>) {
        self.with(|state| state.connections.handshake = handshake);
    }

    /// Ends every open connection, answered or not.
    pub fn drop_connections(&self) {
        self.with(|state| std::mem::replace(&mut state.connections.drop, CancellationToken::new())).cancel();
    }

    /// Returns how many connections there have been.
    pub fn connections(&self) -> usize {
        self.with(|state| state.connections.count)
    }
}

/// What goes wrong.
impl FakeAs {
    /// Queues a fault for one request of those meant.
    pub fn script(&self, select: impl Into<Select>, fault: Fault) {
        self.with(|state| state.script.push(select.into(), fault));
    }

    /// Makes a fault happen to every request of those meant that none is queued for.
    pub fn always(&self, select: impl Into<Select>, fault: Fault) {
        self.with(|state| state.script.always(select.into(), fault));
    }

    /// Drops all faults that have not happened yet.
    pub fn clear(&self) {
        self.with(|state| state.script.clear());
    }

    /// Whether no fault is still to happen.
    pub fn is_well(&self) -> bool {
        self.with(|state| state.script.is_empty())
    }

    /// Holds the next request of those meant, once it has arrived and before it is served.
    pub fn hold(&self, select: impl Into<Select>) -> Gate {
        let gate = Gate::new();
        self.script(select, Fault::NotBefore(gate.clone()));
        gate
    }

    /// Holds the answer to the next request of those meant, once it has been served.
    pub fn hold_answer(&self, select: impl Into<Select>) -> Gate {
        let gate = Gate::new();
        self.script(select, Fault::HoldAnswer(gate.clone()));
        gate
    }

    /// Ends every sign-in of a user, as an administrator would.
    pub fn revoke_user(&self, name: &str) {
        self.change(|state| {
            for index in 0..state.families.len() {
                if state.families[index].user == name {
                    state.revoke(index, Revoked::Administrator);
                }
            }
        });
    }

    /// Ends one sign-in, by its place in [`families`](Self::families).
    pub fn revoke_family(&self, family: usize) {
        self.change(|state| state.revoke(family, Revoked::Administrator));
    }

    /// Forgets every code and token, as a server does that keeps them in memory and restarts.
    pub fn forget_grants(&self) {
        self.change(|state| {
            state.devices.clear();
            state.refresh_tokens.clear();
            state.access_tokens.clear();
        });
    }
}

/// The user's side.
impl FakeAs {
    /// Confirms a sign-in as that user.
    pub fn approve(&self, user_code: &str, user: &str) {
        let known = self.with(|state| state.user(user).is_some());
        assert!(known, "no user {user}");
        let decided = self.change(|state| state.decide(user_code, Some(user), Instant::now()));
        assert!(decided, "nothing is pending for user code {user_code}");
    }

    /// Declines a sign-in.
    pub fn deny(&self, user_code: &str) {
        let decided = self.change(|state| state.decide(user_code, None, Instant::now()));
        assert!(decided, "nothing is pending for user code {user_code}");
    }

    /// Returns the user codes nobody has decided on yet, oldest first.
    pub fn pending_user_codes(&self) -> Vec<String> {
        let now = Instant::now();
        self.with(|state| {
            let mut pending: Vec<_> = state.devices.values().filter(|device| device.is_pending(now)).collect();
            pending.sort_by_key(|device| device.number);
            pending.iter().map(|device| device.user_code.clone()).collect()
        })
    }

    /// Waits for a sign-in to be pending and returns the newest one's user code.
    pub async fn next_user_code(&self) -> String {
        self.until("a device authorization request", || self.pending_user_codes().pop()).await
    }
}

/// What it saw.
impl FakeAs {
    /// Returns every request so far, in order of arrival.
    pub fn log(&self) -> Vec<Request> {
        self.with(|state| state.log.clone())
    }

    /// Returns the requests from this place in the log on, for who looks often.
    pub fn log_from(&self, first: usize) -> Vec<Request> {
        self.with(|state| state.log.get(first..).unwrap_or_default().to_vec())
    }

    /// Returns the request at this place in the log.
    pub fn request(&self, number: usize) -> Request {
        self.with(|state| state.log[number].clone())
    }

    /// Returns how many requests of those meant have arrived.
    pub fn count(&self, select: impl Into<Select>) -> usize {
        let select = select.into();
        self.with(|state| state.log.iter().filter(|request| request.is(select)).count())
    }

    /// Waits until the log is as wanted. Looks again whenever a request has arrived or was answered.
    pub async fn wait_for(&self, wanted: impl Fn(&[Request]) -> bool) {
        let look = || wanted(&self.log()).then_some(());
        self.until("the requests waited for", look).await;
    }

    /// Waits until that many requests of those meant have arrived.
    pub async fn wait_for_count(&self, select: impl Into<Select>, count: usize) {
        let select = select.into();
        self.until(&format!("{count} × {select:?}"), || (self.count(select) >= count).then_some(())).await;
    }

    /// Returns everything confidential it has ever given out or been set up with, for a search through logs.
    pub fn secrets(&self) -> Vec<Issued> {
        self.with(|state| state.issued.clone())
    }

    /// Returns how often a spent refresh token came back and ended a sign-in.
    pub fn reuse_detected(&self) -> usize {
        self.with(|state| state.reuse_detected)
    }

    /// Returns every sign-in there has been, oldest first.
    pub fn families(&self) -> Vec<Family> {
        self.with(|state| state.families.clone())
    }

    /// Returns the sign-ins that were ended, with why.
    pub fn revoked_families(&self) -> Vec<Family> {
        let mut families = self.families();
        families.retain(|family| family.revoked.is_some());
        families
    }

    /// Returns the sign-in a refresh token goes back to, by its place in [`families`](Self::families).
    pub fn family_of(&self, refresh_token: &str) -> Option<usize> {
        self.with(|state| state.refresh_tokens.get(refresh_token).map(|token| token.family))
    }

    /// Returns the refresh tokens of the same sign-in that were given out with an access token or after it.
    pub fn refresh_tokens_since(&self, access_token: &str) -> Vec<String> {
        self.with(|state| {
            let Some((family, _)) = state.access_tokens.get(access_token) else { return Vec::new() };
            let is_of_it =
                |issued: &&Issued| state.refresh_tokens.get(&issued.value).is_some_and(|token| token.family == *family);
            let after = state.issued.iter().skip_while(|issued| issued.value != access_token);
            after.filter(is_of_it).map(|issued| issued.value.clone()).collect()
        })
    }

    /// Returns when the sign-in of an access token began.
    pub fn began(&self, access_token: &str) -> Option<Instant> {
        self.with(|state| state.access_tokens.get(access_token).map(|(family, _)| state.families[*family].began))
    }

    /// Tells whether the sign-in of an access token was ended.
    pub fn was_revoked(&self, access_token: &str) -> bool {
        self.with(|state| {
            let known = state.access_tokens.get(access_token);
            known.is_none_or(|(family, _)| state.families[*family].revoked.is_some())
        })
    }

    /// Returns what an access token is good for, if it is good for anything now.
    pub fn access_token(&self, value: &str) -> Option<AccessToken> {
        self.with(|state| {
            let (family, token) = state.access_tokens.get(value)?;
            let live = token.expires > Instant::now() && state.families[*family].revoked.is_none();
            live.then(|| token.clone())
        })
    }
}

impl FakeAs {
    fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.inner.state.lock().expect("no handler panicked"))
    }

    /// Does something that others may wait for.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = self.with(change);
        self.inner.changes.send_modify(|count| *count += 1);
        result
    }

    /// Waits until a look returns something, and looks after each change.
    async fn until<R>(&self, what: &str, look: impl Fn() -> Option<R>) -> R {
        let mut changes = self.inner.changes.subscribe();
        let found = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                changes.changed().await.expect("this server keeps the sender");
            }
        };
        let patience = self.with(|state| state.options.patience);
        let Ok(found) = time::timeout(patience, found).await else {
            panic!("{what}: not within {patience:?}; requests so far: {:#?}", self.log());
        };
        found
    }
}

/// Makes in-memory connections to a server.
#[derive(Clone)]
pub struct Dialer {
    server: FakeAs,
}

impl Dialer {
    /// Connects; a task of the server serves the other end.
    pub fn dial(&self) -> io::Result<DuplexStream> {
        if self.server.with(|state| state.connections.refused) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (client, server) = tokio::io::duplex(64 * 1024);
        self.server.inner.tasks.spawn(http::serve(self.server.clone(), server, false));
        Ok(client)
    }
}
