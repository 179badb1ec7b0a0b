//! `brokerd`: a user service that owns OAuth sign-ins and gives access tokens to local tools.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use broker_ipc::endpoint::{Endpoint, EndpointError};
use brokerd::arguments::Arguments;
use brokerd::broker::{Broker, Parts};
use brokerd::chance::Chance;
use brokerd::clock::Clock;
use brokerd::config::Config;
use brokerd::outbound::Outbound;
use brokerd::server::{self, Door, Limits};
use brokerd::store::{StoreConfig, StoreKind};
use brokerd::supervision::{self, Manager, Signal, Signals};
use brokerd::vault::Vault;
use brokerd::{harden, log, paths};
use clap::Parser;

/// What is in the air has this long to land; with the connections' last answers the exit stays under ten seconds. Windows
/// gives a console program five seconds in all when its window or its session ends.
const GRACE: Duration = if cfg!(windows) { Duration::from_secs(3) } else { Duration::from_secs(8) };
/// The runtime's own threads (a hanging name look-up) are not waited for any longer than this.
const LAST_GRACE: Duration = Duration::from_millis(500);
/// A configuration that is not right, or a place to listen at that is not, by the table of exit codes. A service manager need not
/// try again.
const EXIT_CONFIGURATION: u8 = 6;
/// As LocalAPI's own.
const LONGEST_REQUEST: u64 = 64 * 1024;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config_file = arguments.config.clone().unwrap_or_else(paths::config_file);
    // `status` tells it to programs that run elsewhere.
    let config_file = std::path::absolute(&config_file).unwrap_or(config_file);
    // A configuration names files that hold secrets: before any is read.
    log::start();
    harden::harden();
    if arguments.check_config {
        return check_config(&config_file);
    }
    if arguments.edit_config {
        return edit_config(&config_file);
    }
    match run(&arguments, config_file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.downcast_ref::<EndpointError>().and_then(EndpointError::hint);
            tracing::error!("{error:#}{}", hint.map_or_else(String::new, |hint| format!(": {hint}")));
            if error.chain().any(supervision::is_to_be_changed) { not_again() } else { ExitCode::FAILURE }
        }
    }
}

/// Ends, so that the service manager does not try again what would fail again.
fn not_again() -> ExitCode {
    if supervision::restarts_every_failure() {
        tracing::error!("another start would meet that again: exit code 0 in place of 6, so that launchd makes none");
        return ExitCode::SUCCESS;
    }
    EXIT_CONFIGURATION.into()
}

fn run(arguments: &Arguments, config_file: PathBuf) -> anyhow::Result<()> {
    // Before anything has a second thread.
    let inherited = supervision::inherited()?;
    let manager = Manager::from_environment();
    let endpoint = Endpoint::resolve(arguments.socket.as_deref())?;
    let config = Config::load(&config_file);
    let mut store = config.as_ref().map_or_else(|_| StoreConfig::default(), |config| config.store.clone());
    if let Some(kind) = arguments.store {
        store.kind = kind.into();
    }
    let in_memory = store.kind == StoreKind::Memory;
    // One thread serves everybody: nothing here computes, and the keyring has a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let outcome = runtime.block_on(async {
        let listener = supervision::listen(inherited, &endpoint)?;
        // Two daemons with one store would spend each other's refresh tokens, whatever their endpoints.
        let _alone = if in_memory { None } else { harden::alone(&paths::state_dir())? };
        let vault = Vault::spawn(store).context("no thread for the keyring")?;
        let parts = Parts {
            clock: Clock::system(),
            chance: Chance::system(),
            outbound: Outbound::network(),
            vault,
            config_file,
            config,
            store_is_fixed: arguments.store.is_some(),
            // What is gone with the process needs no index.
            state_dir: (!in_memory).then(paths::state_dir),
            manager,
        };
        let broker = Broker::start(parts);
        tracing::info!(endpoint = %endpoint, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "listening");
        serve(broker, Door::Socket(Box::new(listener))).await
    });
    runtime.shutdown_timeout(LAST_GRACE);
    outcome
}

async fn serve(broker: Arc<Broker>, door: Door) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("no signal handlers")?;
    let limits = Limits { connections: harden::connections(), ..Limits::default() };
    broker.spawn_restricted(limits);
    let server = server::serve(Arc::clone(&broker), door, limits);
    tokio::pin!(server);
    supervision::attend(&broker);
    loop {
        tokio::select! {
            () = &mut server => break,
            signal = signals.next() => match signal {
                Signal::Leave(name) => {
                    tracing::info!(signal = name, "leaving");
                    break;
                }
                Signal::Reload => drop(broker.reload().inspect(|reloaded| tracing::info!(changed = ?reloaded.changed, "configuration reloaded"))),
            },
        }
    }
    supervision::leave(&broker);
    broker.shut_down(GRACE).await;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "this command's answer is for a person")]
fn check_config(path: &std::path::Path) -> ExitCode {
    use std::io::Write as _;

    let config = match brokerd::check::check(path) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("brokerd: {error}\nhint: {}", error.hint);
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let mut told = vec![format!("{}: right", path.display())];
    told.extend(brokerd::check::report(&config));
    // Whoever stops reading has read enough.
    drop(writeln!(std::io::stdout(), "{}", told.join("\n")));
    ExitCode::SUCCESS
}

/// Answers on stdout, the error too: whoever asked is a program.
fn edit_config(path: &std::path::Path) -> ExitCode {
    use std::io::{Read as _, Write as _};

    let mut request = Vec::new();
    // What cannot be read is no request, and that is said.
    drop(std::io::stdin().lock().take(LONGEST_REQUEST).read_to_end(&mut request));
    let (answer, code) = match brokerd::edit_config::answer(path, &request) {
        Ok(answer) => (answer, 0),
        Err(body) => (serde_json::to_string(&body).unwrap_or_default(), body.error.exit_code()),
    };
    match writeln!(std::io::stdout(), "{answer}") {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}
