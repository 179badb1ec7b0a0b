//! Asks brokerd for a token of the default profile and calls nothing with it: `cargo run --example get_token --features blocking`.

use std::error::Error;
use std::io::Write;

use broker_client::blocking::Client;
use broker_client::{ClientError, Endpoint, TokenRequest};

fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(Endpoint::resolve(None)?);
    let request = TokenRequest { profile: std::env::args().nth(1), ..TokenRequest::default() };
    let mut out = std::io::stderr();
    let answer = client.access_token(&request, |prompt| {
        let (page, code) = (&prompt.verification_uri, &prompt.user_code);
        // Nowhere else to say that the terminal is gone.
        drop(writeln!(std::io::stderr(), "open {page} and enter {code}"));
    });
    match answer {
        Ok(token) => writeln!(out, "a token for {}, {}", token.account.username, token.scope)?,
        Err(error @ ClientError::NotRunning { .. }) => writeln!(out, "{error}; start brokerd")?,
        Err(error) => writeln!(out, "{error}: {}", error.hint().unwrap_or("no idea why"))?,
    }
    Ok(())
}
