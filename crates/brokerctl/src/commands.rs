//! One module a family of commands.

pub(crate) mod accounts;
pub(crate) mod client_secret;
pub(crate) mod inspect;
pub(crate) mod profile;
pub(crate) mod prompts;
pub(crate) mod token;
pub(crate) mod watch;
