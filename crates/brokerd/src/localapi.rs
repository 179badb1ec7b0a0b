//! LocalAPI v1 (`docs/PROTOCOL.md`): from an HTTP request to an answer.

mod accounts;
mod client_secrets;
mod doctor;
mod events;
mod guard;
mod plain;
mod reply;
mod status;
mod token;
mod unlock;

use std::sync::Arc;

use broker_ipc::api::{Prompts, TokenRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::text::clean;
use http::{Method, Request, Response};
use hyper::body::Incoming;

pub(crate) use self::plain::{Answer, answer as answer_plain};
use self::reply::Reply;
pub use self::reply::ReplyBody;
use crate::acquire::Goal;
use crate::audit::{Client, Inquiry};
use crate::broker::Broker;
use crate::server::State;

/// Every path and its methods, sorted. `docs/openapi.yaml` has the same; a test compares them.
pub const ROUTES: &[(&str, &[&str])] = &[
    ("/v1/accounts", &["GET"]),
    ("/v1/accounts/{id}", &["DELETE"]),
    ("/v1/client-secrets/{profile}", &["DELETE", "PUT"]),
    ("/v1/doctor", &["GET"]),
    ("/v1/events", &["GET"]),
    ("/v1/login", &["POST"]),
    ("/v1/probe", &["POST"]),
    ("/v1/prompts", &["GET"]),
    ("/v1/prompts/{id}", &["DELETE"]),
    ("/v1/reload", &["POST"]),
    ("/v1/status", &["GET"]),
    ("/v1/store/unlock", &["POST"]),
    ("/v1/token", &["POST"]),
];

/// Most characters of an unknown field's name that an error repeats.
const LONGEST_NAME: usize = 100;

/// Answers one request. Dropping the future leaves whatever it waits for.
pub async fn handle(
    broker: &Arc<Broker>,
    client: &Arc<Client>,
    state: &Arc<State>,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let reply = match guard::admit(request, state).await {
        Ok(body) => route(broker, client, &method, &path, &body).await.unwrap_or_else(|refusal| Reply::error(&refusal)),
        Err(refusal) => {
            if path == "/v1/token" {
                Inquiry::new(client, &TokenRequest::default()).refused(refusal.error);
            }
            Reply::error(&refusal).and_close()
        }
    };
    tracing::debug!(%method, path, status = reply.status(), pid = client.peer.pid, "request");
    reply.into_response(Arc::clone(state))
}

async fn route(
    broker: &Arc<Broker>,
    client: &Arc<Client>,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<Reply, ErrorBody> {
    client.check_path(path)?;
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or_default().split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["v1", "token"]) => token::token(broker, client, body, Goal::Token).await,
        ("POST", ["v1", "login"]) => token::token(broker, client, body, Goal::SignIn).await,
        ("GET", ["v1", "accounts"]) => accounts::list(broker).await,
        ("DELETE", ["v1", "accounts", id]) => accounts::sign_out(broker, id).await,
        ("PUT", ["v1", "client-secrets", profile]) => client_secrets::put(broker, profile, body).await,
        ("DELETE", ["v1", "client-secrets", profile]) => client_secrets::delete(broker, profile).await,
        ("GET", ["v1", "prompts"]) => {
            Ok(Reply::json(&Prompts { prompts: broker.sign_ins.prompts(broker.clock.now()) }))
        }
        ("DELETE", ["v1", "prompts", id]) => cancel(broker, id),
        ("GET", ["v1", "events"]) => Ok(events::stream(broker)),
        ("GET", ["v1", "status"]) => Ok(Reply::json(&status::status(broker).await)),
        ("GET", ["v1", "doctor"]) => Ok(Reply::json(&doctor::doctor(broker).await)),
        ("POST", ["v1", "store", "unlock"]) => unlock::unlock(broker, body).await,
        ("POST", ["v1", "probe"]) => doctor::probe(broker, body).await,
        ("POST", ["v1", "reload"]) => {
            let Nothing {} = parse(body)?;
            broker.reload().map(|reloaded| Reply::json(&reloaded))
        }
        _ => Ok(nowhere(method, &segments)),
    }
}

fn cancel(broker: &Broker, id: &str) -> Result<Reply, ErrorBody> {
    if broker.sign_ins.cancel(id) {
        return Ok(Reply::no_content());
    }
    Err(ErrorBody::new(ErrorCode::NotFound, "there is no such prompt").with_hint("see: brokerctl prompts"))
}

/// Whether it is the path or the method that does not exist.
fn nowhere(method: &Method, segments: &[&str]) -> Reply {
    let is_here = |pattern: &str| {
        let pattern: Vec<&str> = pattern[1..].split('/').collect();
        pattern.len() == segments.len()
            && pattern.iter().zip(segments).all(|(part, segment)| part.starts_with('{') || part == segment)
    };
    match ROUTES.iter().find(|(pattern, _)| is_here(pattern)) {
        Some((pattern, methods)) => Reply::error(
            &ErrorBody::new(ErrorCode::MethodNotAllowed, format!("{method} is not for {pattern}"))
                .with_hint(format!("use {}", methods.join(" or "))),
        )
        .and_allow(methods),
        None => Reply::error(
            &ErrorBody::new(ErrorCode::NotFound, "there is no such path").with_hint("docs/PROTOCOL.md has every path"),
        ),
    }
}

/// A request that asks for nothing in particular, so far.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads a request's body; an empty one asks for nothing in particular.
fn parse<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ErrorBody> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    // serde takes an array for a struct as well, its fields in order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "the body is not a JSON object")
            .with_hint("docs/PROTOCOL.md has every field"));
    }
    serde_json::from_slice(body).map_err(|error| {
        if let Some(name) = unknown_field(&error.to_string()) {
            let what = format!("this brokerd does not know it: unknown field `{name}`");
            return ErrorBody::new(ErrorCode::UnsupportedField, what)
                .with_hint("restart brokerd if it has been updated, or leave the field out");
        }
        // Other texts may quote a value, and a value may be a secret.
        let (line, column) = (error.line(), error.column());
        let what = if error.is_data() { "a field has the wrong type" } else { "the body is not JSON" };
        ErrorBody::new(ErrorCode::BadRequest, format!("{what}, at line {line} column {column}"))
            .with_hint("docs/PROTOCOL.md has every field")
    })
}

/// The name in serde's text for a field that `deny_unknown_fields` met: fit to be shown, whatever was sent.
fn unknown_field(text: &str) -> Option<String> {
    let name = text.strip_prefix("unknown field `")?;
    let end = name.rfind("`, expected ").max(name.rfind("`, there are no fields"))?;
    Some(clean(&name[..end]).chars().take(LONGEST_NAME).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(ROUTES.is_sorted());
    }

    #[test]
    fn an_unknown_field_is_refused_by_name_and_values_are_not_quoted() {
        let refuse = |body: &str| parse::<TokenRequest>(body.as_bytes()).unwrap_err();
        let reload = |body: &str| parse::<Nothing>(body.as_bytes()).map(drop);
        let error = refuse(r#"{"profil": "work"}"#);
        assert_eq!(error.error, ErrorCode::UnsupportedField);
        assert!(error.error_description.contains("`profil`"), "{error}");
        for (name, shown) in [
            ("a, b".to_owned(), "`a, b`".to_owned()),
            ("a`, expected `b".into(), "`a`, expected `b`".into()),
            ("a\\u001b[31m\\nb".into(), "`a [31m b`".into()),
            ("é".repeat(30_000), format!("`{}`", "é".repeat(100))),
        ] {
            for error in [refuse(&format!(r#"{{"{name}": 1}}"#)), reload(&format!(r#"{{"{name}": 1}}"#)).unwrap_err()] {
                assert_eq!(error.error, ErrorCode::UnsupportedField);
                assert!(error.error_description.ends_with(&format!("unknown field {shown}")), "{error}");
            }
        }
        for body in ["{} {}", "[]", "null", "reload"] {
            assert_eq!(reload(body).map_err(|error| error.error), Err(ErrorCode::BadRequest), "{body}");
        }
        for body in ["", " ", "{}"] {
            assert_eq!(reload(body), Ok(()), "{body:?}");
        }
        for body in [r#"{"timeout": "hunter2"}"#, r#"{"interaction": "hunter2"}"#, "{hunter2", "[1]", "[]"] {
            let error = refuse(body);
            assert_eq!(error.error, ErrorCode::BadRequest);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert_eq!(parse::<TokenRequest>(b" \n").unwrap(), TokenRequest::default());
    }
}
