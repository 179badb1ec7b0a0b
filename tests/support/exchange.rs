//! One HTTP/1.1 request and its whole answer, over any pipe: TCP, a Unix socket, an in-memory duplex.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Sends a request and collects the answer: its status and its body.
pub async fn exchange<I>(io: I, request: Request<Full<Bytes>>) -> io::Result<(u16, String)>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(io)).await.map_err(io::Error::other)?;
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    });
    tokio::select! {
        answer = &mut answer => answer,
        // A connection may end once it has handed the answer over.
        _ = connection => answer.await,
    }
}

/// Makes a request with a form, as OAuth endpoints and the verification page take it.
pub fn form(host: &str, path: &str, fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(fields).finish();
    Request::post(path)
        .header("host", host)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.into())
        .expect("a path without surprises")
}

/// Makes a request without a body.
pub fn get(host: &str, path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", host).body(Full::default()).expect("a path without surprises")
}
