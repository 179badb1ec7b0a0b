//! Structured logs on stderr. `BROKERD_LOG` chooses what: `info` by default, or a filter such as `debug` or
//! `brokerd=trace,hyper=info`.

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
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(true)
        .init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "BROKERD_LOG cannot be read; logging at info");
    }
}
