//! Managed identity as Azure App Service offers it (api-version 2019-08-01): what every Azure SDK's
//! `ManagedIdentityCredential`, and so `DefaultAzureCredential`, asks when `IDENTITY_ENDPOINT` is set.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::http::{Request, Response};
use super::{Source, is_same};
use crate::az;

/// Where it is asked.
pub(super) const PATH: &str = "/msi/token";

pub(super) fn answer(source: &Source, secret: &SecretString, request: &Request) -> Response {
    if !is_same(request.header("x-identity-header").unwrap_or_default(), secret.expose_secret()) {
        return Response::error(401, "X-IDENTITY-HEADER is wrong");
    }
    if request.path != PATH {
        return Response::error(404, "there is no such path");
    }
    let Some(resource) = request.parameter("resource") else {
        return Response::error(400, "resource is missing");
    };
    match source.token(vec![format!("{resource}/.default")]) {
        Ok(credential) => Response::json(&json!({
            "access_token": credential.token(),
            "client_id": request.parameter("client_id").unwrap_or("brokerd"),
            "expires_on": az::expires_on(&credential).to_string(),
            "resource": resource,
            "token_type": credential.token_type(),
        })),
        Err(failure) => refusal(&failure),
    }
}

/// The SDKs try again after 404, 410, 429 and 5xx, for long; after 400 they say what they were told.
pub(super) fn refusal(failure: &crate::failure::Failure) -> Response {
    let Some(body) = failure.body() else { return Response::error(400, "brokerctl failed") };
    Response::error(if matches!(body.error.status(), 429 | 502 | 504) { 503 } else { 400 }, &az::why(&body))
}
