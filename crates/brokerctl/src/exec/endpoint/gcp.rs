//! The metadata server of Google Compute Engine, as far as Google's auth libraries ask it for a token.

use serde_json::json;

use super::Source;
use super::http::{Request, Response};
use crate::az;
use crate::failure::Failure;

/// In both directions it marks a metadata server; a web page cannot send it.
const FLAVOR: &str = "metadata-flavor: Google\r\n";
const ROOT: &str = "/computeMetadata/v1/";

pub(super) fn answer(source: &Source, account: &str, request: &Request) -> Response {
    if request.header("metadata-flavor") != Some("Google") {
        return Response::error(403, "the header Metadata-Flavor: Google is missing");
    }
    about(source, account, request).with(FLAVOR)
}

fn about(source: &Source, account: &str, request: &Request) -> Response {
    let path = request.path.trim_end_matches('/');
    let Some(path) = request.path.strip_prefix(ROOT).map(|path| path.trim_end_matches('/')) else {
        // Libraries look for a metadata server by asking its root.
        return if path.is_empty() { Response::text("computeMetadata/\n") } else { nothing() };
    };
    match path {
        "" => return Response::text("instance/\nproject/\nuniverse/\n"),
        "universe/universe-domain" | "universe/universe_domain" => return Response::text("googleapis.com"),
        // gcp-metadata of Node.js takes 404 here for another kind of machine.
        "instance" => return Response::text("service-accounts/\n"),
        "project" => return Response::text(if project().is_some() { "project-id\n" } else { "" }),
        "project/project-id" => return project().map_or_else(nothing, |name| Response::text(&name)),
        "instance/service-accounts" => return Response::text(&format!("default/\n{account}/\n")),
        _ => {}
    }
    let of_account = path.strip_prefix("instance/service-accounts/").and_then(|rest| {
        let (name, what) = rest.split_once('/').unwrap_or((rest, ""));
        (name == "default" || name == account).then_some(what)
    });
    match of_account {
        Some("token") => token(source, request.parameter("scopes")),
        Some("email") => Response::text(account),
        Some("aliases") => Response::text("default\n"),
        Some("") => Response::json(&json!({"aliases": ["default"], "email": account, "scopes": source.request.scopes})),
        _ => nothing(),
    }
}

fn project() -> Option<String> {
    std::env::var("GOOGLE_CLOUD_PROJECT").ok().filter(|name| !name.is_empty())
}

fn token(source: &Source, scopes: Option<&str>) -> Response {
    let separator = |char: char| char == ',' || char == ' ';
    let scopes = scopes.unwrap_or_default().split(separator).filter(|scope| !scope.is_empty());
    match source.token(scopes.map(str::to_owned).collect()) {
        Ok(credential) => {
            #[expect(clippy::disallowed_methods, reason = "what is left of a token is counted from now")]
            let now = jiff::Timestamp::now().as_second();
            Response::json(&json!({
                "access_token": credential.token(),
                "expires_in": (az::expires_on(&credential) - now).max(0),
                "token_type": credential.token_type(),
            }))
        }
        Err(failure) => refused(&failure),
    }
}

/// The libraries try again after 5xx; what else there is they raise with its text.
fn refused(failure: &Failure) -> Response {
    super::azure::refusal(failure)
}

fn nothing() -> Response {
    Response::error(404, "there is no such thing here")
}
