//! Lines on stderr, where a write can be asked whether it would wait. `handed` is for where it cannot.

use std::io;
use std::os::fd::AsFd;
use std::sync::LazyLock;

use super::patience::Patience;

/// What a pipe takes whole or not at all, and without waiting once it is ready (`PIPE_BUF`, at its smallest).
const PIECE: usize = 512;

static PATIENCE: Patience = Patience::new();
/// Whether it is no file, and a write may wait for somebody who reads.
static WAITS: LazyLock<bool> = LazyLock::new(|| {
    let found = rustix::fs::fstat(io::stderr());
    !found.is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file())
});

/// Returns a writer for one line.
pub(super) fn line() -> Unfailing<'static, io::Stderr> {
    Unfailing { sink: io::stderr(), patience: &PATIENCE, waits: *WAITS }
}

/// A log that cannot be written (a full disk, a terminal that closed, a pipe that nobody reads) loses lines, and nothing else:
/// a sign-in must not end, nor a caller wait, because nobody can be told of it.
pub(super) struct Unfailing<'a, W> {
    sink: W,
    patience: &'a Patience,
    waits: bool,
}

impl<W: io::Write + AsFd> io::Write for Unfailing<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.waits {
            drop(self.sink.write_all(line));
            return Ok(line.len());
        }
        for piece in line.chunks(PIECE) {
            let room = self.patience.has_room(|wait| super::patience::takes_a_write(&self.sink, wait));
            if !room || self.sink.write_all(piece).is_err() {
                break;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        drop(self.sink.flush());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_full_disk_under_the_log_is_no_error() {
        for waits in [false, true] {
            let sink = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let mut log = Unfailing { sink, patience: &Patience::new(), waits };
            assert_eq!(log.write(b"line").unwrap(), 4);
            log.flush().unwrap();
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_nobody_and_is_written_again_once_read() {
        let (mut reader, sink) = std::io::pipe().unwrap();
        let patience = Patience::new();
        let mut log = Unfailing { sink, patience: &patience, waits: true };
        let line = [b'x'; 1000];
        // Ten times what a pipe holds; a writer that waits would be here for ever.
        for _ in 0..1000 {
            assert_eq!(log.write(&line).unwrap(), line.len());
        }
        let mut held = vec![0; 65_536];
        let held = reader.read(&mut held).unwrap();
        assert!(held > 4096, "{held}");
        assert_eq!(log.write(b"again\n").unwrap(), 6);
        drop(log);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"again\n"));
    }

    #[test]
    fn a_line_longer_than_a_piece_arrives_whole() {
        let (mut reader, sink) = std::io::pipe().unwrap();
        let mut log = Unfailing { sink, patience: &Patience::new(), waits: true };
        let line: Vec<u8> = (0..5000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        log.write_all(&line).unwrap();
        drop(log);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, line);
    }
}
