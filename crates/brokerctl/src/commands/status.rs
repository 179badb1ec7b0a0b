//! `status`: how the daemon is, what it holds, what is under way, and what is not well since when and why.

mod describe;
#[cfg(unix)]
mod live;

use std::thread::sleep;
use std::time::Duration;

use broker_client::blocking::Client;
use broker_client::{Account, ClientError, DevicePrompt, Status};
use serde::Serialize;

use crate::cli::StatusOptions;
use crate::clock;
use crate::failure::Failure;
use crate::output;
use crate::prompt::Mode;

/// What the daemon knows by itself it says at once. One that hangs is the news.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);

/// All there is to know: the daemon's status, with its accounts and prompts. `docs/status.schema.json` describes it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    status: Status,
    /// Who is signed in, and how; absent when the store did not answer in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_list: Option<Vec<Account>>,
    prompts: Vec<DevicePrompt>,
    client_version: &'static str,
}

/// `brokerctl status`
pub(crate) fn run(client: Client, mode: Mode, options: &StatusOptions) -> Result<(), Failure> {
    let client = client.with_call_timeout(PATIENCE);
    if !options.watch {
        return print(&ask(&client)?, options);
    }
    #[cfg(unix)]
    if mode.may_draw()
        && !options.plain.is_json()
        && std::io::IsTerminal::is_terminal(&std::io::stdout())
        && let Some(session) = crate::terminal::Session::take()
    {
        live::run(client, session);
        return Ok(());
    }
    #[cfg(not(unix))]
    let _ = mode; // nothing is drawn there
    watch(&client, options)
}

/// Asks for all of it.
fn ask(client: &Client) -> Result<Whole, ClientError> {
    let status = client.status()?;
    let account_list = match client.accounts() {
        Ok(accounts) => Some(accounts.accounts),
        Err(ClientError::Timeout) => None,
        Err(error) => return Err(error),
    };
    let prompts = client.prompts()?.prompts;
    Ok(Whole { status, account_list, prompts, client_version: env!("CARGO_PKG_VERSION") })
}

/// Without a terminal: prints it again whenever something has changed but time.
fn watch(client: &Client, options: &StatusOptions) -> Result<(), Failure> {
    let mut last = None;
    loop {
        let whole = ask(client)?;
        let told = whole.without_time();
        if last.replace(told.clone()) != Some(told) {
            print(&whole, options)?;
        }
        sleep(EVERY);
    }
}

fn print(whole: &Whole, options: &StatusOptions) -> Result<(), Failure> {
    if options.plain.is_json() { output::json(whole) } else { describe::table(whole, clock::now()).print() }
}

/// All of it in rows, and drawn.
#[cfg(all(test, unix))]
pub(crate) fn shown(
    (status, accounts, prompts): (&Status, &[Account], &[DevicePrompt]),
    trouble: &str,
    look: &crate::terminal::Look,
) -> (String, Vec<crate::terminal::Line>) {
    let account_list = Some(accounts.to_vec());
    let whole = Whole { status: status.clone(), account_list, prompts: prompts.to_vec(), client_version: "0.0.9" };
    let rows = describe::table(&whole, std::time::UNIX_EPOCH).render();
    (rows, live::lines(Some(&whole), Some(trouble), look))
}

impl Whole {
    /// Returns it as JSON, without what changes by itself.
    fn without_time(&self) -> serde_json::Value {
        let mut still = self.clone();
        still.status.uptime = 0;
        still.prompts.iter_mut().for_each(|prompt| prompt.expires_in = 0);
        serde_json::to_value(still).unwrap_or_default()
    }
}
