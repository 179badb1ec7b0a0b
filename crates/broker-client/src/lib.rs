//! Access tokens from brokerd, for Rust programs.
//!
//! A program that needs an OAuth access token asks the user's `brokerd` for one, and never sees a refresh token, a secret
//! or a provider. Most of the time the answer is immediate: every tool of the user shares one sign-in. When a person must
//! act, the caller gets a *prompt* to show, a page and a code, and then the token.
//!
//! ```no_run
//! # #[cfg(feature = "async")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use broker_client::secrecy::ExposeSecret;
//! use broker_client::{Client, Endpoint, TokenRequest};
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
//! A service that has nobody to ask tells a sign-in that is wanted from all that may go by itself:
//!
//! ```no_run
//! # #[cfg(feature = "blocking")]
//! # fn example() -> Result<(), broker_client::ClientError> {
//! use broker_client::{Endpoint, ErrorCode, Interaction, TokenRequest, blocking::Client};
//!
//! let client = Client::new(Endpoint::resolve(None)?);
//! let request = TokenRequest { interaction: Some(Interaction::Never), ..TokenRequest::default() };
//! match client.access_token(&request, |_| {}) {
//!     Ok(token) => println!("a token for {}", token.account.username),
//!     Err(error) if error.code() == ErrorCode::InteractionRequired => eprintln!("run: brokerctl login"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(()) }
//! ```
//!
//! # Good to know
//!
//! - **Ask every time.** Do not keep tokens: asking costs a fraction of a millisecond, and brokerd knows when one is about to
//!   expire. When a resource refuses a token, ask again with [`TokenRequest::rejecting`].
//! - **Leaving is cancelling.** Dropping a call's future, a stream or an iterator closes its connection and ends this caller's
//!   wait; others who wait for the same sign-in are not harmed. A stream's `next` alone may be dropped, as in `select!`.
//! - **A restart of brokerd is survived.** A connection that ends while a caller waits is made anew within the request's
//!   timeout. Only when nothing listens at the first try is [`ClientError::NotRunning`] returned at once.
//! - **Waits end.** A wait for a token ends by the request's `timeout`, else after a minute, or with the code where there is a
//!   prompt; every other call after a minute, or what `with_call_timeout` says. That is [`ClientError::Timeout`].
//! - **Clients are shared.** They are `Send` and `Sync` and cheap to clone, and a call borrows them. Calls at the same time have a
//!   connection each; one that is idle is kept.
//! - **The server is checked.** A daemon of another user is refused before anything is said to it.
//! - **Errors are decided by their code.** [`ClientError::code`] is one of a closed list, each with an exit code; a code of a newer
//!   daemon is [`ErrorCode::Unknown`], and its status decides. `Display` says what happened in a line, [`ClientError::hint`] what
//!   to do about it. `main` that returns a `Result` prints `Debug`, which is for developers: `anyhow` and `eyre` print what a
//!   user can read.
//! - **Answers grow.** Enums of answers are not exhaustive. Structs are read field by field or with `..`, and a request ends with
//!   `..TokenRequest::default()`: then another field is no break. Rust 1.89 builds it.
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
/// What the secrets of requests and answers are: the version that fits.
pub use secrecy;

/// Who signed in, as the answer to a login.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SignedIn {
    /// Who.
    pub account: AccountRef,
    /// Under which profile.
    pub profile: String,
}

/// Programs keep a client where any of their threads may ask.
const fn may_be_shared<T: Clone + Send + Sync>() {}
#[cfg(feature = "async")]
const _: () = may_be_shared::<Client>();
#[cfg(feature = "blocking")]
const _: () = may_be_shared::<blocking::Client>();
