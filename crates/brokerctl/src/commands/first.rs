//! The first profile: what `login` asks where there is nothing to sign in to yet. Each question has an option that answers it.

use std::io::{self, BufRead, IsTerminal as _};
use std::path::Path;

use broker_client::blocking::Client;
use broker_client::edit::AddProfile;
use broker_client::{ClientError, ErrorBody, ErrorCode};
use serde_json::{Map, Value};

use super::profile::{NewProfile, add};
use crate::cli::Login;
use crate::failure::{Failure, say};

/// Longer than any answer.
const LONGEST: u64 = 4096;
/// What can be chosen, and what is asked then. The last is any provider by its issuer.
const PROVIDERS: [(&str, &str, Place); 8] = [
    ("entra", "Microsoft Entra ID", Place::Tenant),
    ("github", "GitHub", Place::Known),
    ("google", "Google", Place::Known),
    ("okta", "Okta", Place::Issuer),
    ("auth0", "Auth0", Place::Issuer),
    ("keycloak", "Keycloak", Place::Issuer),
    ("gitlab", "GitLab", Place::Issuer),
    ("oidc", "another OpenID Connect or OAuth provider", Place::Issuer),
];

/// Where a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Issuer,
    Known,
    Tenant,
}

/// What the options say already.
#[derive(Debug, Default)]
struct Known {
    name: Option<String>,
    provider: Option<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    client_id: Option<String>,
    scopes: Vec<String>,
}

/// Returns whether a failed sign-in failed because there is no profile at all.
pub(super) fn is_wanted(client: &Client, failure: &Failure) -> bool {
    let Failure::Client(ClientError::Api(body)) = failure else { return false };
    body.error == ErrorCode::Configuration
        && client.status().is_ok_and(|status| {
            let missing = !Path::new(&status.configuration.path).exists();
            status.profiles.is_empty() && (status.configuration.error.is_none() || missing)
        })
}

/// Asks what is not known yet, tries the provider, and writes the profile. Returns its name.
pub(super) fn profile(client: &Client, options: &Login) -> Result<String, Failure> {
    let known = Known {
        name: options.ask.profile.clone(),
        provider: options.first.provider.clone(),
        issuer: options.first.issuer.clone(),
        tenant: options.ask.tenant.clone(),
        client_id: options.first.client_id.clone(),
        scopes: options.ask.scopes.clone(),
    };
    let may_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    let new = questions(&known, &mut |question| if may_ask { answer(question, io::stdin().lock()) } else { Ok(None) })?;
    let name = new.profile.clone();
    let added = add(client, None, NewProfile { add: new, check: true })?;
    added.tell();
    if added.written.wants_client_secret {
        let what = format!("the client of profile {name} needs its secret before anybody can sign in");
        return Err(ErrorBody::new(ErrorCode::Configuration, what)
            .with_hint(format!("brokerctl client-secret set {name}, then brokerctl login {name}"))
            .into());
    }
    Ok(name)
}

/// Puts a profile together. `ask` returns nothing where nobody can be asked, or nothing was answered.
fn questions(
    known: &Known,
    ask: &mut dyn FnMut(&str) -> Result<Option<String>, Failure>,
) -> Result<AddProfile, Failure> {
    let (provider, place) = match (&known.provider, &known.issuer, &known.tenant) {
        (Some(provider), ..) => of(provider)?,
        (None, Some(_), _) => ("oidc", Place::Issuer),
        (None, None, Some(_)) => ("entra", Place::Tenant),
        (None, None, None) => choose(ask)?,
    };
    let mut settings = Map::new();
    let mut set = |key: &str, value: &str| settings.insert(key.into(), Value::from(value));
    if provider != "oidc" {
        set("provider", provider);
    }
    match place {
        Place::Issuer => {
            let question = "Its issuer, as https://sso.example.com/realms/main: ";
            set("issuer", &needed(known.issuer.as_ref(), question, "--issuer URL", ask)?);
        }
        Place::Tenant => {
            let question = "Your tenant, as contoso.onmicrosoft.com, or organizations for any: ";
            set("tenant", &needed(known.tenant.as_ref(), question, "--tenant TENANT", ask)?);
        }
        Place::Known => {}
    }
    let question = "The client id of the application's registration there: ";
    set("client_id", &needed(known.client_id.as_ref(), question, "--client-id ID", ask)?);
    if !known.scopes.is_empty() {
        settings.insert("scopes".into(), known.scopes.iter().map(String::as_str).collect());
    }
    let name = match &known.name {
        Some(name) => name.clone(),
        None => ask("What to call the profile [work]: ")?.unwrap_or_else(|| "work".to_owned()),
    };
    Ok(AddProfile { profile: name, settings, ..AddProfile::default() })
}

fn of(provider: &str) -> Result<(&'static str, Place), Failure> {
    let found = PROVIDERS.iter().find(|(name, ..)| *name == provider);
    found.map(|(name, _, place)| (*name, *place)).ok_or_else(|| {
        let known: Vec<_> = PROVIDERS.iter().map(|(name, ..)| *name).collect();
        let what = format!("{provider} is no provider that login knows");
        let hint = format!("one of {}; brokerctl profile add knows more", known.join(", "));
        ErrorBody::new(ErrorCode::Configuration, what).with_hint(hint).into()
    })
}

fn choose(ask: &mut dyn FnMut(&str) -> Result<Option<String>, Failure>) -> Result<(&'static str, Place), Failure> {
    let list = PROVIDERS.iter().enumerate().map(|(at, (_, title, _))| format!("  {}  {title}\n", at + 1));
    let question = format!("There is no profile yet. Sign in to what?\n{}Number: ", list.collect::<String>());
    let answer = ask(&question)?.ok_or_else(|| missing("--provider NAME and --client-id ID, or --issuer URL"))?;
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match number.and_then(|at| PROVIDERS.get(at)) {
        Some((name, _, place)) => Ok((name, *place)),
        None => of(&answer.to_lowercase()),
    }
}

fn needed(
    known: Option<&String>,
    question: &str,
    option: &str,
    ask: &mut dyn FnMut(&str) -> Result<Option<String>, Failure>,
) -> Result<String, Failure> {
    match known {
        Some(value) => Ok(value.clone()),
        None => ask(question)?.ok_or_else(|| missing(option)),
    }
}

fn missing(option: &str) -> Failure {
    ErrorBody::new(ErrorCode::Configuration, "there is no profile yet, and this does not say what to sign in to")
        .with_hint(format!("run it in a terminal, or add {option}; docs/SIGN-IN.md has examples"))
        .into()
}

/// Asks, and reads a line; an empty one is no answer.
fn answer(question: &str, from: impl BufRead) -> Result<Option<String>, Failure> {
    say(question);
    let mut line = String::new();
    let read = from.take(LONGEST).read_line(&mut line);
    read.map_err(|error| {
        ErrorBody::new(ErrorCode::BadRequest, format!("the answer cannot be read: {}", error.kind()))
    })?;
    let line = line.trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(known: &Known, answers: &[&str]) -> (Result<AddProfile, Failure>, usize) {
        let mut left = answers.iter();
        let mut count = 0;
        let profile = questions(known, &mut |_| {
            count += 1;
            Ok(left.next().filter(|answer| !answer.is_empty()).map(|answer| (*answer).to_owned()))
        });
        (profile, count)
    }

    fn known(
        name: Option<&str>,
        provider: Option<&str>,
        issuer: Option<&str>,
        tenant: Option<&str>,
        client: Option<&str>,
    ) -> Known {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Known {
            name: own(name),
            provider: own(provider),
            issuer: own(issuer),
            tenant: own(tenant),
            client_id: own(client),
            scopes: Vec::new(),
        }
    }

    #[test]
    fn a_profile_is_put_together_from_answers() {
        let (profile, count) = asked(&Known::default(), &["1", "contoso.com", "id-1", ""]);
        let profile = profile.unwrap();
        assert_eq!((profile.profile.as_str(), count), ("work", 4));
        let entra = serde_json::json!({"provider": "entra", "tenant": "contoso.com", "client_id": "id-1"});
        assert_eq!(Value::from(profile.settings), entra);

        let (profile, count) = asked(&known(Some("sso"), None, None, None, None), &["8", "https://i", "cli"]);
        let profile = profile.unwrap();
        assert_eq!((profile.profile.as_str(), count), ("sso", 3));
        assert_eq!(Value::from(profile.settings), serde_json::json!({"issuer": "https://i", "client_id": "cli"}));
    }

    #[test]
    fn every_question_has_an_option() {
        for known in [
            known(Some("a"), Some("github"), None, None, Some("c")),
            known(Some("a"), None, Some("https://i"), None, Some("c")),
            known(Some("a"), None, None, Some("t"), Some("c")),
            known(Some("a"), Some("keycloak"), Some("https://i"), None, Some("c")),
        ] {
            let (profile, count) = asked(&known, &[]);
            assert_eq!((profile.unwrap().profile.as_str(), count), ("a", 0));
        }
        for (known, option) in [
            (Known::default(), "--provider"),
            (known(None, Some("entra"), None, None, None), "--tenant"),
            (known(None, Some("okta"), None, None, None), "--issuer"),
            (known(None, Some("github"), None, None, None), "--client-id"),
            (known(None, Some("gitbub"), None, None, None), "one of entra"),
        ] {
            let told = format!("{:?}", asked(&known, &[]).0.unwrap_err());
            assert!(told.contains(option), "{option}: {told}");
        }
    }
}
