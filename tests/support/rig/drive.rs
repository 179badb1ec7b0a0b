//! What scenarios do all the time: ask, look at the prompt, approve, compare tokens.

use std::time::Duration;

use broker_client::{
    Account, Client, ClientError, DevicePrompt, ErrorBody, Interaction, TokenEvent, TokenRequest, TokenResponse,
    TokenStream,
};
use brokerd::store::memory::OperationKind;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
use tokio::time;

use super::Rig;

/// A request with nothing in it.
pub fn interactive() -> TokenRequest {
    TokenRequest::default()
}

/// A request that must not ask a person.
pub fn never() -> TokenRequest {
    TokenRequest { interaction: Some(Interaction::Never), ..TokenRequest::default() }
}

/// A request for these scopes that must not ask a person.
pub fn scopes(scopes: &[&str]) -> TokenRequest {
    TokenRequest { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..never() }
}

/// Seconds.
pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A token's text.
pub fn exposed(token: &TokenResponse) -> &str {
    token.access_token.expose_secret()
}

/// A token as `reject_token_sha256` names it.
pub fn sha256(token: &TokenResponse) -> String {
    use std::fmt::Write as _;

    Sha256::digest(exposed(token)).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes it");
        hex
    })
}

/// What happened in the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A grant was written.
    Put,
    /// A grant was deleted.
    Delete,
}

/// A caller's wait, under way.
pub struct Call {
    events: TokenStream,
}

impl Call {
    /// The prompt, which must come next.
    pub async fn prompt(&mut self) -> DevicePrompt {
        match self.events.next().await {
            Some(Ok(TokenEvent::DevicePrompt(prompt))) => *prompt,
            other => panic!("not a prompt: {other:?}"),
        }
    }

    /// The token, which must come next and last.
    pub async fn token(mut self) -> TokenResponse {
        let token = match self.events.next().await {
            Some(Ok(TokenEvent::Token(token))) => *token,
            other => panic!("not a token: {other:?}"),
        };
        assert!(self.events.next().await.is_none(), "nothing comes after the token");
        token
    }

    /// The failure, which must come next and last.
    pub async fn failure(mut self) -> ErrorBody {
        let failure = match self.events.next().await {
            Some(Err(ClientError::Api(body))) => *body,
            other => panic!("not a failure: {other:?}"),
        };
        assert!(self.events.next().await.is_none(), "nothing comes after the failure");
        failure
    }

    /// The next event as it is.
    pub async fn next(&mut self) -> Option<Result<TokenEvent, ClientError>> {
        self.events.next().await
    }
}

impl Rig {
    /// Asks for a token on a connection of its own. Nothing is sent before the call is waited for.
    pub fn call(&self, request: &TokenRequest) -> Call {
        Call { events: self.new_client().token(request) }
    }

    /// The same for a login.
    pub fn login(&self, request: &TokenRequest) -> Call {
        Call { events: self.new_client().login(request) }
    }

    /// Asks for a token that must come without a person.
    pub async fn token(&self, request: &TokenRequest) -> TokenResponse {
        match ask(self.client.clone(), request.clone()).await {
            Ok(token) => token,
            Err(error) => panic!("no token: {error:?}"),
        }
    }

    /// Asks for a token that must not come.
    pub async fn refused(&self, request: &TokenRequest) -> ErrorBody {
        match ask(self.client.clone(), request.clone()).await {
            Err(ClientError::Api(body)) => *body,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Asks for a token beside the test, on a connection of its own.
    pub fn background(&self, request: &TokenRequest) -> JoinHandle<Result<TokenResponse, ClientError>> {
        self.spawn(ask(self.new_client(), request.clone()))
    }

    /// Signs somebody in to the default profile by its own scopes.
    pub async fn sign_in(&self, user: &str) -> TokenResponse {
        self.sign_in_with(&interactive(), user).await
    }

    /// Signs somebody in with a request.
    pub async fn sign_in_with(&self, request: &TokenRequest, user: &str) -> TokenResponse {
        let mut call = self.call(request);
        let prompt = call.prompt().await;
        let provider = if prompt.profile == "other" { &self.other } else { &self.fake };
        provider.approve(&prompt.user_code, user);
        call.token().await
    }

    /// The one account there is.
    pub async fn account(&self) -> Account {
        let mut accounts = self.client.accounts().await.expect("the daemon answers").accounts;
        assert_eq!(accounts.len(), 1, "{accounts:?}");
        accounts.remove(0)
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        time::sleep(time).await;
    }

    /// Sets the daemon's wall clock forward, as a suspended machine finds it, or back; no time passes.
    pub fn set_wall_clock(&self, seconds: i64) {
        self.clock.shift(seconds);
    }

    /// Lets the token of the default profile expire, and everything else with an hour's life.
    pub async fn expire(&self) {
        self.pass(s(3601)).await;
    }

    /// The successful writes to the keyring so far that touched a grant, without the probe of a sign-in.
    pub fn writes(&self) -> Vec<Kind> {
        let is_grant = |key: &str| key.len() == 20 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        let operations = self.store.operations();
        let done = operations.iter().filter(|operation| operation.ok && is_grant(&operation.key));
        done.filter_map(|operation| match operation.kind {
            OperationKind::Put => Some(Kind::Put),
            OperationKind::Delete => Some(Kind::Delete),
            OperationKind::Get | OperationKind::List => None,
        })
        .collect()
    }

    /// The one record in the keyring.
    pub fn record(&self) -> String {
        let keys = self.store.raw_keys();
        assert_eq!(keys.len(), 1, "{keys:?}");
        String::from_utf8_lossy(&self.store.raw(&keys[0]).expect("it was listed")).into_owned()
    }
}

async fn ask(client: Client, request: TokenRequest) -> Result<TokenResponse, ClientError> {
    client.access_token(&request, |prompt| panic!("an unexpected prompt: {prompt:?}")).await
}
