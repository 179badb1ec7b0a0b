//! Structured logs on stderr. `BROKERD_LOG` chooses what: `info` by default, or a filter such as `debug` or
//! `brokerd=trace,hyper=info`.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging for the process. A filter that cannot be read is told and left out.
pub fn start() {
    let filter = std::env::var("BROKERD_LOG").unwrap_or_default();
    let (filter, wrong) = match EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(&filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Unfailing(io::stderr()))
        .with_ansi(false)
        .with_target(true)
        .log_internal_errors(false)
        .init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "BROKERD_LOG cannot be read; logging at info");
    }
}

/// A log that cannot be written (a full disk, a terminal that closed) loses lines, and nothing else: a sign-in must not end
/// because nobody can be told of it.
struct Unfailing<W>(W);

impl<W: io::Write> io::Write for Unfailing<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        drop(self.0.write_all(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        drop(self.0.flush());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Full;

    impl io::Write for Full {
        fn write(&mut self, _line: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_full_disk_under_the_log_is_no_error() {
        let mut log = Unfailing(Full);
        assert_eq!(log.write(b"line").unwrap(), 4);
        log.flush().unwrap();
    }
}
