//! `azd auth token`, as the SDKs' `AzureDeveloperCliCredential` runs it.

use std::ffi::OsString;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};
use serde_json::json;

use super::line::{Known, Line, Takes};
use super::{ask, expires_on, may_have_another, next, why};
use crate::cli::Whose;
use crate::failure::{Failure, say};
use crate::helper::Asker;
use crate::output;
use crate::prompt::Mode;

/// By these words the SDKs know that another credential may do.
const NOT_SIGNED_IN: &str = "not logged in, run `azd auth login` to login";
/// What a token is for that is asked for without a scope, in the public cloud.
const ARM: &str = "https://management.azure.com//.default";

/// Those of `azd auth token`, and of all commands that do not matter to a token.
const OPTIONS: &[Known] = &[
    (&["--output", "-o"], Takes::One),
    (&["--scope"], Takes::One),
    (&["--tenant-id"], Takes::One),
    (&["--claims"], Takes::One),
    (&["--cwd", "-C"], Takes::One),
    (&["--no-prompt"], Takes::Nothing),
    (&["--debug"], Takes::Nothing),
];

/// `azd …`
pub(crate) fn run(client: &Client, prompt: Mode, arguments: &[OsString]) -> Result<(), Failure> {
    match Line::parse(arguments, OPTIONS).filter(|line| line.words == ["auth", "token"]) {
        Some(line) => {
            let nobody = Whose::default();
            token(&Asker::new(client, prompt, &nobody), &line).map_err(|failure| told(&failure))
        }
        None => next::run("azd", arguments),
    }
}

fn token(asker: &Asker<'_>, line: &Line) -> Result<(), Failure> {
    let claims = line.one("--claims").map(|text| claims(&text)).transpose()?;
    let mut scopes = line.all("--scope");
    if scopes.is_empty() {
        scopes.push(ARM.to_owned());
    }
    let credential = ask(asker, scopes, line.one("--tenant-id"), claims)?;
    // In whole seconds and by `Z`: some SDKs parse nothing else.
    let expires = jiff::Timestamp::from_second(expires_on(&credential)).unwrap_or_default();
    output::json(&json!({"token": credential.token(), "expiresOn": expires.to_string()}))
}

/// A claims challenge, in base64 as the SDKs pass it.
fn claims(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    decoded.ok_or_else(|| ErrorBody::new(ErrorCode::BadRequest, "--claims is no JSON object in base64").into())
}

/// Says why not, in the one line of JSON that azd says it in.
fn told(failure: &Failure) -> Failure {
    let Some(body) = failure.body() else { return Failure::Told(1) };
    let why = why(&body);
    let message = if may_have_another(body.error) { format!("{NOT_SIGNED_IN} ({why})") } else { why };
    let message = format!("\nERROR: {message}\n");
    say(&format!("{}\n", json!({"type": "consoleMessage", "data": {"message": message}})));
    Failure::Told(1)
}
