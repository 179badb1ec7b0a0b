//! A connection at rest, and the requests that do not wake it.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use broker_ipc::wipe::wipe;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Sleep;
use zeroize::Zeroizing;

use super::Served;
use crate::localapi::{self, Answer};

/// What is read of a request at rest: all of it, as a rule.
const FIRST_BYTES: usize = 1024;

/// What ends a rest.
enum End {
    /// A request that is hyper's to read has begun so.
    Begun(Zeroizing<Vec<u8>>),
    /// An answer could not be sent at once, or is the last one.
    Answered(Answer),
    /// The client has left, or must.
    Left,
}

impl Served {
    /// Rests, answering plain requests. Returns the first bytes of one that is not plain; nothing when the connection ends.
    pub(super) async fn rest<S>(&self, stream: &mut S) -> Option<Zeroizing<Vec<u8>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let mut idle = pin!(tokio::time::sleep_until(self.state.idle_since()? + self.limits.idle));
            let (mut close, mut stop) = (pin!(self.close.cancelled()), pin!(self.broker.stop.cancelled()));
            let end = std::future::poll_fn(|cx| {
                if close.as_mut().poll(cx).is_ready() || stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(End::Left);
                }
                if let Poll::Ready(end) = self.poll_requests(stream, cx) {
                    return Poll::Ready(end);
                }
                self.poll_idle(idle.as_mut(), cx)
            })
            .await;
            match end {
                End::Begun(bytes) => return Some(bytes),
                End::Answered(answer) => self.finish(stream, answer).await?,
                End::Left => return None,
            }
        }
    }

    /// Answers plain requests until none is there.
    fn poll_requests<S>(&self, stream: &mut S, cx: &mut Context<'_>) -> Poll<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            // Not beyond this poll: who is at rest needs no buffer.
            let mut buffer = [0; FIRST_BYTES];
            let mut read = ReadBuf::new(&mut buffer);
            let outcome = std::task::ready!(Pin::new(&mut *stream).poll_read(cx, &mut read));
            if outcome.is_err() || read.filled().is_empty() {
                return Poll::Ready(End::Left);
            }
            // Who has sent more, or its end, has left the request behind: hyper sees it again. So does one that fills the buffer.
            let alone = Pin::new(&mut *stream).poll_read(cx, &mut read).is_pending();
            let length = read.filled().len();
            let answer = alone.then(|| localapi::answer_plain(&self.broker, &self.client, &buffer[..length])).flatten();
            let begun = Zeroizing::new(if answer.is_none() { buffer[..length].to_vec() } else { Vec::new() });
            wipe(&mut buffer[..length]);
            let Some(mut answer) = answer else {
                return Poll::Ready(if self.state.received(&begun) { End::Begun(begun) } else { End::Left });
            };
            self.state.end_serving();
            match Pin::new(&mut *stream).poll_write(cx, answer.unsent()) {
                Poll::Ready(Ok(count)) => answer.sent(count),
                Poll::Ready(Err(_)) => return Poll::Ready(End::Left),
                Poll::Pending => {}
            }
            if answer.close || !answer.unsent().is_empty() {
                return Poll::Ready(End::Answered(answer));
            }
        }
    }

    /// Waits until the client has been idle for too long. Requests move that away; the timer is set anew only when it has
    /// come, for that costs more than the rest of a request's bookkeeping.
    fn poll_idle(&self, mut idle: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            std::task::ready!(idle.as_mut().poll(cx));
            match self.state.idle_since() {
                Some(since) if since + self.limits.idle > idle.deadline() => {
                    idle.as_mut().reset(since + self.limits.idle);
                }
                _ => return Poll::Ready(End::Left),
            }
        }
    }

    /// Sends what is left of an answer, within the time that a client may be idle. `None`: the connection ends.
    async fn finish<S: AsyncWrite + Unpin>(&self, stream: &mut S, answer: Answer) -> Option<()> {
        let sending = async {
            stream.write_all(answer.unsent()).await?;
            if answer.close { stream.shutdown().await } else { stream.flush().await }
        };
        tokio::select! {
            biased;
            () = self.close.cancelled() => None,
            sent = tokio::time::timeout(self.limits.idle, sending) => match sent {
                Ok(Ok(())) if !answer.close => Some(()),
                _ => None,
            },
        }
    }
}
