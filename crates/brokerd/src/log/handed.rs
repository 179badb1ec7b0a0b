//! Writing by a thread of its own, where nothing says whether a write would wait: Windows has no poll(2) for stderr.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
#[cfg(not(unix))]
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use super::patience::Patience;

/// A sink whose lines another thread writes, one at a time; while it is at one for longer than a moment, lines are lost.
///
/// A line is waited for, for that moment: what is logged last is written when the process ends.
pub(super) struct Handed {
    lines: SyncSender<Vec<u8>>,
    written: Receiver<()>,
    /// Whether a line is with the other thread.
    busy: bool,
    patience: Patience,
}

impl Handed {
    /// Starts the thread, which ends with this.
    pub(super) fn start(mut sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, to_write) = sync_channel::<Vec<u8>>(1);
        let (done, written) = sync_channel(1);
        std::thread::Builder::new().name("log".into()).spawn(move || {
            for line in to_write {
                // A full disk, or nobody there: the line is lost.
                drop(sink.write_all(&line));
                if done.send(()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { lines, written, busy: false, patience: Patience::new() })
    }

    pub(super) fn write(&mut self, line: &[u8]) {
        if self.settles() && self.lines.try_send(line.to_vec()).is_ok() {
            self.busy = true;
            self.settles();
        }
    }

    /// Returns whether the last line has been written; waits a moment for it, but not for a reader that had stopped before.
    fn settles(&mut self) -> bool {
        let (busy, written) = (&mut self.busy, &self.written);
        self.patience.has_room(|wait| {
            *busy = *busy && written.recv_timeout(Duration::from_millis(wait.into())).is_err();
            !*busy
        })
    }
}

#[cfg(not(unix))]
static STDERR: LazyLock<Option<Mutex<Handed>>> = LazyLock::new(|| Handed::start(io::stderr()).ok().map(Mutex::new));

/// Returns a writer for one line to stderr.
#[cfg(not(unix))]
pub(super) fn line() -> Line {
    Line
}

/// A log that cannot be written loses lines, and nothing else.
#[cfg(not(unix))]
pub(super) struct Line;

#[cfg(not(unix))]
impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &*STDERR {
            Some(handed) => handed.lock().unwrap_or_else(PoisonError::into_inner).write(line),
            // There is no thread to be had, and most likely no daemon for long.
            None => drop(io::stderr().write_all(line)),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_nobody_and_is_written_again_once_read() {
        let (mut reader, sink) = std::io::pipe().unwrap();
        let mut log = Handed::start(sink).unwrap();
        let line = [b'x'; 1000];
        // Ten times what a pipe holds; a writer that waits would be here for ever.
        for _ in 0..1000 {
            log.write(&line);
        }
        assert!(log.busy);
        let mut held = vec![0; 65_536];
        let held = reader.read(&mut held).unwrap();
        assert!(held >= 1000, "{held}");
        // Whoever had stopped is not waited for, so it takes a line or two until it is seen to read again.
        while !log.settles() {
            std::thread::yield_now();
        }
        log.write(b"again\n");
        drop(log);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"again\n"));
    }

    #[test]
    fn a_line_is_there_when_it_was_written() {
        let (mut reader, sink) = std::io::pipe().unwrap();
        let mut log = Handed::start(sink).unwrap();
        log.write(b"one\n");
        log.write(b"two\n");
        let mut read = [0; 8];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"one\ntwo\n");
        assert!(!log.busy);
    }
}
