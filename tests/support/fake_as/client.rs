//! Who a client is (RFC 6749 §2.3): nobody is trusted more than its secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::failure::Failure;
use super::journal::{Request, lookup};
use super::state::State;

impl State {
    /// Returns the client id of a request whose client is known and has proved what it must.
    pub(super) fn authenticate(&self, request: &Request) -> Result<String, Failure> {
        let (id, secret) = credentials(request)?;
        let Some(client) = self.options.clients.iter().find(|client| client.id == id) else {
            return Err(Failure::UnknownClient(id));
        };
        match (&client.secret, secret) {
            (None, None) => Ok(id),
            (Some(expected), Some(given)) if *expected == given => Ok(id),
            (None, Some(_)) => Err(Failure::InvalidClient("a public client cannot send a client secret".into())),
            (Some(_), None) => Err(Failure::InvalidClient("the client must authenticate".into())),
            (Some(_), Some(_)) => Err(Failure::InvalidClient("wrong client secret".into())),
        }
    }
}

fn credentials(request: &Request) -> Result<(String, Option<String>), Failure> {
    let field = |name| lookup(&request.form, name).map(ToOwned::to_owned);
    let Some(header) = request.header("authorization") else {
        let missing = || Failure::InvalidRequest("missing parameter client_id".into());
        return Ok((field("client_id").ok_or_else(missing)?, field("client_secret")));
    };
    if field("client_secret").is_some() {
        // RFC 6749 §2.3: one method a request.
        return Err(Failure::InvalidRequest("two ways of client authentication".into()));
    }
    let unreadable = || Failure::InvalidClient("unreadable Authorization header".into());
    let encoded = header.strip_prefix("Basic ").ok_or_else(unreadable)?;
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(unreadable)?;
    let (id, secret) = decoded.split_once(':').ok_or_else(unreadable)?;
    Ok((form_decoded(id), Some(form_decoded(secret))))
}

/// Undoes the form encoding that §2.3.1 puts below Basic's base64.
fn form_decoded(value: &str) -> String {
    let pair = format!("x={value}");
    let mut pairs = form_urlencoded::parse(pair.as_bytes());
    pairs.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
