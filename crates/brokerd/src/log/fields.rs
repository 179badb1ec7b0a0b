//! The fields of a line on stderr, as tracing writes them.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};

/// Writes a text that nothing in needs an escape as it is; tracing looks at each of its characters for that.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Visitor(DefaultVisitor::new(writer, true));
        fields.record(&mut visitor);
        visitor.0.finish()
    }
}

struct Visitor<'w>(DefaultVisitor<'w>);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" && value.bytes().all(is_plain) {
            self.0.record_debug(field, &format_args!("\"{value}\""));
        } else {
            self.0.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.record_debug(field, value);
    }
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
        assert_eq!(ours.lines().filter(|line| line.contains(r#"text="plain ~!""#)).count(), 1, "{ours}");
    }
}
