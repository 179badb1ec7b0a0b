//! One of the two that are held side by side, before a server of its own: a program with MSAL in it, or brokerd and a
//! client at its socket.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use broker_client::{
    Client, ClientError, Endpoint as Socket, Interaction, TokenEvent, TokenRequest, TokenResponse, TokenStream,
};
use broker_oauth::backoff::Trouble;
use serde_json::{Value, json};
use support::fake_as::{Ca, ENTRA_CLIENT_ID, FakeAs, Options, Rotation};
use support::processes::Daemon;
use support::rig::sha256;
use tempfile::TempDir;
use tokio::time::{self, Instant};

use super::msal::Msal;
use super::outcome::{Outcome, requests};
use crate::stage::{PATIENCE, Stage, options};

/// How a scenario is set up, the same for both sides.
pub(super) struct Setup {
    pub(super) options: Options,
    pub(super) client_id: &'static str,
    pub(super) tenant: &'static str,
    pub(super) who: Who,
}

/// Whose side it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Brokerd,
    Msal,
}

impl Setup {
    pub(super) fn of(who: Who) -> Self {
        let options = Options { rotation: Rotation::Tolerant, ..options() };
        Self { options, client_id: ENTRA_CLIENT_ID, tenant: "contoso.onmicrosoft.com", who }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ask {
    pub(super) scopes: &'static [&'static str],
    pub(super) username: Option<&'static str>,
    pub(super) force: bool,
    pub(super) claims: Option<&'static str>,
}

/// What happened at one step of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) step: &'static str,
    pub(super) outcome: Outcome,
    pub(super) requests: String,
}

/// One side and what was seen of it so far.
pub(super) struct Side {
    pub(super) server: FakeAs,
    pub(super) rows: Vec<Row>,
    program: Program,
    /// Whether the machine took so long over a step that a later one shows something else.
    pub(super) late: bool,
    tokens: BTreeSet<String>,
    mark: usize,
}

enum Program {
    Msal { msal: Box<Msal>, opened: Value, _directory: TempDir },
    Brokerd { client: Client, call: Option<Box<TokenStream>>, _daemon: Box<Daemon>, _stage: Box<Stage> },
}

impl Side {
    /// A program that uses MSAL as its samples do: one application object, opened when the program starts.
    pub(super) async fn msal(setup: &Setup, ca: &Ca, python: &Path) -> Result<Self> {
        let server = FakeAs::listen_tls(setup.options.clone(), ca).await?;
        let directory = tempfile::tempdir()?;
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, ca.pem())?;
        let mut msal = Msal::start(python)?;
        let authority = format!("{}/{}", server.authority(), setup.tenant);
        let with = json!({"client_id": setup.client_id, "authority": authority, "ca": ca_file});
        let opened = msal.ask("open", with).await?;
        Ok(Self::new(server, Program::Msal { msal: Box::new(msal), opened, _directory: directory }))
    }

    /// The daemon, with a profile for the same client at the same tenant.
    pub(super) async fn brokerd(setup: &Setup, ca: &Ca) -> Result<Self> {
        let stage = Stage::at(FakeAs::listen_tls(setup.options.clone(), ca).await?);
        let ca_file = stage.home.write("ca.pem", ca.pem().as_bytes())?;
        let config = format!(
            "{}[profiles.work]\nprovider = \"entra\"\nauthority = {:?}\ntenant = {:?}\nclient_id = {:?}\n\
             ca_file = {:?}\nscopes = [\"User.Read\"]\n",
            stage.store(),
            stage.server.authority(),
            setup.tenant,
            setup.client_id,
            ca_file.display().to_string(),
        );
        let daemon = Daemon::start(&stage.home, &config).await;
        let client = Client::new(Socket::from_path(stage.home.socket()));
        let server = stage.server.clone();
        Ok(Self::new(
            server,
            Program::Brokerd { client, call: None, _daemon: Box::new(daemon), _stage: Box::new(stage) },
        ))
    }

    fn new(server: FakeAs, program: Program) -> Self {
        Self { server, rows: Vec::new(), late: false, program, tokens: BTreeSet::new(), mark: 0 }
    }

    /// Writes a row about all that happened since the last one.
    pub(super) fn row(&mut self, step: &'static str, outcome: Outcome) {
        let log = self.server.log();
        self.rows.push(Row { step, outcome, requests: requests(&log[self.mark..]) });
        self.mark = log.len();
    }

    /// Forgets what happened since the last row.
    pub(super) fn skip(&mut self) {
        self.mark = self.server.log().len();
    }

    /// Says that everything since then was to be done before brokerd asks once more a provider that failed it so many times.
    pub(super) fn within_the_pauses(&mut self, since: Instant, failures: u32) {
        let shortest: Duration = (1..=failures).map(|failures| Trouble::Failing.pause(failures, None, 0.0)).sum();
        self.late |= self.is_brokerd() && since.elapsed() >= shortest;
    }

    pub(super) fn is_brokerd(&self) -> bool {
        matches!(self.program, Program::Brokerd { .. })
    }

    /// What came of starting the program.
    pub(super) fn started(&self) -> Outcome {
        match &self.program {
            Program::Msal { opened, .. } if opened.get("raised").is_some() => Outcome::of_msal(opened),
            _ => Outcome::Done("ready".into()),
        }
    }

    /// Starts a sign-in and returns the code to enter, or what came instead of one.
    pub(super) async fn begin(&mut self, ask: Ask) -> Result<Result<String, Outcome>> {
        match &mut self.program {
            Program::Msal { opened, .. } if opened.get("raised").is_some() => Ok(Err(Outcome::of_msal(opened))),
            Program::Msal { msal, .. } => {
                let answer = msal.ask("begin", json!({"scopes": ask.scopes, "claims": ask.claims})).await?;
                let Some(code) = answer["user_code"].as_str() else {
                    return Ok(Err(Outcome::of_msal(&answer)));
                };
                let message = answer["message"].as_str().context("a message for the person")?;
                ensure!(message.contains(code), "{message}");
                msal.tell("finish", json!({"claims": ask.claims})).await?;
                Ok(Ok(code.to_owned()))
            }
            Program::Brokerd { client, call, .. } => {
                let request = TokenRequest { interaction: None, ..request(ask)? };
                let mut stream = client.token(&request);
                match next(&mut stream).await? {
                    Ok(TokenEvent::DevicePrompt(prompt)) => {
                        *call = Some(Box::new(stream));
                        Ok(Ok(prompt.user_code.clone()))
                    }
                    Ok(other) => bail!("not a prompt: {other:?}"),
                    Err(outcome) => Ok(Err(outcome)),
                }
            }
        }
    }

    /// Waits for the end of the sign-in.
    pub(super) async fn finish(&mut self) -> Result<Outcome> {
        match &mut self.program {
            Program::Msal { msal, .. } => {
                let answer = msal.answer().await?;
                Ok(self.of_msal(&answer))
            }
            Program::Brokerd { call, .. } => {
                let mut stream = call.take().context("a sign-in")?;
                match next(&mut stream).await? {
                    Ok(TokenEvent::Token(token)) => Ok(self.token(&token)),
                    Ok(other) => bail!("not a token: {other:?}"),
                    Err(outcome) => Ok(outcome),
                }
            }
        }
    }

    /// Signs somebody in, without a row.
    pub(super) async fn sign_in(&mut self, scopes: &'static [&'static str], user: &str) -> Result<()> {
        let begun = self.begin(Ask { scopes, username: None, ..Ask::default() }).await?;
        let code = begun.map_err(|outcome| anyhow::anyhow!("no code: {outcome}"))?;
        self.server.approve(&code, user);
        let outcome = self.finish().await?;
        ensure!(outcome == Outcome::NewToken, "signing in: {outcome:?}");
        self.skip();
        Ok(())
    }

    /// Asks for a token without a person.
    pub(super) async fn silent(&mut self, ask: Ask) -> Result<Outcome> {
        match &mut self.program {
            Program::Msal { msal, .. } => {
                let with =
                    json!({"scopes": ask.scopes, "username": ask.username, "force": ask.force, "claims": ask.claims});
                let answer = msal.ask("silent", with).await?;
                Ok(self.of_msal(&answer))
            }
            Program::Brokerd { client, .. } => {
                let request = TokenRequest { interaction: Some(Interaction::Never), ..request(ask)? };
                match next(&mut client.token(&request)).await? {
                    Ok(TokenEvent::Token(token)) => Ok(self.token(&token)),
                    Ok(other) => bail!("not a token: {other:?}"),
                    Err(outcome) => Ok(outcome),
                }
            }
        }
    }

    /// Lists who is signed in.
    pub(super) async fn accounts(&mut self) -> Result<Outcome> {
        let mut names = match &mut self.program {
            Program::Msal { msal, .. } => {
                let answer = msal.ask("accounts", json!({})).await?;
                let accounts = answer["accounts"].as_array().context("accounts")?;
                accounts.iter().filter_map(|account| account["username"].as_str()).map(str::to_owned).collect()
            }
            Program::Brokerd { client, .. } => {
                let accounts = client.accounts().await?.accounts;
                accounts.into_iter().map(|account| account.username).collect::<Vec<_>>()
            }
        };
        names.sort();
        Ok(Outcome::Done(if names.is_empty() { "nobody".into() } else { names.join(", ") }))
    }

    /// Signs somebody out.
    pub(super) async fn sign_out(&mut self, username: &str) -> Result<Outcome> {
        match &mut self.program {
            Program::Msal { msal, .. } => {
                let answer = msal.ask("remove", json!({"username": username})).await?;
                ensure!(answer.get("raised").is_none(), "{answer}");
            }
            Program::Brokerd { client, .. } => {
                let accounts = client.accounts().await?.accounts;
                let account = accounts.iter().find(|account| account.username == username).context("an account")?;
                client.sign_out(&account.id).await?;
            }
        }
        Ok(Outcome::Done("signed out".into()))
    }

    fn of_msal(&mut self, answer: &Value) -> Outcome {
        match answer["token"].as_str() {
            Some(hash) => self.token_by(hash.to_owned()),
            None => Outcome::of_msal(answer),
        }
    }

    fn token(&mut self, token: &TokenResponse) -> Outcome {
        self.token_by(sha256(token))
    }

    fn token_by(&mut self, hash: String) -> Outcome {
        if self.tokens.insert(hash) { Outcome::NewToken } else { Outcome::KnownToken }
    }
}

fn request(ask: Ask) -> Result<TokenRequest> {
    Ok(TokenRequest {
        account: ask.username.map(str::to_owned),
        scopes: ask.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        force_refresh: ask.force,
        claims: ask.claims.map(serde_json::from_str).transpose()?,
        ..TokenRequest::default()
    })
}

/// Returns the next event of a call, or the failure it ends with.
async fn next(stream: &mut TokenStream) -> Result<Result<TokenEvent, Outcome>> {
    let event = time::timeout(PATIENCE, stream.next()).await.context("brokerd takes too long")?;
    match event.context("an event")? {
        Ok(event) => Ok(Ok(event)),
        Err(ClientError::Api(body)) => Ok(Err(Outcome::of_brokerd(&body))),
        Err(error) => Err(error.into()),
    }
}
