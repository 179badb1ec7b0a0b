//! `exec`: runs a command with what it needs to have tokens, and cleans up after it.
//!
//! 1. The tokens are asked for first, with a prompt if need be, so that a sign-in does not come in the midst of the command's
//!    own output.
//! 2. What is served meanwhile, a file kept fresh or a loopback endpoint, lives as long as the command.
//! 3. Signals go to the command, and its exit code is ours.

mod child;
mod endpoint;
mod file;
mod surroundings;

use std::sync::Arc;

use broker_client::blocking::Client;
use broker_client::{Endpoint as Socket, ErrorBody, ErrorCode, Interaction, TokenRequest};

use self::file::TokenFile;
use self::surroundings::Surroundings;
use crate::cli::{Exec, Variable};
use crate::commands::token;
use crate::failure::{self, Failure};
use crate::helper::Credential;
use crate::prompt::Prompter;

/// An SDK gives an endpoint ten seconds, some less.
const PATIENCE: u64 = 8;

/// `brokerctl exec`
pub(crate) fn run(socket: &Socket, prompter: &mut Prompter, options: &Exec) -> Result<(), Failure> {
    let client = Client::new(socket.clone());
    let own = token::on_terms(token::request(&options.ask), &options.terms);
    let mut surroundings = Surroundings::default();
    for variable in &options.variables {
        let request = of_variable(variable, &own);
        surroundings.set_secret(&variable.name, first(&client, prompter, &request)?.token());
    }
    // Held until the command has ended: dropped, they clean up after themselves.
    let file = match &options.token_file {
        Some(name) => {
            let credential = first(&client, prompter, &own)?;
            let file = TokenFile::start(Source::new(socket, &own), &credential)
                .map_err(|error| cannot("keep a token file", &error))?;
            surroundings.set(name, file.path());
            Some(file)
        }
        None => None,
    };
    let mut endpoints = Vec::new();
    if options.azure {
        first(&client, prompter, &own)?;
        endpoints.push(
            endpoint::azure(Source::new(socket, &own), &mut surroundings).map_err(|error| cannot("listen", &error))?,
        );
    }
    if options.gcp {
        let account = first(&client, prompter, &own)?.account().to_owned();
        endpoints.push(
            endpoint::gcp(Source::new(socket, &own), account, &mut surroundings)
                .map_err(|error| cannot("listen", &error))?,
        );
    }
    drop(client);
    let code = child::run(&options.command, &surroundings);
    drop(endpoints);
    drop(file);
    failure::ended(code?)
}

/// What is asked for a variable: what the command line says of a token is about its own profile; the time to wait and the terms
/// are for each.
fn of_variable(variable: &Variable, own: &TokenRequest) -> TokenRequest {
    let own = own.clone();
    let Some((profile, scopes)) = variable.profile.clone() else { return own };
    let TokenRequest { timeout, min_validity, interaction, locale, .. } = own;
    TokenRequest {
        profile: Some(profile),
        scopes,
        timeout,
        min_validity,
        interaction,
        locale,
        ..TokenRequest::default()
    }
}

/// Asks for a token before the command starts: whoever is to sign in sees the prompt.
fn first(client: &Client, prompter: &mut Prompter, request: &TokenRequest) -> Result<Credential, Failure> {
    Credential::new(token::acquire(client, prompter, request)?)
}

/// Where what lives as long as the command gets its tokens. stderr is the command's then: prompts are raised elsewhere.
#[derive(Clone)]
struct Source {
    client: Arc<Client>,
    request: TokenRequest,
}

impl Source {
    fn new(socket: &Socket, request: &TokenRequest) -> Self {
        // Who is not to be asked at the start is not to be asked later.
        let interaction = request.interaction.filter(|asked| *asked == Interaction::Never);
        let interaction = interaction.or(Some(Interaction::Elsewhere));
        let request = TokenRequest { interaction, timeout: Some(PATIENCE), ..request.clone() };
        Self { client: Arc::new(Client::new(socket.clone())), request }
    }

    /// Seconds that each token is to live.
    fn min_validity(&self) -> i64 {
        self.request.min_validity.and_then(|seconds| seconds.try_into().ok()).unwrap_or_default()
    }

    /// Returns a token, for these scopes if there are any.
    fn token(&self, scopes: Vec<String>) -> Result<Credential, Failure> {
        let mut request = self.request.clone();
        if !scopes.is_empty() {
            request.scopes = scopes;
        }
        Credential::new(self.client.access_token(&request, |_| {})?)
    }
}

fn cannot(what: &str, error: &std::io::Error) -> Failure {
    ErrorBody::new(ErrorCode::Internal, format!("cannot {what}: {error}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_another_profile_takes_the_time_to_wait_and_the_terms_and_nothing_else() {
        let for_all = TokenRequest {
            timeout: Some(5),
            min_validity: Some(600),
            interaction: Some(Interaction::Never),
            ..TokenRequest::default()
        };
        let own = TokenRequest { profile: Some("work".into()), account: Some("ada".into()), ..for_all.clone() };
        let variable = |profile| Variable { name: "A".into(), profile };
        assert_eq!(of_variable(&variable(None), &own), own);
        let other = of_variable(&variable(Some(("sso".into(), vec!["x".into()]))), &own);
        let (profile, scopes) = (Some("sso".to_owned()), vec!["x".to_owned()]);
        assert_eq!(other, TokenRequest { profile, scopes, ..for_all });
    }
}
