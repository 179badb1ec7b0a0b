//! Structured logs: in the journal where stderr is the journal's, else on stderr. `BROKERD_LOG` chooses what: `info` by default,
//! or a filter such as `debug` or `brokerd=trace,hyper=info`.

mod fields;
#[cfg(any(test, not(unix)))]
mod handed;
#[cfg(target_os = "linux")]
mod journal;
mod patience;
#[cfg(unix)]
mod stderr;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[cfg(not(unix))]
use self::handed::line;
#[cfg(unix)]
use self::stderr::line;

/// Starts logging for the process. A filter that cannot be read is told and left out.
pub fn start() {
    let (filter, wrong) = match filter(&std::env::var("BROKERD_LOG").unwrap_or_default()) {
        Ok(filter) => (filter, None),
        Err(error) => (Targets::new().with_default(LevelFilter::INFO), Some(error)),
    };
    #[cfg(target_os = "linux")]
    let journal = journal::is_stderr().then(journal::Journal::open).and_then(Result::ok);
    #[cfg(not(target_os = "linux"))]
    let journal = None::<LevelFilter>;
    let lines = journal.is_none().then(|| {
        let layer = tracing_subscriber::fmt::layer().with_writer(line).with_ansi(false).with_target(true);
        layer.log_internal_errors(false).fmt_fields(fields::Fields).boxed()
    });
    tracing_subscriber::registry().with(filter).with(journal).with(lines).init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "BROKERD_LOG cannot be read; logging at info");
    }
}

/// Reads a filter. What it does not name is logged at `info`.
fn filter(text: &str) -> Result<Targets, ParseError> {
    let filter = if text.trim().is_empty() { Targets::new() } else { text.parse::<Targets>()? };
    let default = filter.default_level().unwrap_or(LevelFilter::INFO);
    Ok(filter.with_default(default))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_a_filter_does_not_name_is_logged_at_info() {
        for (text, target, level, logged) in [
            ("", "brokerd", Level::INFO, true),
            (" ", "brokerd", Level::DEBUG, false),
            ("debug", "hyper", Level::DEBUG, true),
            ("off", "brokerd", Level::ERROR, false),
            ("brokerd::audit=off", "brokerd::audit", Level::INFO, false),
            ("brokerd::audit=off", "brokerd", Level::INFO, true),
            ("off,brokerd::audit=info", "brokerd::audit", Level::INFO, true),
            ("warn,brokerd=debug", "brokerd::vault", Level::DEBUG, true),
            ("warn,brokerd=debug", "hyper", Level::INFO, false),
        ] {
            assert_eq!(filter(text).unwrap().would_enable(target, &level), logged, "{text:?}: {target} at {level}");
        }
        for wrong in ["brokerd=loud", "a=b=c"] {
            assert!(filter(wrong).is_err(), "{wrong:?}");
        }
    }
}
