//! The face without a runtime: `std` and a small HTTP reader, for commands that live for a millisecond.

mod connection;
mod http;
mod wait;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_ipc::deadline::Deadline;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use self::connection::Connection;
use self::http::Head;
pub use self::wait::{Events, Step, TokenEvents};
use crate::answer;
use crate::call::Call;
use crate::error::ClientError;
use crate::wait::{CALL_TIMEOUT, Kind, Wait};
use crate::{
    Accounts, DevicePrompt, Endpoint, Findings, ProbeRequest, Prompts, Reloaded, SignedIn, SignedOut, Status,
    TokenEvent, TokenRequest, TokenResponse,
};

/// A program's way to brokerd, without a runtime. Cheap to clone; clones share one idle connection.
///
/// Calls other than [`Client::token`] and [`Client::login`] end within a minute, or [another time](Client::with_call_timeout). A
/// thread that waits can be made to leave by ending the process only; to cancel otherwise, set the request's `timeout` or use
/// the async client.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    idle: Arc<Mutex<Option<Connection>>>,
    call_timeout: Duration,
}

impl Client {
    /// Returns a client of the daemon at `endpoint`. Nothing is connected before it is needed.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: Arc::default(), call_timeout: CALL_TIMEOUT }
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
        &self.endpoint
    }

    /// Asks for a token and returns what happens: any number of [`TokenEvent::DevicePrompt`], then either
    /// [`TokenEvent::Token`] or an error, then nothing.
    ///
    /// Dropping the iterator closes the connection and cancels this caller's wait.
    pub fn token(&self, request: &TokenRequest) -> TokenEvents<'_> {
        TokenEvents::new(self, Wait::new(Kind::Token, request))
    }

    /// Signs in, always by asking the user: like [`Client::token`], with [`TokenEvent::SignedIn`] at the end.
    pub fn login(&self, request: &TokenRequest) -> TokenEvents<'_> {
        TokenEvents::new(self, Wait::new(Kind::Login, request))
    }

    /// Asks for a token, shows prompts by `on_prompt`, and returns the token.
    pub fn access_token(
        &self,
        request: &TokenRequest,
        mut on_prompt: impl FnMut(&DevicePrompt),
    ) -> Result<TokenResponse, ClientError> {
        for event in self.token(request) {
            match event? {
                TokenEvent::DevicePrompt(prompt) => on_prompt(&prompt),
                TokenEvent::Token(token) => return Ok(*token),
                _ => {}
            }
        }
        Err(ClientError::lost())
    }

    /// Signs in, shows prompts by `on_prompt`, and returns who signed in.
    pub fn sign_in(
        &self,
        request: &TokenRequest,
        mut on_prompt: impl FnMut(&DevicePrompt),
    ) -> Result<SignedIn, ClientError> {
        for event in self.login(request) {
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
    pub fn accounts(&self) -> Result<Accounts, ClientError> {
        self.call(&Call::accounts())
    }

    /// Signs an account out, by its id: revoked at the provider where it can be, forgotten here always.
    pub fn sign_out(&self, id: &str) -> Result<SignedOut, ClientError> {
        self.call(&Call::sign_out(id))
    }

    /// Opens a store that waits for a person's passphrase; with `new`, this is the one from now on. [`Status`]'s store says in
    /// `unlock` what is wanted.
    pub fn unlock(&self, passphrase: &SecretString, new: bool) -> Result<(), ClientError> {
        self.exchange_whole(&Call::unlock(passphrase, new)?, nothing)
    }

    /// Keeps a profile's client secret in the keyring, in the place of the one there may be.
    pub fn set_client_secret(&self, profile: &str, secret: &SecretString) -> Result<(), ClientError> {
        self.exchange_whole(&Call::set_client_secret(profile, secret)?, nothing)
    }

    /// Removes a profile's client secret from the keyring.
    pub fn remove_client_secret(&self, profile: &str) -> Result<(), ClientError> {
        self.exchange_whole(&Call::remove_client_secret(profile), nothing)
    }

    /// Returns the prompts pending now.
    pub fn prompts(&self) -> Result<Prompts, ClientError> {
        self.call(&Call::prompts())
    }

    /// Cancels a prompt: everybody who waits for it gets `cancelled`.
    pub fn cancel_prompt(&self, id: &str) -> Result<(), ClientError> {
        self.exchange_whole(&Call::cancel_prompt(id), nothing)
    }

    /// Returns how the daemon is.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.call(&Call::status())
    }

    /// Returns what happens from now on: prompts appearing and ending, accounts changing.
    ///
    /// It ends with the daemon and is not made anew: what happened meanwhile would be missing.
    pub fn events(&self) -> Result<Events, ClientError> {
        let (mut connection, head) = self.exchange(&Call::events(), Deadline::after(self.call_timeout))?;
        if !head.is_success() {
            return Err(connection.whole(head.body, |body| answer::failure(head.status, body))?);
        }
        connection.set_deadline(Deadline::never());
        Ok(Events::new(connection, head.body))
    }

    /// Makes the daemon read its configuration again.
    pub fn reload(&self) -> Result<Reloaded, ClientError> {
        self.call(&Call::reload())
    }

    /// Returns the checks that only the daemon can make.
    pub fn doctor(&self) -> Result<Findings, ClientError> {
        self.call(&Call::doctor())
    }

    /// Makes the daemon try a provider.
    pub fn probe(&self, request: &ProbeRequest) -> Result<Findings, ClientError> {
        self.call(&Call::probe(request)?)
    }

    fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        self.exchange_whole(call, answer::json)
    }

    /// Sends a call, and returns what `read` makes of its answer.
    fn exchange_whole<T>(
        &self,
        call: &Call,
        read: impl FnOnce(&[u8]) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let (connection, head) = self.exchange(call, Deadline::after(self.call_timeout))?;
        self.finish(connection, &head, read)
    }

    /// Reads the rest of an answer and keeps its connection; a failure is an error.
    fn finish<T>(
        &self,
        mut connection: Connection,
        head: &Head,
        read: impl FnOnce(&[u8]) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let read = |body: &[u8]| if head.is_success() { read(body) } else { Err(answer::failure(head.status, body)) };
        let value = connection.whole(head.body, read)?;
        if head.keeps_alive() {
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        value
    }

    /// Sends a call on the idle connection or a new one, and reads the head of its answer.
    ///
    /// The daemon closes connections that were idle for a minute; such a one is replaced without a word.
    fn exchange(&self, call: &Call, deadline: Deadline) -> Result<(Connection, Head), ClientError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut connection) = idle {
            connection.set_deadline(deadline);
            match connection.exchange(call) {
                Err(error) if call.may_be_repeated(&error) => {}
                answered => return answered.map(|head| (connection, head)),
            }
        }
        let mut connection = Connection::open(&self.endpoint, deadline)?;
        let head = connection.exchange(call)?;
        Ok((connection, head))
    }
}

/// Reads an answer that says nothing but that it was done.
#[expect(clippy::unnecessary_wraps, reason = "the others can fail")]
fn nothing(_: &[u8]) -> Result<(), ClientError> {
    Ok(())
}
