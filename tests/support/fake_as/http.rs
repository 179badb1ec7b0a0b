//! A request's way in and out: hyper, the log, faults, routing.
//!
//! A request that has arrived is served by a task of its own. A client that leaves does not undo what it asked for: at a
//! real server its refresh token is spent all the same.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{self, Instant};
use url::form_urlencoded;

use super::FakeAs;
use super::failure::Failure;
use super::fault::{Endpoint, Fault, Grant};
use super::journal::{Request, lookup};
use super::metadata::Route;
use super::page::Page;
use super::random;
use super::raw::Slot;
use super::state::{Call, Dialect, State};

/// An answer; none closes the connection.
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Serves a connection. In process nobody is told the `date`: the machine's clock is not the one of the test.
pub(super) async fn serve<I>(server: FakeAs, io: I, date: bool)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let dropped = server.with(|state| {
        state.connections.count += 1;
        state.connections.drop.clone()
    });
    let (server, slot) = (&server, Slot::default());
    let service = service_fn(|request| answer(server.clone(), slot.clone(), request));
    let mut connection =
        hyper::server::conn::http1::Builder::new().auto_date_header(date).serve_connection(TokioIo::new(io), service);
    tokio::select! {
        biased;
        // How a connection ends is the client's affair, unless something else than an answer shall go out.
        _ = &mut connection => {
            if let Some(raw) = slot.take() {
                drop(raw.send(connection.into_parts().io.into_inner()).await);
            }
        }
        () = dropped.cancelled() => {}
    }
}

async fn answer(server: FakeAs, slot: Slot, request: hyper::Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    let tasks = server.inner.tasks.clone();
    let date = server.with(|state| state.options.date.clone());
    let reply = tasks.spawn(handle(server, slot, parts, body)).await.map_err(io::Error::other)?;
    let reply = reply.ok_or_else(|| io::Error::other("scripted end of the connection"))?;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    if let Some(date) = date {
        response = response.header("date", date);
    }
    response.body(Full::from(reply.body)).map_err(io::Error::other)
}

/// Logs, applies the fault, serves, and logs the outcome.
async fn handle(server: FakeAs, slot: Slot, parts: Parts, body: Bytes) -> Option<Reply> {
    let (number, route, fault) = server.change(|state| state.receive(&parts, &body));
    let reply = respond(&server, slot, number, &route, fault).await;
    server.with(|state| state.log[number].ended = Some(Instant::now()));
    reply
}

async fn respond(server: &FakeAs, slot: Slot, number: usize, route: &Route, fault: Option<Fault>) -> Option<Reply> {
    let serve = || {
        server.change(|state| {
            let reply = state.serve(number, route, Instant::now());
            state.log[number].status = Some(reply.status);
            reply
        })
    };
    let scripted = |reply: Reply| {
        server.change(|state| state.log[number].status = Some(reply.status));
        Some(reply)
    };
    match fault {
        None => Some(serve()),
        Some(Fault::CloseConnection) => None,
        Some(Fault::Delay(delay)) => {
            time::sleep(delay).await;
            Some(serve())
        }
        Some(Fault::Hang) => {
            server.with(|state| state.log[number].hangs = true);
            match std::future::pending::<Infallible>().await {}
        }
        Some(Fault::HoldAnswer(gate)) => {
            let reply = serve();
            gate.pass().await;
            Some(reply)
        }
        Some(Fault::Html) => scripted(Reply::html(200, PORTAL.into())),
        Some(Fault::LoseAnswer) => {
            serve();
            None
        }
        Some(Fault::NotBefore(gate)) => {
            gate.pass().await;
            Some(serve())
        }
        Some(Fault::Oauth { error, description, mut extra }) => {
            let status = if error == "invalid_client" { 401 } else { 400 };
            extra.insert("error".into(), error.into());
            extra.insert("error_description".into(), description.into());
            scripted(Reply::json(status, &Value::Object(extra)))
        }
        Some(Fault::Raw(raw)) => {
            slot.put(raw);
            None
        }
        Some(Fault::SlowDown) => {
            server.with(|state| {
                let form = state.log[number].form.clone();
                state.slow_down(&form, Instant::now());
            });
            let (status, body) = Failure::SlowDown.oauth();
            scripted(Reply::json(status, &body))
        }
        Some(Fault::Status { code, body, content_type, mut headers }) => {
            headers.push(("content-type".into(), content_type));
            scripted(Reply { status: code, headers, body })
        }
    }
}

impl State {
    /// Logs a request; returns its place in the log, its route and the fault that waits for it.
    fn receive(&mut self, parts: &Parts, body: &[u8]) -> (usize, Arc<Route>, Option<Fault>) {
        let route = self.route(parts.uri.path());
        let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let request = Request {
            at: Instant::now(),
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            endpoint: route.endpoint(),
            grant_type: lookup(&form, "grant_type").map(ToOwned::to_owned),
            form,
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            status: None,
            hangs: false,
            ended: None,
        };
        let grant = Some(&request).filter(|request| request.endpoint == Endpoint::Token);
        let grant: Option<Grant> = grant.and_then(Request::grant);
        let fault = self.script.next(request.endpoint, grant);
        self.log.push(request);
        (self.log.len() - 1, Arc::new(route), fault)
    }

    fn serve(&mut self, number: usize, route: &Route, now: Instant) -> Reply {
        let request = self.log[number].clone();
        let post = request.method == Method::POST.as_str();
        match route {
            Route::Metadata if !post => Reply::json(200, &self.metadata()),
            Route::EntraMetadata { tenant } if !post => match self.tenant(tenant) {
                Ok(known) => Reply::json(200, &self.entra_metadata(tenant, &known)),
                Err(failure) => {
                    let (status, body) = failure.entra(&random::uuid());
                    Reply::json(status, &body)
                }
            },
            Route::EntraInstance if !post => {
                let (status, body) = self.instance_discovery(&request);
                Reply::json(status, &body)
            }
            Route::DevicePage if post => self.device_page_decision(&request.form, now).into(),
            Route::DevicePage => self.device_page(&request, now).into(),
            Route::DeviceAuthorization { tenant } if post => {
                self.call(&request, tenant.as_deref(), now, Self::authorize_device)
            }
            Route::Token { tenant } if post => self.call(&request, tenant.as_deref(), now, Self::token),
            Route::Revocation if post => self.call(&request, None, now, Self::revoke_token),
            Route::Userinfo => {
                let (status, body) = self.userinfo(&request, now);
                Reply::json(status, &body)
            }
            Route::Unknown => Reply::text(404, "not found\n"),
            _ => Reply::text(405, "method not allowed\n"),
        }
    }

    /// Serves an endpoint that takes a form and answers in JSON, in the dialect of its path.
    fn call(
        &mut self,
        request: &Request,
        tenant: Option<&str>,
        now: Instant,
        serve: fn(&mut Self, &Call<'_>) -> Result<Value, Failure>,
    ) -> Reply {
        let correlation_id = self.correlation_id(request);
        let dialect = tenant.map_or(Ok(Dialect::OAuth), |name| self.tenant(name).map(Dialect::Entra));
        let answer = dialect.and_then(|dialect| {
            check_form(request)?;
            self.quirk_check(request)?;
            let client_id = self.authenticate(request, &dialect)?;
            let call = Call {
                now,
                dialect: &dialect,
                client_id: &client_id,
                form: &request.form,
                scope: self.scope_asked(&request.form),
                correlation_id: &correlation_id,
            };
            serve(self, &call)
        });
        match (answer, tenant) {
            (Ok(Value::Null), _) => Reply::text(200, ""),
            (Ok(body), Some(_)) => Reply::json(200, &body),
            (Ok(body), None) => Reply::worded(self.reword(request, 200, body)),
            (Err(failure), None) => {
                let (status, body) = failure.oauth();
                Reply::worded(self.reword(request, status, body))
            }
            (Err(failure), Some(_)) => {
                let (status, body) = failure.entra(&correlation_id);
                Reply::json(status, &body)
            }
        }
    }

    /// Returns the id of a sign-in's first request for its polls, else the request's own, else a new one.
    fn correlation_id(&self, request: &Request) -> String {
        let device = request.field("device_code").and_then(|code| self.devices.get(code));
        device
            .map(|device| device.correlation_id.clone())
            .or_else(|| request.header("client-request-id").map(ToOwned::to_owned))
            .unwrap_or_else(random::uuid)
    }
}

/// RFC 6749 §3.2: a form, and no parameter twice. `resource` may repeat (RFC 8707 §2).
fn check_form(request: &Request) -> Result<(), Failure> {
    let content_type = request.header("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Failure::InvalidRequest(format!("not a form: {content_type:?}")));
    }
    for (index, (name, _)) in request.form.iter().enumerate() {
        if name != "resource" && request.form[..index].iter().any(|(other, _)| other == name) {
            return Err(Failure::InvalidRequest(format!("parameter {name} twice")));
        }
    }
    Ok(())
}

impl Route {
    fn endpoint(&self) -> Endpoint {
        match self {
            Self::DeviceAuthorization { .. } => Endpoint::DeviceAuthorization,
            Self::DevicePage => Endpoint::DevicePage,
            Self::EntraInstance | Self::EntraMetadata { .. } | Self::Metadata => Endpoint::Discovery,
            Self::Revocation => Endpoint::Revocation,
            Self::Token { .. } => Endpoint::Token,
            Self::Userinfo => Endpoint::Userinfo,
            Self::Unknown => Endpoint::Unknown,
        }
    }
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    fn worded((status, content_type, body): (u16, &str, String)) -> Self {
        Self::new(status, content_type, body)
    }

    fn html(status: u16, body: String) -> Self {
        let mut reply = Self::new(status, "text/html; charset=utf-8", body);
        let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";
        reply.headers.push(("content-security-policy".into(), policy.into()));
        reply
    }

    fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    fn new(status: u16, content_type: &str, body: String) -> Self {
        let headers = vec![
            ("content-type".into(), content_type.into()),
            // RFC 6749 §5.1
            ("cache-control".into(), "no-store".into()),
        ];
        Self { status, headers, body }
    }
}

impl From<Page> for Reply {
    fn from(page: Page) -> Self {
        Self::html(page.status, page.html)
    }
}

/// Largest request body; nothing an OAuth client sends comes near it.
const MAX_BODY: usize = 256 * 1024;

const PORTAL: &str = "<!doctype html><title>Welcome</title><h1>Airport Wi-Fi</h1><p>Accept our terms to go on.</p>\n";
