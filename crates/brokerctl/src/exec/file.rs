//! A file with a token in it, kept fresh while a command runs, gone with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Source;
use crate::helper::{Credential, replace};

/// How often the clock is looked at: a machine that was asleep finds its token old.
const TICK: Duration = Duration::from_secs(15);

/// The file; dropped, it and its directory are removed.
pub(super) struct TokenFile {
    directory: PathBuf,
    file: PathBuf,
    /// Dropped, it ends the thread.
    end: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl TokenFile {
    /// Writes the first token, and goes on by itself.
    pub(super) fn start(source: Source, first: &Credential) -> io::Result<Self> {
        let directory = private_directory()?;
        let file = directory.join("token");
        let (end, ended) = channel();
        let mut kept = Self { directory, file: file.clone(), end: Some(end), keeper: None };
        replace(&file, first.token().as_bytes())?;
        if let Some(expires_on) = first.expires_on() {
            let now = now();
            let next = now + wait(expires_on - now, source.min_validity());
            kept.keeper = Some(std::thread::spawn(move || keep(&source, &file, &ended, next)));
        }
        Ok(kept)
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        drop(self.end.take());
        // It may be asking; what it would write then goes with the directory, or finds none.
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// Asks for a token whenever it is time, and writes the one that comes.
fn keep(source: &Source, file: &Path, ended: &Receiver<()>, mut next: i64) {
    loop {
        let left = u64::try_from(next - now()).unwrap_or_default();
        match ended.recv_timeout(TICK.min(Duration::from_secs(left.max(1)))) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return,
        }
        let now = now();
        if now < next {
            continue;
        }
        // One that does not come is asked for again; the command has the old one meanwhile.
        let token = source.token(Vec::new()).ok().filter(|token| replace(file, token.token().as_bytes()).is_ok());
        let ends = token.and_then(|token| token.expires_on());
        next = now + ends.map_or(TICK.as_secs().cast_signed(), |ends| wait(ends - now, source.min_validity()));
    }
}

/// Seconds until a token is asked for again that lives for so long: brokerd has another one in its last fifth, and before
/// its last five minutes; or, where it is to live longer than that, as soon as it does not.
fn wait(left: i64, min_validity: i64) -> i64 {
    let usual = (left * 4 / 5).min(left - 330).max(left / 2);
    let early = if (1..left).contains(&min_validity) { left - min_validity + 1 } else { usual };
    usual.min(early).max(1)
}

fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a token's end is wall time, and there is no clock to be paused here"
    )]
    jiff::Timestamp::now().as_second()
}

/// A directory of our own, where what lives as long as the session is kept.
fn private_directory() -> io::Result<PathBuf> {
    let runtime =
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir());
    let directory =
        runtime.unwrap_or_else(std::env::temp_dir).join(format!("brokerctl-{}", super::endpoint::secret()?));
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&directory)?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        for (left, waits) in [(3600, 2880), (900, 570), (300, 150), (10, 5), (1, 1), (0, 1), (-5, 1)] {
            assert_eq!(wait(left, 0), waits, "{left}");
        }
    }

    #[test]
    fn a_token_is_renewed_when_it_lives_for_less_than_is_wanted() {
        for (left, min_validity, waits) in
            [(3600, 1800, 1801), (3600, 60, 2880), (3600, 3599, 2), (3600, 3600, 2880), (3600, 7200, 2880)]
        {
            assert_eq!(wait(left, min_validity), waits, "{left}, {min_validity}");
        }
    }
}
