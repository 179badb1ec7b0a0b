//! A pipe, from either end.

use std::io::{self, Read, Write};
use std::time::Duration;

use broker_windows::pipe::Blocking;
#[cfg(feature = "tokio")]
pub(crate) use nonblocking::Pipe;

/// A client's pipe with its time limits.
#[derive(Debug)]
pub(crate) struct BlockingPipe {
    pipe: Blocking,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

#[expect(clippy::unnecessary_wraps, reason = "the signatures that sockets have")]
impl BlockingPipe {
    pub(super) fn set_recv_timeout(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.read_limit = limit;
        Ok(())
    }

    pub(super) fn set_send_timeout(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.write_limit = limit;
        Ok(())
    }
}

impl BlockingPipe {
    /// Returns the pipe itself, to be asked about.
    #[cfg(feature = "tokio")]
    pub(crate) fn pipe(&self) -> &Blocking {
        &self.pipe
    }
}

impl From<Blocking> for BlockingPipe {
    fn from(pipe: Blocking) -> Self {
        Self { pipe, read_limit: None, write_limit: None }
    }
}

impl Read for BlockingPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.pipe.read(buf, self.read_limit)
    }
}

impl Write for BlockingPipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.pipe.write(buf, self.write_limit)
    }

    /// Nothing is held back. Windows' own flush would wait until the other end has read everything.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "tokio")]
mod nonblocking {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer};

    /// Either end of a pipe. tokio's, not interprocess's: that one's flush, which hyper calls after each answer, occupies a thread until the
    /// other end has read everything, and so does dropping it.
    #[derive(Debug)]
    pub(crate) enum Pipe {
        Client(NamedPipeClient),
        Server(NamedPipeServer),
    }

    impl From<NamedPipeClient> for Pipe {
        fn from(pipe: NamedPipeClient) -> Self {
            Self::Client(pipe)
        }
    }

    impl From<NamedPipeServer> for Pipe {
        fn from(pipe: NamedPipeServer) -> Self {
            Self::Server(pipe)
        }
    }

    /// What both ends are.
    trait Duplex: AsyncRead + AsyncWrite + Unpin {}

    impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

    impl Pipe {
        fn end(&mut self) -> Pin<&mut dyn Duplex> {
            match self {
                Self::Client(pipe) => Pin::new(pipe),
                Self::Server(pipe) => Pin::new(pipe),
            }
        }
    }

    impl AsyncRead for Pipe {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            self.end().poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.end().poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.end().poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.end().poll_shutdown(cx)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.end().poll_write_vectored(cx, bufs)
        }

        fn is_write_vectored(&self) -> bool {
            match self {
                Self::Client(pipe) => pipe.is_write_vectored(),
                Self::Server(pipe) => pipe.is_write_vectored(),
            }
        }
    }
}
