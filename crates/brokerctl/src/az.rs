//! `az` and `azd`, as far as the Azure SDKs run them for a token. A link of that name, first in `PATH`, makes every
//! `AzureCliCredential` and `AzureDeveloperCliCredential` a client of brokerd.
//!
//! What is asked of `az` beyond a token goes to the next `az` in `PATH`, if there is one.

mod azd;
mod line;
mod next;

use std::ffi::OsString;

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode, TokenRequest};
use serde_json::{Value, json};

pub(crate) use self::azd::run as azd;
use self::line::{Known, Line, Takes};
use crate::cli::Whose;
use crate::failure::{Failure, say};
use crate::helper::{Asker, Credential};
use crate::prompt::Mode;
use crate::{clean, output};

/// Names the profile, because the SDKs have no word for it.
const PROFILE: &str = "BROKERD_AZURE_PROFILE";
/// By these words the SDKs know that another credential may do: `CredentialUnavailable`.
const NOT_SIGNED_IN: &str = "Please run 'az login' to setup account.";
/// What a token is said to live for that never ends: the SDKs must have a time, and then ask again.
const ENDLESS: i64 = 3600;

/// What is said to `az version` where there is no other `az`. Terraform's azurerm asks before anything else, and wants 2.0.81 at
/// least and less than 3; what is answered here is as it was in this version.
const VERSION: &str = "2.76.0";
/// Those of `az account get-access-token` and `az account show`, and of all commands.
const OPTIONS: &[Known] = &[
    (&["--output", "-o"], Takes::One),
    (&["--query"], Takes::One),
    (&["--only-show-errors"], Takes::Nothing),
    (&["--verbose"], Takes::Nothing),
    (&["--debug"], Takes::Nothing),
    (&["--subscription", "-s", "--name", "-n"], Takes::One),
    (&["--resource"], Takes::One),
    (&["--resource-type"], Takes::One),
    (&["--scope"], Takes::Many),
    (&["--tenant", "-t"], Takes::One),
];
/// The members of an answer to `az account get-access-token`.
const TOKEN: [&str; 6] = ["accessToken", "expiresOn", "expires_on", "subscription", "tenant", "tokenType"];
/// Those that `az account show` has no answer for, and `az version` neither.
const OF_A_TOKEN: [&str; 5] = ["--subscription", "--resource", "--resource-type", "--scope", "--tenant"];
/// What a token is for that is asked for without a resource or a scope, in the public cloud.
const ARM: &str = "https://management.core.windows.net/";
/// What `--resource-type` stands for in the public cloud, letter by letter as the Azure CLI has it.
const RESOURCES: [(&str, &str); 7] = [
    ("aad-graph", "https://graph.windows.net/"),
    ("arm", ARM),
    ("batch", "https://batch.core.windows.net/"),
    ("data-lake", "https://datalake.azure.net/"),
    ("media", "https://rest.media.azure.net"),
    ("ms-graph", "https://graph.microsoft.com/"),
    ("oss-rdbms", "https://ossrdbms-aad.database.windows.net"),
];

/// `az …`
pub(crate) fn az(client: &Client, prompt: Mode, arguments: &[OsString]) -> Result<(), Failure> {
    match answered(client, prompt, arguments) {
        Some(answer) => answer,
        None => next::run("az", arguments),
    }
}

/// Answers what is known here, and nothing that is not wholly known.
fn answered(client: &Client, prompt: Mode, arguments: &[OsString]) -> Option<Result<(), Failure>> {
    let line = Line::parse(arguments, OPTIONS)?;
    let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["account", "get-access-token"] => {
            let (scopes, shape, nobody) = (scopes(&line)?, Shape::of(&line, &TOKEN)?, Whose::default());
            let asker = Asker::new(client, prompt, &nobody);
            Some(token(&asker, scopes, &shape, &line).map_err(|failure| told(&failure)))
        }
        _ if OF_A_TOKEN.iter().any(|option| line.has(option)) => None,
        ["account", "show"] => shown(&account()?, &line),
        ["version"] if next::find("az").is_none() => shown(&version(), &line),
        _ => None,
    }
}

fn shown(answer: &Value, line: &Line) -> Option<Result<(), Failure>> {
    let members: Vec<&str> = answer.as_object()?.keys().map(String::as_str).collect();
    Some(Shape::of(line, &members)?.print(answer))
}

/// What a token is asked for; nothing where the resource's type is not known.
fn scopes(line: &Line) -> Option<Vec<String>> {
    let resource = match line.one("--resource-type") {
        Some(wanted) => Some(RESOURCES.iter().find(|(name, _)| wanted.eq_ignore_ascii_case(name))?.1.to_owned()),
        None => line.one("--resource"),
    };
    let mut scopes = line.all("--scope");
    // Never the profile's: a script that names nothing goes on to the Resource Manager.
    let resource = resource.or_else(|| scopes.is_empty().then(|| ARM.to_owned()));
    scopes.extend(resource.map(|resource| format!("{resource}/.default")));
    Some(scopes)
}

fn token(asker: &Asker<'_>, scopes: Vec<String>, shape: &Shape, line: &Line) -> Result<(), Failure> {
    let tenant = line.one("--tenant");
    let credential = ask(asker, scopes, tenant.clone(), None)?;
    shape.print(&answer(&credential, tenant.as_deref(), line.one("--subscription").as_deref()))
}

/// Returns a token for these scopes, under the profile that the environment names.
fn ask(
    asker: &Asker<'_>,
    scopes: Vec<String>,
    tenant: Option<String>,
    claims: Option<serde_json::Map<String, Value>>,
) -> Result<Credential, Failure> {
    let profile = std::env::var(PROFILE).ok().filter(|name| !name.is_empty());
    let request = TokenRequest { profile, scopes, tenant, claims, ..TokenRequest::default() };
    asker.ask(request)
}

/// What `az account get-access-token -o json` prints.
pub(crate) fn answer(credential: &Credential, tenant: Option<&str>, subscription: Option<&str>) -> Value {
    let expires_on = expires_on(credential);
    json!({
        "accessToken": credential.token(),
        "expiresOn": local(expires_on),
        "expires_on": expires_on,
        "subscription": subscription,
        "tenant": tenant.unwrap_or_default(),
        "tokenType": credential.token_type(),
    })
}

/// When a token ends, in seconds since the epoch.
pub(crate) fn expires_on(credential: &Credential) -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a token without an end is given one from now on")]
    let now = || jiff::Timestamp::now().as_second();
    credential.expires_on().unwrap_or_else(|| now() + ENDLESS)
}

/// The time without a zone, as the Azure CLI has always written it.
fn local(epoch: i64) -> String {
    let at = jiff::Timestamp::from_second(epoch).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    format!("{} {}.000000", at.date(), at.time()) // `strftime` is 20 kB of a program that is to be small
}

/// `az account show`, where the environment says what it is about: brokerd knows tokens, not subscriptions.
fn account() -> Option<Value> {
    let set =
        |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let subscription = set(["AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID"])?;
    let tenant = set(["AZURE_TENANT_ID", "ARM_TENANT_ID"])?;
    Some(json!({
        "environmentName": "AzureCloud",
        "homeTenantId": tenant,
        "id": subscription,
        "isDefault": true,
        "managedByTenants": [],
        "name": subscription,
        "state": "Enabled",
        "tenantId": tenant,
        "user": {"name": "brokerd", "type": "user"},
    }))
}

fn version() -> Value {
    json!({"azure-cli": VERSION, "azure-cli-core": VERSION, "azure-cli-telemetry": "1.1.0", "extensions": {}})
}

/// What is printed of an answer: all of it, or one member.
struct Shape {
    member: Option<String>,
    format: String,
}

impl Shape {
    /// What a line asks for; none if it is more than is known here (`JMESPath`, tables), which is found out before anybody is asked.
    fn of(line: &Line, members: &[&str]) -> Option<Self> {
        let format = line.one("--output").unwrap_or_else(|| "json".to_owned());
        // A name that is no plain word is quoted in JMESPath.
        let member = line.one("--query").map(|name| name.trim_matches('"').to_owned());
        let is_known = match format.as_str() {
            "json" | "jsonc" | "none" => true,
            "tsv" => member.is_some(),
            _ => false,
        };
        let is_there = member.as_deref().is_none_or(|name| members.contains(&name));
        (is_known && is_there).then_some(Self { member, format })
    }

    fn print(&self, answer: &Value) -> Result<(), Failure> {
        let value = self.member.as_ref().map_or(answer, |name| &answer[name]);
        match (self.format.as_str(), value) {
            ("none", _) => Ok(()),
            ("tsv", Value::String(text)) => output::line(text),
            ("tsv", Value::Null) => output::line(""),
            ("tsv", other) => output::line(&other.to_string()),
            _ => output::json(value),
        }
    }
}

/// Says why not, in words that the SDKs know.
fn told(failure: &Failure) -> Failure {
    let Some(body) = failure.body() else { return Failure::Told(1) };
    let why = why(&body);
    say(&match body.error {
        code if may_have_another(code) => format!("ERROR: {NOT_SIGNED_IN} {why}\n"),
        _ => format!("ERROR: {why}\n"),
    });
    Failure::Told(1)
}

/// Whether brokerd has simply nothing here, and another of the SDK's credentials may.
fn may_have_another(code: ErrorCode) -> bool {
    use ErrorCode::{AccountRequired, InteractionRequired, NotRunning, ProfileRequired, ShuttingDown, UnknownProfile};
    matches!(code, AccountRequired | InteractionRequired | NotRunning | ProfileRequired | ShuttingDown | UnknownProfile)
}

/// What happened and what to do, in one line.
pub(crate) fn why(body: &ErrorBody) -> String {
    let line = |text: &str| clean::line(text).trim_end_matches('.').to_owned();
    let hint = body.hint.as_deref().map(|hint| format!("; {}", line(hint))).unwrap_or_default();
    // To an SDK that word says that the sign-in itself failed, and no other credential is tried.
    let mut description = line(&body.error_description);
    if may_have_another(body.error) {
        description = description.replace("AADSTS", "Entra error ");
    }
    format!("brokerd: {description}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_signed_in_is_told_in_the_words_that_the_sdks_look_for() {
        let body =
            ErrorBody::new(ErrorCode::InteractionRequired, "AADSTS70043: ended.").with_hint("run: brokerctl login");
        assert_eq!(why(&body), "brokerd: Entra error 70043: ended; run: brokerctl login");
        let body = ErrorBody::new(ErrorCode::Blocked, "AADSTS53003: a policy");
        assert_eq!(why(&body), "brokerd: AADSTS53003: a policy");
        assert!(!may_have_another(ErrorCode::Blocked) && may_have_another(ErrorCode::NotRunning));
    }

    #[test]
    fn a_token_is_for_what_az_would_have_it_for() {
        let scopes = |line: &str| {
            let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
            scopes(&Line::parse(&arguments, OPTIONS).unwrap())
        };
        for (line, scope) in [
            ("account get-access-token", "https://management.core.windows.net//.default"),
            ("--resource-type oss-rdbms", "https://ossrdbms-aad.database.windows.net/.default"),
            ("--resource-type ARM --resource https://x.test", "https://management.core.windows.net//.default"),
            ("--resource https://x.test", "https://x.test/.default"),
            ("--scope a", "a"),
        ] {
            assert_eq!(scopes(line), Some(vec![scope.to_owned()]), "{line}");
        }
        assert_eq!(scopes("--resource-type vault"), None);
    }

    #[test]
    fn the_local_time_has_no_zone() {
        let text = local(1_739_968_496);
        assert_eq!((text.len(), &text[..3], &text[10..11], &text[19..]), (26, "202", " ", ".000000"), "{text}");
    }
}
