//! The fields of a line on stderr, as tracing writes them.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};

/// Writes a name and a text in which nothing needs an escape as they are. tracing sends them through its styles and its padding, which takes
/// a thirteenth of all instructions of a cached token.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Visitor { writer, is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Visitor<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl Visitor<'_> {
    /// Writes a field, or leaves it to tracing, which knows what else there is.
    fn record(&mut self, field: &Field, plain: Option<&str>, else_by: impl FnOnce(&mut DefaultVisitor<'_>)) {
        if self.result.is_err() {
            return;
        }
        let plain = plain.filter(|_| is_ordinary(field.name()) && !self.writer.has_ansi_escapes());
        self.result = if let Some(value) = plain {
            let space = if self.is_first { "" } else { " " };
            let parts = [space, field.name(), "=\"", value, "\""];
            parts.into_iter().try_for_each(|part| self.writer.write_str(part))
        } else {
            let mut visitor = DefaultVisitor::new(self.writer.by_ref(), self.is_first);
            else_by(&mut visitor);
            visitor.finish()
        };
        // Nor does tracing leave anything out: its feature `tracing-log` would, and is off.
        self.is_first = false;
    }
}

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, Some(value).filter(|value| value.bytes().all(is_plain)), |by| by.record_str(field, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record(field, None, |by| by.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, None, |by| by.record_debug(field, value));
    }
}

/// Whether a field of this name is written as `name=value`.
fn is_ordinary(name: &str) -> bool {
    name != "message" && !name.starts_with("r#") && !name.starts_with("log.")
}

/// Whether `Debug` shows it as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::DefaultFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written<F: for<'w> FormatFields<'w> + Send + Sync + 'static>(fields: F) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).fmt_fields(fields);
        tracing::subscriber::with_default(subscriber.with_writer(move || writer.clone()).finish(), || {
            for text in ["", "plain ~!", "a\"b", "a\\b", "a\nb", "a\u{1b}[31mb", "\u{7f}", "é\u{202e}", "'"] {
                let error = std::io::Error::other(text.to_owned());
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::info!(text);
                tracing::info!(first = text, r#type = text, log.target = text, number = -1, yes = true, "{text}");
                tracing::info!(text, none = None::<&str>, number = 1, debug = ?text, shown = %text, error, "{text}");
                tracing::info!(r#type = text, message = text);
            }
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_as_tracing_writes_them() {
        let ours = written(Fields);
        assert_eq!(ours, written(DefaultFields::new()));
        assert_eq!(ours.lines().filter(|line| line.contains(r#"text="plain ~!""#)).count(), 2, "{ours}");
    }
}
