//! What is asked for a first profile. Each question has an option that answers it, and is asked again until its answer can be used.

use broker_client::{ErrorBody, ErrorCode};
use broker_ipc::edit::AddProfile;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::prompt::Link;

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

/// What an OpenID provider wants that brokerd knows nothing of: who signed in, and to stay signed in.
const SCOPES: &str = "openid profile offline_access";

/// Asks a question; nothing where nobody can be asked.
type Asking<'a> = dyn FnMut(&str) -> Result<Option<String>, Failure> + 'a;

/// Where a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Issuer,
    Known,
    Tenant,
}

/// What the options say already.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) name: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) scopes: Vec<String>,
}

/// Puts a profile together.
pub(super) fn questions(known: &Known, ask: &mut Asking<'_>) -> Result<AddProfile, Failure> {
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
            set("issuer", &needed(known.issuer.as_ref(), question, "--issuer URL", is_url, ask)?);
        }
        Place::Tenant => {
            let question = "Your tenant, as contoso.onmicrosoft.com, or organizations for any: ";
            set("tenant", &needed(known.tenant.as_ref(), question, "--tenant TENANT", is_word, ask)?);
        }
        Place::Known => {}
    }
    let question = "The client id of the application's registration there: ";
    set("client_id", &needed(known.client_id.as_ref(), question, "--client-id ID", is_word, ask)?);
    let scopes = scopes(known, provider, ask)?;
    if !scopes.is_empty() {
        settings.insert("scopes".into(), scopes.into());
    }
    let name = match &known.name {
        Some(name) => name.clone(),
        None => or(ask("What to call the profile [work]: ")?, "work"),
    };
    Ok(AddProfile { profile: name, settings, ..AddProfile::default() })
}

/// Asked where brokerd adds none by itself that would do.
fn scopes(known: &Known, provider: &str, ask: &mut Asking<'_>) -> Result<Vec<String>, Failure> {
    if !known.scopes.is_empty() || !matches!(provider, "oidc" | "keycloak") {
        return Ok(known.scopes.clone());
    }
    let answer = or(ask(&format!("The scopes to ask it for [{SCOPES}]: "))?, SCOPES);
    Ok(answer.split_whitespace().map(str::to_owned).collect())
}

fn or(answer: Option<String>, default: &str) -> String {
    answer.filter(|answer| !answer.is_empty()).unwrap_or_else(|| default.to_owned())
}

fn of(provider: &str) -> Result<(&'static str, Place), Failure> {
    find(provider).ok_or_else(|| {
        let known: Vec<_> = PROVIDERS.iter().map(|(name, ..)| *name).collect();
        let what = format!("{provider} is no provider that login knows");
        let hint = format!("one of {}; brokerctl profile add knows more", known.join(", "));
        ErrorBody::new(ErrorCode::Configuration, what).with_hint(hint).into()
    })
}

fn find(provider: &str) -> Option<(&'static str, Place)> {
    PROVIDERS.iter().find(|(name, ..)| *name == provider).map(|(name, _, place)| (*name, *place))
}

fn choose(ask: &mut Asking<'_>) -> Result<(&'static str, Place), Failure> {
    let list = PROVIDERS.iter().enumerate().map(|(at, (_, title, _))| format!("  {}  {title}\n", at + 1));
    let count = PROVIDERS.len();
    let mut question = format!("There is no profile yet. Sign in to what?\n{}Number: ", list.collect::<String>());
    loop {
        let answer = ask(&question)?.ok_or_else(|| missing("--provider NAME and --client-id ID, or --issuer URL"))?;
        let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let by_number = number.and_then(|at| PROVIDERS.get(at)).map(|(name, _, place)| (*name, *place));
        if let Some(found) = by_number.or_else(|| find(&answer.to_lowercase())) {
            return Ok(found);
        }
        question = format!("That is none of them. A number from 1 to {count}: ");
    }
}

/// What an option says, or else the answer to a question, once it is `good`. What an option says is for brokerd to judge.
fn needed(
    known: Option<&String>,
    question: &str,
    option: &str,
    good: fn(&str) -> Result<(), &'static str>,
    ask: &mut Asking<'_>,
) -> Result<String, Failure> {
    if let Some(value) = known {
        return Ok(value.clone());
    }
    let mut answer = ask(question)?;
    loop {
        let text = answer.ok_or_else(|| missing(option))?;
        let Err(why) = good(&text) else { return Ok(text) };
        answer = ask(&format!("{why}\n{question}"))?;
    }
}

fn is_word(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("It cannot do without. Ctrl-C leaves."),
        text if text.contains(char::is_whitespace) => Err("That is more than one word."),
        _ => Ok(()),
    }
}

fn is_url(text: &str) -> Result<(), &'static str> {
    is_word(text)?;
    if text.starts_with("http://") && Link::parse(text).is_none() {
        return Err("Plain http is for this machine only: it begins with https://.");
    }
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        return Ok(());
    }
    Err("That is no URL: it begins with https:// and the name of a host.")
}

fn missing(option: &str) -> Failure {
    ErrorBody::new(ErrorCode::Configuration, "there is no profile yet, and this does not say what to sign in to")
        .with_hint(format!("run it in a terminal, or add {option}; docs/SIGN-IN.md has examples"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(known: &Known, answers: &[&str]) -> (Result<AddProfile, Failure>, usize) {
        let mut left = answers.iter();
        let mut count = 0;
        let profile = questions(known, &mut |_| {
            count += 1;
            Ok(left.next().map(|answer| (*answer).to_owned()))
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

        let (profile, count) = asked(&known(Some("sso"), None, None, None, None), &["8", "https://i", "cli", ""]);
        let profile = profile.unwrap();
        assert_eq!((profile.profile.as_str(), count), ("sso", 4));
        let oidc = serde_json::json!({"issuer": "https://i", "client_id": "cli", "scopes": ["openid", "profile", "offline_access"]});
        assert_eq!(Value::from(profile.settings), oidc);
    }

    #[test]
    fn what_cannot_be_used_is_asked_again() {
        let answers = [
            "foo",
            "9",
            "",
            "0",
            "8",
            "not a url",
            "sso.example.com",
            "http://sso.example.com",
            "",
            "https://i",
            "",
            "c l i",
            "cli",
            "api  x",
            "",
        ];
        let (profile, count) = asked(&Known::default(), &answers);
        let profile = profile.unwrap();
        assert_eq!((profile.profile.as_str(), count), ("work", answers.len()));
        let settings = serde_json::json!({"issuer": "https://i", "client_id": "cli", "scopes": ["api", "x"]});
        assert_eq!(Value::from(profile.settings), settings);
        assert!(asked(&Known::default(), &["8", "not a url"]).0.is_err(), "nobody answers any more");
    }

    #[test]
    fn where_nobody_is_asked_an_issuer_of_ones_own_has_scopes_all_the_same() {
        let (profile, _) = asked(&known(Some("a"), None, Some("https://i"), None, Some("c")), &[]);
        assert_eq!(profile.unwrap().settings["scopes"], serde_json::json!(["openid", "profile", "offline_access"]));
        let (profile, _) = asked(&known(Some("a"), Some("okta"), Some("https://i"), None, Some("c")), &[]);
        assert_eq!(profile.unwrap().settings.get("scopes"), None, "brokerd knows Okta's");
    }

    #[test]
    fn every_question_has_an_option() {
        for known in [
            known(Some("a"), Some("github"), None, None, Some("c")),
            known(Some("a"), None, Some("https://i"), None, Some("c")),
            known(Some("a"), None, None, Some("t"), Some("c")),
            known(Some("a"), Some("keycloak"), Some("https://i"), None, Some("c")),
        ] {
            let known = Known { scopes: vec!["s".into()], ..known };
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
