//! What hyper takes by itself: a server of it that answers each request from a buffer, as the C server does. brokerd's distance
//! to it is what brokerd adds.

use std::convert::Infallible;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

/// Serves the body of this answer until it is killed.
pub(crate) fn serve(socket: &Path, answer: &Path) -> anyhow::Result<()> {
    let answer = std::fs::read(answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_default();
    let body = Bytes::from(answer).slice(head + 4..);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let body = body.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let body = body.clone();
                async move {
                    drop(request.into_body().collect().await);
                    Ok::<_, Infallible>(Response::new(Full::new(body)))
                }
            });
            #[expect(clippy::disallowed_methods, reason = "nobody waits for it: it is killed")]
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}
