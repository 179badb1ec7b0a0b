//! Helpers: other tools' ways of asking for a credential, each with its own words in and out.
//!
//! A tool's request becomes one question to brokerd, and its answer one [`Credential`]; a file each turns that into what its
//! tool reads. stdout has the tool's words and nothing else. A failure is the tool's own "there is none", an exit code, and
//! one line on stderr.

mod bazel;
mod cargo;
mod credential;
mod curl;
mod docker;
mod files;
mod git;
mod input;
mod keyring;
mod kubernetes;
mod npm;
mod sasl;
mod target;
mod terraform;

use std::cell::RefCell;
use std::io::IsTerminal as _;

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode, Interaction, TokenRequest};

pub(crate) use self::credential::Credential;
pub(crate) use self::files::replace;
pub(crate) use self::target::Target;
use crate::cli::{Kind, Whose};
use crate::commands::token::acquire;
use crate::failure::Failure;
use crate::prompt::{Mode, Prompter};
use crate::{id_token, locale};

/// Tools that hide stderr give up after ten seconds (Bazel, the Azure SDKs); the answer must be there before.
const PATIENCE: u64 = 8;

/// Answers one request of a tool.
pub(crate) fn run(client: &Client, prompt: Mode, kind: &Kind) -> Result<(), Failure> {
    let asker = |whose| Asker::new(client, prompt, whose);
    match kind {
        Kind::Bazel { whose, action } => bazel::run(&asker(whose), action),
        Kind::Cargo { whose, .. } => cargo::run(client, prompt, whose),
        Kind::Curl { whose, url } => curl::run(&asker(whose), url.as_deref()),
        Kind::Docker { whose, action } => docker::run(&asker(whose), action),
        Kind::Gcloud { whose, file } => files::gcloud(&asker(whose), file),
        Kind::Git { whose, action } => git::run(asker(whose), action),
        Kind::Keyring { whose, mode, output, action, service, username } => {
            let question =
                keyring::Question { mode: *mode, output: *output, action, service, username: username.as_deref() };
            keyring::run(&asker(whose), &question)
        }
        Kind::Kubernetes { whose, id_token } => kubernetes::run(asker(whose), *id_token),
        Kind::Npm { whose } => npm::run(&asker(whose)),
        Kind::Sasl { whose, mechanism, user, host, port } => {
            sasl::run(&asker(whose), *mechanism, user.as_deref(), host.as_deref(), *port)
        }
        Kind::Terraform { whose, action, host } => terraform::run(&asker(whose), action, host),
        Kind::Wlcg { whose, file } => files::wlcg(&asker(whose), file.as_deref()),
    }
}

/// Asks brokerd on a tool's behalf.
pub(crate) struct Asker<'a> {
    client: &'a Client,
    whose: &'a Whose,
    prompter: RefCell<Prompter>,
    /// Whether a prompt on stderr would be seen.
    pub(crate) is_seen: bool,
    /// Whether the tool is given the ID token.
    takes_id_token: bool,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(client: &'a Client, prompt: Mode, whose: &'a Whose) -> Self {
        let prompter = RefCell::new(Prompter::new(prompt));
        Self { client, whose, prompter, is_seen: std::io::stderr().is_terminal(), takes_id_token: false }
    }

    /// Returns whether the command line says whose token it is to be.
    pub(crate) fn has_profile(&self) -> bool {
        self.whose.profile.is_some()
    }

    /// Returns the token for whom the tool speaks to.
    pub(crate) fn for_target(&self, target: &Target) -> Result<Credential, Failure> {
        self.ask(self.request(Some(target)))
    }

    /// Returns the token of the profile named, or the default one's.
    pub(crate) fn for_profile(&self) -> Result<Credential, Failure> {
        self.ask(self.request(None))
    }

    /// Tells brokerd that a token was refused, so that the next one is another: one refresh, however often it is told.
    pub(crate) fn reject(&self, target: &Target, token: &str) -> Result<(), Failure> {
        let request = TokenRequest { interaction: Some(Interaction::Never), ..self.request(Some(target)) };
        self.client.access_token(&request.rejecting(&token.into()), |_| {})?;
        Ok(())
    }

    fn request(&self, target: Option<&Target>) -> TokenRequest {
        let Whose { profile, scopes, account, tenant } = self.whose.clone();
        // A profile on the command line is the user's word; without one the configuration knows whose the host is.
        let host = if profile.is_none() { target.map(|target| target.as_str().to_owned()) } else { None };
        TokenRequest { profile, host, scopes, account, tenant, ..TokenRequest::default() }
    }

    /// Returns the token a request is for.
    pub(crate) fn ask(&self, request: TokenRequest) -> Result<Credential, Failure> {
        let request = if self.is_seen {
            TokenRequest { locale: locale::current(), ..request }
        } else {
            TokenRequest { interaction: Some(Interaction::Elsewhere), timeout: Some(PATIENCE), ..request }
        };
        let prompter = &mut self.prompter.borrow_mut();
        Credential::new(if self.takes_id_token {
            id_token::in_place(id_token::acquire(self.client, prompter, &request)?)
        } else {
            acquire(self.client, prompter, &request)?
        })
    }
}

/// What a tool asked that no helper answers.
pub(crate) fn unknown_action(tool: &str, action: &str) -> Failure {
    let action = crate::clean::line(action).into_owned();
    ErrorBody::new(ErrorCode::BadRequest, format!("{tool}: {action:?} is nothing this helper does")).into()
}

/// Whether there is simply no token for this: nothing is wrong, and another way may have one.
pub(crate) fn is_none(failure: &Failure) -> bool {
    failure.code() == Some(ErrorCode::UnknownHost)
}
