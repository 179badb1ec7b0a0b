//! Does `docs/openapi.yaml` describe what goes over the socket?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use broker_ipc::api::{
    Account, AccountRef, AccountState, Accounts, ClientSecretRequest, ConfigurationStatus, DevicePrompt, Event,
    Finding, Findings, FlightSummary, Include, Interaction, LastError, ProbeRequest, ProfileSummary, Prompts,
    ProxySummary, Reloaded, Requester, Revocation, SignedOut, Status, StoreStatus, TokenEvent, TokenRequest,
    TokenResponse, TokenSummary, UnlockRequest,
};
use broker_ipc::error::{ErrorBody, ErrorCode, ProviderError};
use brokerd::localapi::ROUTES;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::documents::read;

fn openapi() -> Value {
    serde_saphyr::from_str(&read("docs/openapi.yaml")).expect("YAML")
}

#[test]
fn openapi_has_the_routes_there_are() {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let openapi = openapi();
    let described: BTreeMap<String, BTreeSet<String>> = openapi["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().expect("a path item").keys().filter(|key| METHODS.contains(&key.as_str()));
            (path.clone(), methods.map(|method| method.to_uppercase()).collect())
        })
        .collect();
    let there: BTreeMap<String, BTreeSet<String>> = ROUTES
        .iter()
        .map(|(path, methods)| ((*path).to_owned(), methods.iter().map(|method| (*method).to_owned()).collect()))
        .collect();
    assert_eq!(described, there);
}

#[test]
fn openapi_has_the_error_codes_there_are() {
    let openapi = openapi();
    let codes = &openapi["components"]["schemas"]["ErrorCode"]["x-codes"];
    let there = ErrorCode::ALL.iter().filter(|code| !code.is_clients_own());
    let there: BTreeMap<_, _> = there.map(|code| (code.as_str(), (code.status(), code.exit_code()))).collect();
    let described: BTreeMap<_, _> = codes
        .as_object()
        .expect("x-codes")
        .iter()
        .map(|(name, row)| {
            let number = |key: &str| row[key].as_u64().expect("a number");
            let status = u16::try_from(number("status")).expect("a status");
            (name.as_str(), (status, u8::try_from(number("exit")).expect("an exit code")))
        })
        .collect();
    assert_eq!(described, there);
}

/// The schemas of the document.
struct Schemas(Value);

/// A schema's property names, and which of them are always there.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    all: BTreeSet<String>,
    always: BTreeSet<String>,
}

impl Schemas {
    fn shape(&self, name: &str) -> Shape {
        let schema = &self.0[name];
        assert!(schema.is_object(), "docs/openapi.yaml has no schema {name}");
        self.shape_of(schema)
    }

    fn shape_of(&self, schema: &Value) -> Shape {
        let mut shape = match schema["$ref"].as_str() {
            Some(reference) => self.shape(reference.rsplit('/').next().expect("a name")),
            None => Shape::default(),
        };
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = self.shape_of(part);
            shape.all.extend(part.all);
            shape.always.extend(part.always);
        }
        shape.all.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        let required = schema["required"].as_array().into_iter().flatten();
        shape.always.extend(required.filter_map(|name| name.as_str().map(str::to_owned)));
        shape
    }

    /// Holds a schema against a value with every field set: the names are the same, and a value with nothing but what is
    /// required can be read, and then is written with exactly that.
    fn describe<T: Debug + Serialize + DeserializeOwned>(&self, name: &str, full: &T) {
        let shape = self.shape(name);
        let mut value = serde_json::to_value(full).expect("JSON");
        assert_eq!(shape.all, names(&value), "{name}");
        value.as_object_mut().expect("an object").retain(|key, _| shape.always.contains(key));
        let least: T = serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(shape.always, names(&serde_json::to_value(&least).expect("JSON")), "required of {name}");
    }
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

fn text(name: &str) -> String {
    name.to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "for literals with every field set")]
fn some(name: &str) -> Option<String> {
    Some(text(name))
}

fn account_ref() -> AccountRef {
    AccountRef { id: text("id"), username: text("ada") }
}

fn requester() -> Requester {
    Requester { pid: Some(1), command: some("git"), via: some("/s") }
}

fn error_body() -> ErrorBody {
    ErrorBody {
        error: ErrorCode::AccountRequired,
        error_description: text("which?"),
        hint: some("name one"),
        retry_after: Some(1),
        accounts: vec![account_ref()],
        provider: Some(Box::new(provider_error())),
        // The body of a newer daemon is read, not written.
        newer: None,
    }
}

fn provider_error() -> ProviderError {
    ProviderError {
        error: some("invalid_grant"),
        error_description: some("text"),
        suberror: some("bad_token"),
        classification: some("none"),
        error_codes: vec![1],
        correlation_id: some("c"),
        trace_id: some("t"),
        timestamp: some("now"),
        claims: Some(Value::Bool(true)),
    }
}

fn prompt() -> DevicePrompt {
    DevicePrompt {
        id: text("p"),
        user_code: text("AB-CD"),
        verification_uri: text("https://x.test"),
        verification_uri_complete: some("https://x.test?code"),
        expires_at: text("2026-01-01T00:00:00Z"),
        expires_in: 1,
        interval: 5,
        profile: text("work"),
        account: some("ada"),
        other_accounts: vec![text("bob")],
        scopes: vec![text("a")],
        requested_by: requester(),
    }
}

/// A token as the daemon writes it.
#[derive(Debug, Deserialize)]
struct Written(TokenResponse);

impl Serialize for Written {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.exposed().serialize(serializer)
    }
}

fn token() -> TokenResponse {
    TokenResponse {
        access_token: "at".into(),
        token_type: text("Bearer"),
        expires_at: some("2026-01-01T00:00:00Z"),
        expires_on: Some(1),
        extended: true,
        scope: text("a"),
        profile: text("work"),
        account: account_ref(),
        basic_username: some("oauth2"),
        id_token: Some("it".into()),
    }
}

/// Every literal names every field, so that the compiler finds the ones that come to be.
#[test]
fn openapi_has_the_fields_of_requests_and_answers() {
    let schemas = Schemas(openapi()["components"]["schemas"].clone());
    schemas.describe(
        "TokenRequest",
        &TokenRequest {
            profile: some("work"),
            host: some("x.test"),
            account: some("ada"),
            scopes: vec![text("a")],
            min_validity: Some(1),
            force_refresh: true,
            reject_token_sha256: some("0"),
            claims: Some(serde_json::Map::new()),
            interaction: Some(Interaction::Never),
            timeout: Some(1),
            tenant: some("t"),
            resource: some("r"),
            audience: some("a"),
            extra_parameters: [(text("prompt"), text("login"))].into(),
            locale: some("de"),
            include: vec![Include::IdToken],
        },
    );
    schemas.describe("UnlockRequest", &UnlockRequest { passphrase: "p".into(), new: true });
    schemas.describe("ClientSecretRequest", &ClientSecretRequest { client_secret: "s".into() });
    schemas.describe("AccountRef", &account_ref());
    schemas.describe("TokenResponse", &Written(token()));
    schemas.describe("Requester", &requester());
    schemas.describe("DevicePrompt", &prompt());
    schemas.describe("Prompts", &Prompts { prompts: vec![prompt()] });
    schemas.describe("ErrorBody", &error_body());
    schemas.describe("ProviderError", &provider_error());
    let signed_out = SignedOut {
        account: account_ref(),
        profile: text("work"),
        revocation: Revocation::Failed,
        detail: some("no connection"),
    };
    schemas.describe("SignedOut", &signed_out);
    schemas.describe(
        "ProbeRequest",
        &ProbeRequest {
            profile: some("work"),
            provider: some("oidc"),
            name: some("sso"),
            issuer: some("i"),
            tenant: some("t"),
            authority: some("a"),
            cloud: some("c"),
            token_endpoint: some("e"),
            device_authorization_endpoint: some("d"),
            ca_file: some("/ca"),
            proxy: some("none"),
        },
    );
    let finding = Finding {
        check: text("store"),
        subject: text("work"),
        ok: false,
        error: Some(ErrorCode::Internal),
        detail: text("d"),
        hint: some("h"),
    };
    schemas.describe("Finding", &finding);
    schemas.describe("Findings", &Findings { ok: false, findings: vec![finding] });
    schemas.describe("Reloaded", &Reloaded { changed: vec![text("a")], profiles: vec![text("a")] });
}

#[test]
fn openapi_has_the_fields_of_accounts_and_status() {
    let schemas = Schemas(openapi()["components"]["schemas"].clone());
    let account = account();
    schemas.describe("TokenSummary", &account.tokens[0]);
    schemas.describe("LastError", account.last_error.as_ref().expect("it is set"));
    schemas.describe("Account", &account);
    schemas.describe("Accounts", &Accounts { accounts: vec![account] });

    let status = status();
    schemas.describe("StoreStatus", &status.store);
    schemas.describe("ConfigurationStatus", &status.configuration);
    schemas.describe("ProxySummary", status.profiles[0].proxy.as_ref().expect("it is set"));
    schemas.describe("ProfileSummary", &status.profiles[0]);
    schemas.describe("FlightSummary", &status.flights[0]);
    schemas.describe("Status", &status);
}

fn account() -> Account {
    let summary = TokenSummary {
        scope: text("a"),
        expires_at: some("2026-01-01T00:00:00Z"),
        refresh_after: some("2026-01-01T00:00:00Z"),
    };
    Account {
        id: text("id"),
        username: text("ada"),
        profile: text("work"),
        state: AccountState::SignedIn,
        scope: text("a"),
        signed_in_at: some("2026-01-01T00:00:00Z"),
        refresh_token_expires_at: some("2026-01-01T00:00:00Z"),
        tokens: vec![summary],
        last_error: Some(LastError { at: text("2026-01-01T00:00:00Z"), body: error_body() }),
    }
}

fn status() -> Status {
    let store = StoreStatus {
        kind: text("file"),
        durability: text("d"),
        state: text("ok"),
        detail: some("why"),
        unlock: some("passphrase"),
    };
    let configuration = ConfigurationStatus { path: text("/c"), error: some("why") };
    let proxy = ProxySummary { from: text("environment"), address: some("http://p:1"), error: some("why") };
    let profile = ProfileSummary {
        name: text("work"),
        provider: text("oidc"),
        issuer: text("i"),
        client_id: text("cli"),
        scopes: vec![text("a")],
        default: true,
        proxy: Some(proxy),
        ca_file: some("/ca"),
    };
    let flight = FlightSummary { kind: text("refresh"), profile: text("work"), account: some("ada"), waiters: 1 };
    Status {
        version: text("0"),
        pid: 1,
        uptime: 1,
        store,
        configuration,
        profiles: vec![profile],
        accounts: 1,
        flights: vec![flight],
        notices: vec![text("n")],
    }
}

/// `brokerctl status -o json`, with every field that a daemon may send.
#[test]
fn the_schema_of_status_has_the_fields_there_are() {
    let mut value = serde_json::to_value(status()).expect("JSON");
    value["account_list"] = serde_json::json!([account()]);
    value["prompts"] = serde_json::json!([prompt()]);
    value["client_version"] = "0".into();
    crate::schema::check("docs/status.schema.json", &value);
}

#[test]
fn openapi_has_the_events_there_are() {
    let schemas = Schemas(openapi()["components"]["schemas"].clone());
    schemas.describe("DevicePromptEvent", &TokenEvent::DevicePrompt(Box::new(prompt())));
    schemas.describe("TokenIssuedEvent", &TokenEvent::Token(Box::new(token())));
    schemas.describe("SignedInEvent", &TokenEvent::SignedIn { account: account_ref(), profile: text("work") });
    schemas.describe("ErrorEvent", &TokenEvent::Error(error_body()));
    schemas.describe("PromptStartedEvent", &Event::PromptStarted(Box::new(prompt())));
    schemas.describe("PromptEndedEvent", &Event::PromptEnded { id: text("p"), outcome: text("signed_in") });
    let changed =
        Event::AccountChanged { account: account_ref(), profile: text("work"), state: Some(AccountState::Unsaved) };
    schemas.describe("AccountChangedEvent", &changed);
    schemas.describe("LaggedEvent", &Event::Lagged { missed: 1 });
}
