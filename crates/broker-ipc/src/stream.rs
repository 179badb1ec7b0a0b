//! The connection itself: one type for async programs, one for those without a runtime.

#[cfg(windows)]
mod windows;

#[cfg(feature = "tokio")]
mod nonblocking {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    // Not interprocess's enum over all platforms: its `poll_shutdown` does nothing, so a half-close would be lost.
    #[cfg(unix)]
    type Inner = interprocess::os::unix::uds_local_socket::tokio::Stream;
    #[cfg(windows)]
    type Inner = super::windows::Pipe;

    /// A connection between a client and the daemon, for async programs. Dropping it closes it.
    #[derive(Debug)]
    pub struct Stream(pub(crate) Inner);

    impl AsyncRead for Stream {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Stream {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
        }

        fn is_write_vectored(&self) -> bool {
            self.0.is_write_vectored()
        }
    }
}

use std::io::{self, Read, Write};
use std::time::Duration;

#[cfg(unix)]
use interprocess::local_socket::traits::Stream as _;
#[cfg(feature = "tokio")]
pub use nonblocking::Stream;

#[cfg(unix)]
type BlockingInner = interprocess::os::unix::uds_local_socket::Stream;
#[cfg(windows)]
type BlockingInner = windows::BlockingPipe;

/// A connection to the daemon, for programs without a runtime. Dropping it closes it.
#[derive(Debug)]
pub struct BlockingStream(pub(crate) BlockingInner);

impl BlockingStream {
    /// Sets how long a read waits; `None` is for ever. A read that waited so long fails with `WouldBlock` or `TimedOut`.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_recv_timeout(timeout)
    }

    /// Sets how long a write waits; `None` is for ever.
    pub fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_send_timeout(timeout)
    }
}

impl Read for BlockingStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for BlockingStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
