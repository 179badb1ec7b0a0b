//! Who a client is (RFC 6749 §2.3): nobody is trusted more than its secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::failure::{Failure, Secret};
use super::fault::{Endpoint, Grant};
use super::journal::{Request, lookup};
use super::state::{Call, Dialect, State};

impl State {
    /// Returns the client id of a request whose client is known and has proved what it must.
    ///
    /// Microsoft Entra gives a device code to a client that ought to prove itself, and lets it poll: the refusal comes
    /// when the user has consented.
    pub(super) fn authenticate(&self, request: &Request, dialect: &Dialect) -> Result<String, Failure> {
        let (id, secret) = credentials(request)?;
        let Some(client) = self.options.clients.iter().find(|client| client.id == id) else {
            return Err(Failure::UnknownClient(id));
        };
        match (&client.secret, secret) {
            (None, None) => Ok(id),
            (Some(expected), Some(given)) if *expected == given => Ok(id),
            (None, Some(_)) => Err(Failure::Secret(Secret::Unwanted)),
            (Some(_), None) if matches!(dialect, Dialect::Entra(_)) && belongs_to_a_device_flow(request) => Ok(id),
            (Some(_), None) => Err(Failure::Secret(Secret::Missing)),
            (Some(_), Some(_)) => Err(Failure::Secret(Secret::Wrong)),
        }
    }

    /// Refuses what [`authenticate`](Self::authenticate) let pass until here.
    pub(super) fn demand_secret(&self, call: &Call<'_>) -> Result<(), Failure> {
        let client = self.options.clients.iter().find(|client| client.id == call.client_id);
        let confidential = client.is_some_and(|client| client.secret.is_some());
        if matches!(call.dialect, Dialect::Entra(_)) && confidential && lookup(call.form, "client_secret").is_none() {
            return Err(Failure::Secret(Secret::Missing));
        }
        Ok(())
    }
}

fn belongs_to_a_device_flow(request: &Request) -> bool {
    request.is(Endpoint::DeviceAuthorization) || request.is(Grant::DeviceCode)
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
