//! Answers that no HTTP library would send: bytes, floods, drips, and silence.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time;

/// What goes out in an answer's place, piece by piece; after the last one the connection ends.
#[derive(Clone, Debug, Default)]
pub struct Raw(pub Vec<Piece>);

/// A piece of it.
#[derive(Clone, Debug)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes so many times, as fast as they are read.
    Flood(Vec<u8>, usize),
    /// These bytes so many times, with a pause after each.
    Drip(Vec<u8>, usize, Duration),
    /// Nothing more, ever, and no end either.
    Silence,
}

impl Raw {
    /// One piece of text, then the end.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self(vec![Piece::Bytes(text.as_ref().to_vec())])
    }

    /// The same, and one more piece.
    #[must_use]
    pub fn then(mut self, piece: Piece) -> Self {
        self.0.push(piece);
        self
    }

    /// Sends all of it, or as much as the other end takes.
    pub(super) async fn send(self, mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        for piece in self.0 {
            match piece {
                Piece::Bytes(bytes) => io.write_all(&bytes).await?,
                Piece::Flood(bytes, times) => {
                    for _ in 0..times {
                        io.write_all(&bytes).await?;
                    }
                }
                Piece::Drip(bytes, times, pause) => {
                    for _ in 0..times {
                        io.write_all(&bytes).await?;
                        time::sleep(pause).await;
                    }
                }
                // A client that has had enough closes; whatever else it sends is read away.
                Piece::Silence => {
                    tokio::io::copy(&mut io, &mut tokio::io::sink()).await?;
                }
            }
        }
        io.shutdown().await
    }
}

/// Where a handler leaves what its connection shall send.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Raw>>>);

impl Slot {
    pub(super) fn put(&self, raw: Raw) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(raw);
    }

    pub(super) fn take(&self) -> Option<Raw> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
