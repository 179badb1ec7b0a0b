//! The rules of OAuth 2.0 device sign-in and silent refresh: no I/O, and `now` is an argument.
//!
//! | module | answers | source |
//! |---|---|---|
//! | [`registration`] | who the client is: provider, client id, secret, scopes | |
//! | [`dialect`] | how each provider differs: a table | |
//! | [`extra`] | parameters the RFCs do not know | |
//! | [`pkce`] | the proof that a poll is ours | RFC 7636 |
//! | [`metadata`] | where the endpoints are | RFC 8414, OpenID Connect Discovery 1.0 |
//! | [`claims`] | what a `claims` parameter says | OpenID Connect Core §5.5 |
//! | [`entra`] | Microsoft Entra's clouds, tenants and relatives | |
//! | [`device`] | how a device flow runs | RFC 8628 |
//! | [`refresh`] | when a token is fresh, how a refresh is asked for | RFC 6749 §6 |
//! | [`keep_alive`] | when a refresh token that ends unused is to be used | |
//! | [`token`] | what a token response says | RFC 6749 §5.1 |
//! | [`identity`] | who signed in | OpenID Connect Core §2 |
//! | [`failure`] | what a refusal means for the grant and for the user | RFC 6749 §5.2, RFC 8628 §3.5 |
//! | [`aadsts`] | what Microsoft Entra's numbers mean | `docs/ERRORS.md` |
//! | [`classification`] | what kind of sign-in would help, in MSAL's words | |
//! | [`backoff`] | how long a provider that does not serve is left alone | RFC 9110 §10.2.3 |
//! | [`revoke`] | how a grant is given back | RFC 7009 |
//! | [`scope`] | which scopes cover which | RFC 6749 §3.3 |
//! | [`redact`] | what was sent is not told | |
//! | [`wire`] | requests and responses as values | |
//! | [`secret`] | secrets as types | |
//! | [`text`] | what of a server's text may be shown | |
//!
//! Nothing here opens a socket or reads a clock, so every rule is tested by moving a variable.

pub mod aadsts;
pub mod backoff;
pub mod claims;
pub mod classification;
pub mod device;
pub mod dialect;
pub mod entra;
pub mod extra;
pub mod failure;
pub mod identity;
pub mod keep_alive;
pub mod metadata;
pub mod pkce;
pub mod redact;
pub mod refresh;
pub mod registration;
pub mod revoke;
pub mod scope;
pub mod secret;
pub mod text;
pub mod token;
pub mod wire;
