//! Events in the journal, their fields as fields: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
//!
//! `journalctl --user -u brokerd BROKERD_PROFILE=work` finds what `BROKERD_LOG` let through. The message carries the fields as
//! well, for whoever reads lines.

use std::fmt::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, io};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::patience::{Patience, takes_a_write};

const JOURNAL: &str = "/run/systemd/journal/socket";
/// Before the name of a field of ours, so that none is taken for one of the journal's own.
const PREFIX: &str = "BROKERD_";
/// Most bytes of one value: a datagram has its limit, and a line that is refused says nothing at all.
const LONGEST_VALUE: usize = 8 * 1024;

/// Whether stderr is the journal's: `JOURNAL_STREAM` names its device and inode. Somebody may have sent it elsewhere since.
pub(super) fn is_stderr() -> bool {
    let Ok(facts) = rustix::fs::fstat(io::stderr()) else { return false };
    let ours = format!("{}:{}", facts.st_dev, facts.st_ino);
    env::var("JOURNAL_STREAM").is_ok_and(|stream| stream == ours)
}

/// Sends events to the journal. An event that the journal does not take at once is lost: nothing waits for a log. How many
/// were is said as soon as it takes one again.
pub(super) struct Journal {
    path: PathBuf,
    wire: Mutex<Wire>,
    patience: Patience,
}

struct Wire {
    socket: UnixDatagram,
    /// Events since the journal was last told of some.
    lost: u64,
}

impl Journal {
    /// The system's journal.
    ///
    /// # Errors
    /// When none listens.
    pub(super) fn open() -> io::Result<Self> {
        Self::at(Path::new(JOURNAL))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let wire = Wire { socket: connect(path)?, lost: 0 };
        Ok(Self { path: path.to_owned(), wire: Mutex::new(wire), patience: Patience::new() })
    }

    fn send(&self, entry: &[u8]) {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.patience.has_room(|wait| takes_a_write(wire.socket.as_fd(), wait)) || !wire.sends(entry, &self.path) {
            wire.lost += 1;
            return;
        }
        let lost = std::mem::take(&mut wire.lost);
        if lost > 0 && !wire.sends(&loss(lost), &self.path) {
            wire.lost = lost;
        }
    }
}

impl Wire {
    /// Whether the journal has taken it.
    fn sends(&mut self, entry: &[u8], path: &Path) -> bool {
        let Err(error) = self.socket.send(entry) else { return true };
        // A journal that was started again on another socket.
        let is_another = matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotConnected);
        let Some(again) = is_another.then(|| connect(path).ok()).flatten() else { return false };
        let taken = again.send(entry).is_ok();
        self.socket = again;
        taken
    }
}

/// That so many events before the last one are not in the journal.
fn loss(events: u64) -> Vec<u8> {
    let mut entry = Vec::new();
    put(&mut entry, "MESSAGE", &format!("the journal did not take some lines of this log lost={events}"));
    put(&mut entry, "PRIORITY", priority(Level::WARN));
    put(&mut entry, "SYSLOG_IDENTIFIER", "brokerd");
    put(&mut entry, "TARGET", module_path!());
    put(&mut entry, &name("lost"), &events.to_string());
    entry
}

/// Connected, so that polling it tells whether the journal has room.
fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        self.send(&entry(event));
    }
}

/// An event as the journal reads it.
fn entry(event: &Event<'_>) -> Vec<u8> {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { message, rest, mut entry } = fields;
    let metadata = event.metadata();
    put(&mut entry, "MESSAGE", &(message + &rest));
    put(&mut entry, "PRIORITY", priority(*metadata.level()));
    put(&mut entry, "SYSLOG_IDENTIFIER", "brokerd");
    put(&mut entry, "TARGET", metadata.target());
    if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
        put(&mut entry, "CODE_FILE", file);
        put(&mut entry, "CODE_LINE", &line.to_string());
    }
    entry
}

/// `syslog(3)`'s numbers. What `info` says is informational to an operator: nothing that would want attention.
const fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    /// The other fields, as they follow the message.
    rest: String,
    entry: Vec<u8>,
}

impl Fields {
    /// A field: for programs exactly as it is, and as a line shows it.
    fn add(&mut self, field: &Field, value: &str, shown: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
            return;
        }
        // Writing to a `String` cannot fail.
        let _ = write!(self.rest, " {}={shown}", field.name());
        put(&mut self.entry, &name(field.name()), value);
    }
}

impl Visit for Fields {
    /// Quoted, as on stderr: a text may be a caller's, and would otherwise add fields and lines of its own to the message.
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value, &format!("{value:?}"));
    }

    /// What prints itself has at least no line of its own.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        self.add(field, &value, &in_a_line(&value));
    }
}

/// A text with its control characters escaped.
fn in_a_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    shown
}

/// The journal takes capitals, digits and underscores.
fn name(field: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(field.chars().map(fit)).collect()
}

/// Adds an assignment, in the one of the two forms that takes any value.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    let end = (0..=value.len().min(LONGEST_VALUE)).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    let value = &value[..end];
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn journal() -> (tempfile::TempDir, UnixDatagram, Journal) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let journal = Journal::at(&path).unwrap();
        (directory, socket, journal)
    }

    /// The journal's side, written from the protocol's page.
    fn read(socket: &UnixDatagram) -> BTreeMap<String, String> {
        let mut datagram = vec![0; 256 * 1024];
        let length = socket.recv(&mut datagram).unwrap();
        let mut rest = &datagram[..length];
        let mut fields = BTreeMap::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let name = std::str::from_utf8(&rest[..end]).unwrap().to_owned();
            let (size, after) = rest[end + 1..].split_at(8);
            let size = usize::try_from(u64::from_le_bytes(size.try_into().unwrap())).unwrap();
            fields.insert(name, String::from_utf8(after[..size].to_vec()).unwrap());
            assert_eq!(after[size], b'\n');
            rest = &after[size + 1..];
        }
        fields
    }

    #[test]
    fn an_event_is_fields_and_a_line_for_people() {
        let (_directory, socket, journal) = journal();
        let subscriber = tracing_subscriber::registry().with(journal);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(profile = "work", error = "two\nlines\nPRIORITY=0", left.over = 3, "refused");
        });
        let fields = read(&socket);
        assert_eq!(fields["MESSAGE"], r#"refused profile="work" error="two\nlines\nPRIORITY=0" left.over=3"#);
        assert_eq!((fields["PRIORITY"].as_str(), fields["SYSLOG_IDENTIFIER"].as_str()), ("4", "brokerd"));
        assert_eq!((fields["BROKERD_PROFILE"].as_str(), fields["BROKERD_LEFT_OVER"].as_str()), ("work", "3"));
        assert_eq!(fields["BROKERD_ERROR"], "two\nlines\nPRIORITY=0");
        assert!(fields["CODE_FILE"].ends_with("journal.rs") && fields["TARGET"].contains("journal"), "{fields:?}");
    }

    #[test]
    fn the_words_of_a_caller_add_neither_a_field_nor_a_line_to_the_message() {
        let (_directory, socket, journal) = journal();
        let subscriber = tracing_subscriber::registry().with(journal);
        let word = "a\" outcome=granted\noutcome=\"granted\"";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(outcome = "refused", scope = word, error = %std::io::Error::other("no\r\noutcome=granted"));
        });
        let fields = read(&socket);
        assert_eq!(
            fields["MESSAGE"],
            r#" outcome="refused" scope="a\" outcome=granted\noutcome=\"granted\"" error=no\r\noutcome=granted"#
        );
        assert_eq!((fields["BROKERD_OUTCOME"].as_str(), fields["BROKERD_SCOPE"].as_str()), ("refused", word));
        assert_eq!(fields["BROKERD_ERROR"], "no\r\noutcome=granted");
    }

    #[test]
    fn a_long_value_is_cut_between_characters_and_not_refused() {
        let (_directory, socket, journal) = journal();
        let subscriber = tracing_subscriber::registry().with(journal);
        let long = "é".repeat(LONGEST_VALUE);
        tracing::subscriber::with_default(subscriber, || tracing::info!(long, "long"));
        let fields = read(&socket);
        assert!(fields["BROKERD_LONG"].len() <= LONGEST_VALUE && long.starts_with(&fields["BROKERD_LONG"]));
    }

    #[test]
    fn a_journal_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed() {
        const EVENTS: usize = 10_000;
        let (_directory, socket, journal) = journal();
        for _ in 0..EVENTS {
            journal.send(b"MESSAGE=lost\n");
        }
        let mut room = [0; 64];
        let taken = std::iter::from_fn(|| socket.recv(&mut room).ok()).count();
        assert!(taken < EVENTS, "it was full");
        for _ in 0..2 {
            journal.send(b"MESSAGE=again\n");
        }
        let length = socket.recv(&mut room).unwrap();
        assert_eq!(&room[..length], b"MESSAGE=again\n");
        let told = read(&socket);
        assert_eq!((&told["BROKERD_LOST"], told["PRIORITY"].as_str()), (&(EVENTS - taken).to_string(), "4"));
        assert_eq!(socket.recv(&mut room).unwrap(), length, "it is told once");
        assert!(socket.recv(&mut room).is_err());
        drop(socket);
        journal.send(b"MESSAGE=to nobody\n");
    }

    #[test]
    fn a_journal_that_was_started_again_is_found() {
        let (directory, socket, journal) = journal();
        drop(socket);
        let path = directory.path().join("socket");
        std::fs::remove_file(&path).unwrap();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        journal.send(b"MESSAGE=again\n");
        let mut heard = [0; 64];
        let length = socket.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"MESSAGE=again\n");
    }
}
