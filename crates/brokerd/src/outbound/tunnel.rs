//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6): TLS to the provider runs inside it, so the proxy sees a host name and
//! bytes.
//!
//! hyper-util has one too, which tells of a refusal only that there was one.

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::{Hint, innermost};
use crate::config::HttpProxy;

/// Why there is no tunnel. Always says which proxy.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelError {
    #[error("the proxy {proxy} cannot be reached: {why}")]
    Unreachable { proxy: String, why: String },
    #[error("the proxy {proxy} answered {} to CONNECT {destination}{}", status.as_u16(), remark(*status, *known))]
    Refused { proxy: String, destination: String, status: StatusCode, known: bool },
    #[error("the proxy {proxy} did not make the tunnel: {why}")]
    Broken { proxy: String, why: String },
}

fn remark(status: StatusCode, known: bool) -> &'static str {
    match (status, known) {
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, false) => ": it wants a user name and password",
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, true) => ": it does not accept the user name and password",
        (StatusCode::FORBIDDEN, _) => ": it does not let this through",
        (status, _) if status.is_server_error() => ": it does not reach the provider",
        _ => "",
    }
}

impl TunnelError {
    pub(super) fn hint(&self) -> Hint {
        match self {
            Self::Refused { status: StatusCode::PROXY_AUTHENTICATION_REQUIRED, .. } => {
                "write the proxy as http://user:password@host:port (HTTP Basic; brokerd knows no other way)"
            }
            Self::Refused { status: StatusCode::FORBIDDEN, .. } => {
                "ask the proxy's administrator to let the provider's host through, or set proxy = \"none\" in the profile"
            }
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Broken { .. } => {
                "check proxy in the profile, or the variables brokerd was started with; brokerctl doctor names them"
            }
        }
    }
}

/// Connects to the proxy and has it connect to the destination.
pub(super) async fn connect(
    proxy: HttpProxy,
    mut tcp: HttpConnector,
    destination: Uri,
) -> Result<TokioIo<TcpStream>, TunnelError> {
    let name = proxy.address();
    let unreachable = |why| TunnelError::Unreachable { proxy: name.clone(), why };
    let broken = |why| TunnelError::Broken { proxy: name.clone(), why };
    let stream = tcp.call(proxy.uri().clone()).await.map_err(|error| unreachable(innermost(&error)))?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| broken(innermost(&error)))?;
    let target = format!("{}:{}", destination.host().unwrap_or_default(), destination.port_u16().unwrap_or(443));
    let known = proxy.authorization().is_some();
    let request = request(&proxy, &target).map_err(|error| broken(error.to_string()))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| broken(innermost(&error)))?;
        let (proxy, status) = (name.clone(), response.status());
        if !status.is_success() {
            return Err(TunnelError::Refused { proxy, destination: target.clone(), status, known });
        }
        hyper::upgrade::on(response).await.map_err(|error| broken(innermost(&error)))
    };
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let mut exchange = std::pin::pin!(exchange);
    let upgraded = tokio::select! {
        biased;
        outcome = &mut exchange => outcome?,
        _ = &mut connection => exchange.await?,
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| broken("it is no connection any more".into()))?;
    // In TLS the client speaks first.
    if parts.read_buf.is_empty() { Ok(parts.io) } else { Err(broken("it spoke before the provider could".into())) }
}

fn request(proxy: &HttpProxy, target: &str) -> http::Result<Request<Empty<Bytes>>> {
    let mut builder = Request::builder().method(Method::CONNECT).uri(target).header(HOST, target);
    if let Some(authorization) = proxy.authorization() {
        builder = builder.header(PROXY_AUTHORIZATION, authorization);
    }
    builder.body(Empty::new())
}
