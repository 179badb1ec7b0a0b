//! `get-token` and `login`: the two that may ask the user.

use broker_client::blocking::{Client, Step, TokenEvents};
use broker_client::{ClientError, Interaction, SignedIn, TokenEvent, TokenRequest, TokenResponse};

use super::first;
use crate::cli::{Ask, GetToken, Login, Terms, TokenFormat};
use crate::failure::Failure;
use crate::helper::Credential;
use crate::prompt::{Notice, Prompter};
use crate::{az, clock, id_token, locale, output, rejected};

/// `brokerctl get-token`
pub(crate) fn get(client: &Client, prompter: &mut Prompter, options: &GetToken) -> Result<(), Failure> {
    let mut request = on_terms(request(&options.ask), &options.terms);
    request.force_refresh = options.force_refresh;
    if options.rejected {
        request = request.rejecting(&rejected::from_stdin()?);
    }
    let acquire = if options.id_token { id_token::acquire } else { acquire };
    print(acquire(client, prompter, &request)?, options)
}

/// `brokerctl login`
pub(crate) fn login(client: &Client, prompter: &mut Prompter, options: &Login) -> Result<(), Failure> {
    let mut request = request(&options.ask);
    request.locale = locale::current();
    let answered = if options.first.is_given() { Err(None) } else { sign_in(client, prompter, &request).map_err(Some) };
    let SignedIn { account, profile } = match answered {
        Ok(signed_in) => signed_in,
        Err(Some(failure)) if !first::is_wanted(client, &failure) => return Err(failure),
        Err(_) => {
            // The tenant is the new profile's own.
            let profile = first::profile(client, prompter, options)?;
            let request = TokenRequest { profile: Some(profile.clone()), tenant: None, ..request };
            sign_in(client, prompter, &request).map_err(|failure| first::or_begin_again(failure, &profile))?
        }
    };
    prompter.signed_in(&account, &profile);
    if options.plain.is_json() { output::json(&SignedIn { account, profile }) } else { Ok(()) }
}

/// Returns a token, telling the user what happens meanwhile.
pub(crate) fn acquire(
    client: &Client,
    prompter: &mut Prompter,
    request: &TokenRequest,
) -> Result<TokenResponse, Failure> {
    let token = ask(client, prompter, request)?;
    tell_if_short(prompter, request, token.expires_on);
    Ok(token)
}

/// The same, whatever its life.
pub(crate) fn ask(client: &Client, prompter: &mut Prompter, request: &TokenRequest) -> Result<TokenResponse, Failure> {
    let TokenEvent::Token(token) = wait(client.token(request), prompter)? else { return Err(nothing()) };
    prompter.signed_in(&token.account, &token.profile);
    Ok(*token)
}

/// Says that a token lives for less than was asked, if it does.
pub(crate) fn tell_if_short(prompter: &Prompter, request: &TokenRequest, expires_on: Option<i64>) {
    let Some((promise, end)) = request.min_validity.zip(expires_on) else { return };
    let left = u64::try_from(end.saturating_sub(clock::seconds())).unwrap_or_default();
    if left < promise {
        prompter.note(&format!(
            "the token lives for {left} s, not for {promise}: the provider gives none that lives longer"
        ));
    }
}

fn sign_in(client: &Client, prompter: &mut Prompter, request: &TokenRequest) -> Result<SignedIn, Failure> {
    match wait(client.login(request), prompter)? {
        TokenEvent::SignedIn { account, profile } => Ok(SignedIn { account, profile }),
        _ => Err(nothing()),
    }
}

/// Waits for the event that ends it, and tells the user what happens meanwhile.
pub(crate) fn wait(mut events: TokenEvents<'_>, prompter: &mut Prompter) -> Result<TokenEvent, Failure> {
    while let Some(step) = events.step() {
        match step? {
            Step::Event(TokenEvent::DevicePrompt(prompt)) => prompter.tell(Notice::Prompt(&prompt)),
            Step::Event(event) => return Ok(event),
            Step::Away => prompter.tell(Notice::Away),
            Step::Back => prompter.tell(Notice::Back),
            _ => {}
        }
    }
    Err(nothing())
}

fn nothing() -> Failure {
    ClientError::Protocol("it ended without an end".to_owned()).into()
}

/// Returns what is asked for by the arguments.
pub(crate) fn request(ask: &Ask) -> TokenRequest {
    TokenRequest {
        profile: ask.profile.clone(),
        account: ask.account.clone(),
        scopes: ask.scopes.clone(),
        claims: ask.claims.clone(),
        timeout: ask.timeout.map(|timeout| timeout.as_secs()),
        tenant: ask.tenant.clone(),
        resource: ask.resource.clone(),
        audience: ask.audience.clone(),
        extra_parameters: ask.params.iter().cloned().collect(),
        ..TokenRequest::default()
    }
}

/// Adds the terms. Whoever may be asked is asked in the caller's language, wherever the prompt is shown.
pub(crate) fn on_terms(request: TokenRequest, terms: &Terms) -> TokenRequest {
    let min_validity = terms.min_validity.map(|validity| validity.as_secs());
    let (interaction, locale) = match terms {
        Terms { no_prompt: true, .. } => (Some(Interaction::Never), None),
        Terms { prompt_elsewhere: true, .. } => (Some(Interaction::Elsewhere), locale::current()),
        _ => (None, locale::current()),
    };
    TokenRequest { min_validity, interaction, locale, ..request }
}

fn print(token: TokenResponse, options: &GetToken) -> Result<(), Failure> {
    if options.output == TokenFormat::Json {
        return output::json(&token.exposed());
    }
    let credential = Credential::new(if options.id_token { id_token::in_place(token) } else { token })?;
    match options.output {
        TokenFormat::Header => output::line(&format!("Authorization: {}", credential.authorization())),
        TokenFormat::AzureCli => output::json(&az::answer(&credential, options.ask.tenant.as_deref(), None)),
        TokenFormat::Json | TokenFormat::Token => output::line(credential.token()),
    }
}

/// A line break in a token would make another header of what follows.
pub(crate) fn is_printable(token: &str) -> bool {
    token.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_break_out_of_its_line() {
        assert!(is_printable("ey.J-_~+/=="));
        assert!(!is_printable("a\r\nX-Admin: 1"));
        assert!(!is_printable("a\u{1b}"));
    }
}
