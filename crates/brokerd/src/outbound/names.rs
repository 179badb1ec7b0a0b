//! Names and their addresses: the platform's, but for the one name that is let off https because it is this machine.

use std::future::{Future, ready};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Asks `R` for every name but `localhost`, which is this machine whatever a name server says (RFC 6761 §6.3): codes and tokens
/// go there without TLS.
#[derive(Clone)]
pub(super) struct Names<R = GaiResolver>(R);

impl Names {
    /// The platform's.
    pub(super) fn new() -> Self {
        Self(GaiResolver::new())
    }
}

impl<R> Service<Name> for Names<R>
where
    R: Service<Name, Error = io::Error, Response: Iterator<Item = SocketAddr>, Future: Send + 'static>,
{
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if name.as_str().eq_ignore_ascii_case("localhost") {
            // Who connects sets the port, and goes on to the second where the first is not there.
            let here = vec![SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), (Ipv4Addr::LOCALHOST, 0).into()];
            return Box::pin(ready(Ok(here.into_iter())));
        }
        let asked = self.0.call(name);
        Box::pin(async move { Ok(asked.await?.collect::<Vec<_>>().into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use super::*;

    /// A name server that sends everybody to one machine.
    #[derive(Clone)]
    struct Liar;

    const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

    impl Service<Name> for Liar {
        type Response = std::iter::Once<SocketAddr>;
        type Error = io::Error;
        type Future = Ready<io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            ready(Ok(std::iter::once((ELSEWHERE, 0).into())))
        }
    }

    #[tokio::test]
    async fn localhost_is_this_machine_whatever_a_name_server_says() {
        for (name, is_here) in
            [("localhost", true), ("LocalHost", true), ("localhost.example.com", false), ("as", false)]
        {
            let found: Vec<_> = Names(Liar).call(name.parse().unwrap()).await.unwrap().collect();
            assert!(!found.is_empty() && found.iter().all(|at| at.ip().is_loopback() == is_here), "{name}: {found:?}");
        }
    }
}
