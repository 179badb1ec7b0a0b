//! Structured logs: in the journal where stderr is the journal's, else on stderr. `BROKERD_LOG` chooses what: `info` by default,
//! or a filter such as `debug` or `brokerd=trace,hyper=info`.

#[cfg(target_os = "linux")]
mod journal;
mod patience;
mod stderr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging for the process. A filter that cannot be read is told and left out.
pub fn start() {
    let filter = std::env::var("BROKERD_LOG").unwrap_or_default();
    let (filter, wrong) = match EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(&filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    #[cfg(target_os = "linux")]
    let journal = journal::is_stderr().then(journal::Journal::open).and_then(Result::ok);
    #[cfg(not(target_os = "linux"))]
    let journal = None::<LevelFilter>;
    let lines = journal.is_none().then(|| {
        let layer = tracing_subscriber::fmt::layer().with_writer(stderr::line).with_ansi(false).with_target(true);
        layer.log_internal_errors(false).boxed()
    });
    tracing_subscriber::registry().with(filter).with(journal).with(lines).init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "BROKERD_LOG cannot be read; logging at info");
    }
}
