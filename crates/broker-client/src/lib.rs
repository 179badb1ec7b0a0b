//! Access tokens from brokerd, for Rust programs.
//!
//! A program that needs an OAuth access token asks the user's `brokerd` for one, and never sees a refresh token, a secret
//! or a provider. Most of the time the answer is immediate: every tool of the user shares one sign-in. When a person must
//! act, the caller gets a *prompt* to show, a page and a code, and then the token.
//!
//! ```no_run
//! # #[cfg(feature = "async")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use broker_client::{Client, Endpoint, TokenRequest};
//! use secrecy::ExposeSecret;
//!
//! let client = Client::new(Endpoint::resolve(None)?);
//! let request = TokenRequest { scopes: vec!["User.Read".into()], ..TokenRequest::default() };
//! let token = client
//!     .access_token(&request, |prompt| {
//!         eprintln!("open {} and enter {}", prompt.verification_uri, prompt.user_code);
//!     })
//!     .await?;
//! let header = format!("Bearer {}", token.access_token.expose_secret());
//! # Ok(()) }
//! ```
//!
//! The same without a runtime, on `std` alone:
//!
//! ```no_run
//! # #[cfg(feature = "blocking")]
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use broker_client::{Endpoint, TokenRequest, blocking::Client};
//!
//! let client = Client::new(Endpoint::resolve(None)?);
//! let token = client.access_token(&TokenRequest::default(), |prompt| {
//!     eprintln!("open {} and enter {}", prompt.verification_uri, prompt.user_code);
//! })?;
//! # Ok(()) }
//! ```
//!
//! # Good to know
//!
//! - **Ask every time.** Do not keep tokens: asking costs a fraction of a millisecond, and brokerd knows when one is about to
//!   expire. When a resource refuses a token, ask again with [`TokenRequest::rejecting`].
//! - **Prompts are optional.** A service that has nobody to ask sets `interaction: never` and gets `interaction_required`.
//! - **Leaving is cancelling.** Dropping a call's future, a stream or an iterator closes its connection and ends this caller's
//!   wait; others who wait for the same sign-in are not harmed. A stream's `next` alone may be dropped, as in `select!`.
//! - **A restart of brokerd is survived.** A connection that ends while a caller waits is made anew within the request's
//!   timeout. Only when nothing listens at the first try is [`ClientError::NotRunning`] returned at once.
//! - **The server is checked.** A daemon of another user is refused before anything is said to it.
//! - **Errors are for `Display`.** It says what happened in a line; [`ClientError::to_body`] has the hint too. `main` that returns
//!   a `Result` prints `Debug`, which is for developers: `anyhow` and `eyre` print what a user can read.
//! - **Old and new mix.** Unknown events and fields are ignored; a request's field that an older daemon does not know comes
//!   back as `unsupported_field`, with the hint to restart it.
//!
//! # Features
//!
//! | feature | gives | links |
//! |---|---|---|
//! | `async` (default) | [`Client`] | tokio, hyper |
//! | `blocking` | [`blocking::Client`] | httparse |

mod answer;
#[cfg(feature = "blocking")]
pub mod blocking;
mod call;
#[cfg(feature = "async")]
mod client;
mod error;
mod start;
mod wait;

pub use broker_ipc::api::{
    Account, AccountRef, AccountState, Accounts, ConfigurationStatus, DevicePrompt, Event, Finding, Findings,
    FlightSummary, Include, Interaction, LastError, ProbeRequest, ProfileSummary, Prompts, ProxySummary, Reloaded,
    Requester, Revocation, SignedOut, Status, StoreStatus, TokenAnswer, TokenEvent, TokenRequest, TokenResponse,
    TokenSummary,
};
pub use broker_ipc::endpoint::{Endpoint, EndpointError};
pub use broker_ipc::error::{ErrorBody, ErrorCode, NewerCode, ProviderError};
#[cfg(feature = "async")]
pub use client::{Client, EventStream, TokenStream};
pub use error::ClientError;

/// Who signed in, as the answer to a login.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SignedIn {
    /// Who.
    pub account: AccountRef,
    /// Under which profile.
    pub profile: String,
}
