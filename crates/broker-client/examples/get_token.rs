//! Asks brokerd for a token of the default profile and calls nothing with it: `cargo run --example get_token --features blocking`.
//!
//! It ends as `brokerctl` would: with 0, or with the exit code of what went wrong.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use broker_client::blocking::Client;
use broker_client::{ClientError, Endpoint, TokenRequest, TokenResponse};

fn main() -> ExitCode {
    match token() {
        Ok(token) => {
            say(format_args!("a token for {}, {}", token.account.username, token.scope));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&error);
            if let Some(hint) = error.hint() {
                say(format_args!("hint: {hint}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn token() -> Result<TokenResponse, ClientError> {
    let client = Client::new(Endpoint::resolve(None)?);
    let request = TokenRequest { profile: std::env::args().nth(1), ..TokenRequest::default() };
    client.access_token(&request, |prompt| {
        say(format_args!("open {} and enter {}", prompt.verification_uri, prompt.user_code));
    })
}

fn say(what: impl Display) {
    // Nowhere else to say that the terminal is gone.
    drop(writeln!(std::io::stderr(), "{what}"));
}
