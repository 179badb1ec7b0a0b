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

use super::names::Names;
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
    mut tcp: HttpConnector<Names>,
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What becomes of a CONNECT that is answered with these bytes, and what comes through the tunnel first.
    async fn answered(bytes: &'static [u8]) -> Result<u8, TunnelError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = HttpProxy::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = async {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            client.write_all(bytes).await.unwrap();
            // What comes now came through the tunnel: the client speaks first.
            if client.read_u8().await.is_ok() {
                client.write_all(b"!").await.unwrap();
            }
        };
        let client = async {
            let mut tcp = HttpConnector::new_with_resolver(Names::new());
            tcp.enforce_http(false);
            let mut stream = connect(proxy, tcp, Uri::from_static("https://as.example")).await?.into_inner();
            stream.write_all(b"?").await.unwrap();
            Ok(stream.read_u8().await.unwrap())
        };
        let (outcome, ()) = tokio::join!(client, server);
        outcome
    }

    /// They can only be the proxy's, and would be read as the provider's.
    #[tokio::test]
    async fn bytes_that_come_with_the_answer_to_connect_are_refused() {
        assert_eq!(answered(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap(), b'!');
        for bytes in [
            b"HTTP/1.1 200 Connection established\r\n\r\n\x15\x03\x03\x00\x02\x02\x28".as_slice(),
            b"HTTP/1.1 200 Connection established\r\n\r\nx",
        ] {
            let refused = answered(bytes).await.unwrap_err().to_string();
            assert!(
                refused.contains("127.0.0.1") && refused.contains("it spoke before the provider could"),
                "{refused}"
            );
        }
    }
}
