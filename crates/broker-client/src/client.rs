//! The async face: hyper over the daemon's socket.

mod link;
mod stream;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_ipc::connect::{self, ConnectError};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use self::link::{Answer, Link};
pub use self::stream::{EventStream, TokenStream};
use crate::call::Call;
use crate::error::ClientError;
use crate::wait::{CALL_TIMEOUT, Kind, LONGEST, Wait};
use crate::{
    Accounts, DevicePrompt, Endpoint, Findings, ProbeRequest, Prompts, Reloaded, SignedIn, SignedOut, Status,
    TokenEvent, TokenRequest, TokenResponse,
};

/// A program's way to brokerd. Cheap to clone; clones share one idle connection.
///
/// Must be used within a tokio runtime with its time and I/O drivers. It spawns nothing: a connection lives in the future
/// that uses it, so that dropping the future closes it.
///
/// Calls other than [`Client::token`] and [`Client::login`] end within a minute, or [another time](Client::with_call_timeout).
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    call_timeout: Duration,
}

struct Shared {
    endpoint: Endpoint,
    connector: Option<Box<Connector>>,
    /// Never held across an await.
    idle: Mutex<Option<Link>>,
}

type Connector = dyn Fn() -> Connecting + Send + Sync;
type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;

/// What a connection must be able to do.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Client {
    /// Returns a client of the daemon at `endpoint`. Nothing is connected before it is needed.
    pub fn new(endpoint: Endpoint) -> Self {
        Self::with(endpoint, None)
    }

    /// Returns a client whose connections `connector` makes, for tests without a socket.
    ///
    /// An error of kind `NotFound` or `ConnectionRefused` means that nothing listens. Hidden, because who is on the other end is
    /// not checked: brokerd's own tests and simulation, which have it in their process, are what it is for.
    #[doc(hidden)]
    pub fn with_connector<C, F, S>(connector: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let boxed = move || -> Connecting {
            let connecting = connector();
            Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn Connection>) })
        };
        Self::with(Endpoint::from_path("connector"), Some(Box::new(boxed)))
    }

    fn with(endpoint: Endpoint, connector: Option<Box<Connector>>) -> Self {
        let shared = Shared { endpoint, connector, idle: Mutex::new(None) };
        Self { shared: Arc::new(shared), call_timeout: CALL_TIMEOUT }
    }

    /// The same, with another time for a call other than [`Client::token`] and [`Client::login`]. A minute is for those that
    /// ask a provider; what the daemon knows by itself it says at once. Clones from before keep theirs.
    #[must_use]
    pub fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Returns where it looks for the daemon.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Asks for a token and returns what happens: any number of [`TokenEvent::DevicePrompt`], then either
    /// [`TokenEvent::Token`] or an error, then nothing.
    ///
    /// Dropping the stream closes the connection and cancels this caller's wait. Dropping a future of its `next` does neither:
    /// the next one goes on.
    pub fn token(&self, request: &TokenRequest) -> TokenStream {
        TokenStream::new(self.clone(), Wait::new(Kind::Token, request))
    }

    /// Signs in, always by asking the user: like [`Client::token`], with [`TokenEvent::SignedIn`] at the end.
    pub fn login(&self, request: &TokenRequest) -> TokenStream {
        TokenStream::new(self.clone(), Wait::new(Kind::Login, request))
    }

    /// Asks for a token, shows prompts by `on_prompt`, and returns the token.
    ///
    /// Dropping the future cancels this caller's wait.
    pub async fn access_token(
        &self,
        request: &TokenRequest,
        mut on_prompt: impl FnMut(&DevicePrompt),
    ) -> Result<TokenResponse, ClientError> {
        let mut events = self.token(request);
        while let Some(event) = events.next().await {
            match event? {
                TokenEvent::DevicePrompt(prompt) => on_prompt(&prompt),
                TokenEvent::Token(token) => return Ok(*token),
                _ => {}
            }
        }
        Err(ClientError::lost())
    }

    /// Signs in, shows prompts by `on_prompt`, and returns who signed in.
    ///
    /// Dropping the future cancels this caller's wait.
    pub async fn sign_in(
        &self,
        request: &TokenRequest,
        mut on_prompt: impl FnMut(&DevicePrompt),
    ) -> Result<SignedIn, ClientError> {
        let mut events = self.login(request);
        while let Some(event) = events.next().await {
            match event? {
                TokenEvent::DevicePrompt(prompt) => on_prompt(&prompt),
                TokenEvent::SignedIn { account, profile } => {
                    return Ok(SignedIn { account, profile });
                }
                _ => {}
            }
        }
        Err(ClientError::lost())
    }

    /// Returns the accounts of all profiles.
    pub async fn accounts(&self) -> Result<Accounts, ClientError> {
        self.call(Call::accounts()).await
    }

    /// Signs an account out, by its id: revoked at the provider where it can be, forgotten here always.
    ///
    /// Dropping the future does not undo it.
    pub async fn sign_out(&self, id: &str) -> Result<SignedOut, ClientError> {
        self.call(Call::sign_out(id)).await
    }

    /// Keeps a profile's client secret in the keyring, in the place of the one there may be.
    pub async fn set_client_secret(&self, profile: &str, secret: &SecretString) -> Result<(), ClientError> {
        self.exchange_whole(Call::set_client_secret(profile, secret)?).await?.check()
    }

    /// Opens a store that waits for a person's passphrase; with `new`, this is the one from now on. [`Status`]'s store says in
    /// `unlock` what is wanted.
    pub async fn unlock(&self, passphrase: &SecretString, new: bool) -> Result<(), ClientError> {
        self.exchange_whole(Call::unlock(passphrase, new)?).await?.check()
    }

    /// Removes a profile's client secret from the keyring.
    pub async fn remove_client_secret(&self, profile: &str) -> Result<(), ClientError> {
        self.exchange_whole(Call::remove_client_secret(profile)).await?.check()
    }

    /// Returns the prompts pending now.
    pub async fn prompts(&self) -> Result<Prompts, ClientError> {
        self.call(Call::prompts()).await
    }

    /// Cancels a prompt: everybody who waits for it gets `cancelled`.
    pub async fn cancel_prompt(&self, id: &str) -> Result<(), ClientError> {
        self.exchange_whole(Call::cancel_prompt(id)).await?.check()
    }

    /// Returns how the daemon is.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Call::status()).await
    }

    /// Returns what happens from now on: prompts appearing and ending, accounts changing.
    ///
    /// It ends with the daemon and is not made anew: what happened meanwhile would be missing. Dropping it closes it.
    pub async fn events(&self) -> Result<EventStream, ClientError> {
        let deadline = self.call_deadline();
        let answer = within(deadline, self.exchange(&Call::events(), deadline)).await?;
        if answer.is_success() {
            return Ok(EventStream::new(answer));
        }
        let (whole, _link) = within(deadline, answer.whole()).await?;
        Err(whole.failure())
    }

    /// Makes the daemon read its configuration again.
    pub async fn reload(&self) -> Result<Reloaded, ClientError> {
        self.call(Call::reload()).await
    }

    /// Returns the checks that only the daemon can make.
    pub async fn doctor(&self) -> Result<Findings, ClientError> {
        self.call(Call::doctor()).await
    }

    /// Makes the daemon try a provider.
    pub async fn probe(&self, request: &ProbeRequest) -> Result<Findings, ClientError> {
        self.call(Call::probe(request)?).await
    }

    fn call_deadline(&self) -> Instant {
        // A clock has no room for every time.
        Instant::now() + self.call_timeout.min(LONGEST)
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        self.exchange_whole(call).await?.json()
    }

    /// Sends a call and reads all of its answer.
    async fn exchange_whole(&self, call: Call) -> Result<link::Whole, ClientError> {
        let deadline = self.call_deadline();
        within(deadline, async {
            let answer = self.exchange(&call, deadline).await?;
            let (whole, link) = answer.whole().await?;
            self.keep(link);
            Ok(whole)
        })
        .await
    }

    /// Sends a call on the idle connection or a new one, and reads the head of its answer.
    ///
    /// The daemon closes connections that were idle for a minute; such a one is replaced without a word.
    async fn exchange(&self, call: &Call, deadline: Instant) -> Result<Answer, ClientError> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(link) = idle {
            match link.send(call).await {
                Err(error) if call.may_be_repeated(&error) => {}
                answered => return answered,
            }
        }
        self.connect(deadline).await?.send(call).await
    }

    async fn connect(&self, deadline: Instant) -> Result<Link, ClientError> {
        let endpoint = &self.shared.endpoint;
        match &self.shared.connector {
            None => Link::over(connect::connect(endpoint, deadline).await?).await,
            Some(connector) => {
                let made = connector().await.map_err(|error| ConnectError::of(endpoint, error))?;
                Link::over(made).await
            }
        }
    }

    /// Keeps a connection for the next call.
    fn keep(&self, link: Option<Link>) {
        if let Some(link) = link {
            *self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(link);
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}

/// Runs until the deadline.
async fn within<T>(deadline: Instant, work: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    timeout_at(deadline, work).await.unwrap_or(Err(ClientError::Timeout))
}
