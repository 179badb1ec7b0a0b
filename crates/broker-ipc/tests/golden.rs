//! The wire as it stands: what is written must not change, and what another version writes must be read.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

use broker_ipc::api::{
    Account, AccountState, Accounts, ClientSecretRequest, DevicePrompt, Event, Findings, ProbeRequest, Prompts,
    Reloaded, Revocation, SignedOut, Status, TokenEvent, TokenRequest, TokenResponse,
};
use broker_ipc::error::{ErrorBody, ErrorCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads a golden text, writes it again unchanged, and reads it with what a newer version may add.
fn golden<T: Serialize + DeserializeOwned>(value: Value) -> T {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written, value);
    let newer = grease(value);
    serde_json::from_value::<T>(newer.clone()).unwrap();
    read
}

/// The same of a token, which is written only where that is meant.
fn golden_token(value: Value) -> TokenResponse {
    let read: TokenResponse = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(read.exposed()).unwrap(), value);
    serde_json::from_value::<TokenResponse>(grease(value)).unwrap();
    read
}

/// Adds a member that nobody knows to every object.
fn grease(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let greased = members.into_iter().map(|(name, value)| (name, grease(value)));
            let unknown = ("x_grease".to_owned(), json!({"a": [null, 1]}));
            Value::Object(greased.chain([unknown]).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(grease).collect()),
        other => other,
    }
}

fn prompt() -> Value {
    json!({
        "id": "p1", "user_code": "AB-CD", "verification_uri": "https://x.test/d",
        "verification_uri_complete": "https://x.test/d?c=AB-CD", "expires_at": "2026-01-01T00:00:00Z",
        "expires_in": 900, "interval": 5, "profile": "work", "account": "ada", "scopes": ["a", "b"],
        "requested_by": {"pid": 7, "command": "git", "via": "/s"}
    })
}

fn token() -> Value {
    json!({
        "access_token": "at", "token_type": "Bearer", "expires_at": "2026-01-01T00:00:00Z",
        "expires_on": 1_767_225_600, "scope": "a b", "profile": "work",
        "account": {"id": "x", "username": "ada"}, "basic_username": "u", "id_token": "it"
    })
}

fn failure() -> Value {
    json!({
        "error": "blocked", "error_description": "no", "hint": "ask", "retry_after": 3,
        "accounts": [{"id": "x", "username": "ada"}],
        "provider": {
            "error": "invalid_grant", "error_description": "d", "suberror": "message_only",
            "classification": "message_only", "error_codes": [53003], "correlation_id": "c", "trace_id": "t", "timestamp": "2026",
            "claims": {"access_token": {}}
        }
    })
}

fn event(name: &str, mut value: Value) -> Value {
    value["event"] = name.into();
    value
}

#[test]
fn answers_are_written_as_documented_and_read_from_newer_daemons() {
    golden::<DevicePrompt>(prompt());
    golden_token(token());
    let mut extended = token();
    extended["extended"] = true.into();
    golden_token(extended);
    golden::<ErrorBody>(failure());
    golden::<Prompts>(json!({"prompts": [prompt()]}));
    golden::<Accounts>(json!({"accounts": []}));
    golden::<Account>(json!({
        "id": "x", "username": "ada", "profile": "work", "state": "signed_in", "scope": "a",
        "signed_in_at": "2026-01-01T00:00:00Z", "refresh_token_expires_at": "2026-02-01T00:00:00Z",
        "tokens": [{"scope": "a", "expires_at": "2026-01-01T00:00:00Z"}, {"scope": "b"}],
        "last_error": {"at": "2026", "error": "throttled", "error_description": "wait"}
    }));
    golden::<SignedOut>(json!({
        "account": {"id": "x", "username": "ada"}, "profile": "work", "revocation": "failed", "detail": "d"
    }));
    golden::<Reloaded>(json!({"changed": ["a"], "profiles": ["a", "b"]}));
    golden::<Findings>(json!({"ok": false, "findings": [
        {"check": "store", "ok": true, "detail": "d"},
        {"check": "discovery", "subject": "work", "ok": false, "detail": "d", "hint": "h"}
    ]}));
    golden::<Status>(json!({
        "version": "0.1.0", "pid": 1, "uptime": 2,
        "store": {"kind": "keyring", "durability": "d", "state": "ok", "detail": "x"},
        "configuration": {"path": "/c", "error": "e"},
        "profiles": [{"name": "work", "provider": "entra", "issuer": "i", "client_id": "c",
                      "scopes": ["a"], "default": true, "ca_file": "/ca",
                      "proxy": {"from": "environment", "address": "http://p:1", "error": "e"}}],
        "accounts": 1, "notices": ["n"],
        "flights": [{"kind": "refresh", "profile": "work", "account": "x", "waiters": 2}]
    }));
}

#[test]
fn events_are_written_as_documented_and_read_from_newer_daemons() {
    let account = json!({"id": "x", "username": "ada"});
    golden::<TokenEvent>(event("device_prompt", prompt()));
    golden::<TokenEvent>(event("token", token()));
    golden::<TokenEvent>(event("signed_in", json!({"account": account, "profile": "work"})));
    golden::<TokenEvent>(event("error", failure()));
    golden::<Event>(event("prompt_started", prompt()));
    golden::<Event>(event("prompt_ended", json!({"id": "p1", "outcome": "signed_in"})));
    let changed = json!({"account": account, "profile": "work", "state": "unsaved"});
    golden::<Event>(event("account_changed", changed));
    golden::<Event>(event("lagged", json!({"missed": 3})));
}

#[test]
fn what_may_be_absent_may_be_absent() {
    let minimal = json!({
        "access_token": "at", "token_type": "Bearer", "scope": "", "profile": "work",
        "account": {"id": "x", "username": "ada"}
    });
    let token = golden_token(minimal);
    assert!(token.expires_at.is_none() && token.expires_on.is_none());
    golden::<ErrorBody>(json!({"error": "timeout", "error_description": "d"}));
    golden::<DevicePrompt>(json!({
        "id": "p1", "user_code": "c", "verification_uri": "u", "expires_at": "2026", "expires_in": 1,
        "interval": 5, "profile": "work", "scopes": [], "requested_by": {}
    }));
}

#[test]
fn words_of_a_newer_daemon_are_unknown_and_no_error() {
    let known =
        |json: Value| serde_json::from_value::<TokenEvent>(json).is_ok_and(|e| !matches!(e, TokenEvent::Unknown));
    assert!(!known(json!({"event": "x_grease", "a": {"b": []}})));
    let event: Event = serde_json::from_value(json!({"event": "x_grease", "id": 1})).unwrap();
    assert!(matches!(event, Event::Unknown));
    let state: AccountState = serde_json::from_value(json!("x_grease")).unwrap_or(AccountState::SignedIn);
    assert_eq!(state, AccountState::Unknown);
    let revocation: Revocation = serde_json::from_value(json!("x_grease")).unwrap_or(Revocation::Revoked);
    assert_eq!(revocation, Revocation::Unknown);
    let body: ErrorBody = serde_json::from_value(json!({"error": "x_grease", "error_description": "d"})).unwrap();
    assert_eq!((body.error, body.error.exit_code()), (ErrorCode::Unknown, 1));
}

#[test]
fn requests_send_what_is_set_and_refuse_what_is_not_known_by_name() {
    assert_eq!(serde_json::to_value(TokenRequest::default()).ok(), Some(json!({})));
    assert_eq!(serde_json::to_value(ProbeRequest::default()).ok(), Some(json!({})));
    let full = json!({
        "profile": "work", "account": "ada", "scopes": ["a"], "min_validity": 300, "force_refresh": true,
        "reject_token_sha256": "00", "claims": {"a": 1}, "interaction": "never", "timeout": 5, "tenant": "t",
        "resource": "r", "audience": "u", "extra_parameters": {"prompt": "login"}, "locale": "de-DE",
        "include": ["id_token"]
    });
    let read: TokenRequest = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).ok(), Some(full));
    let full = json!({"profile": "work", "provider": "adfs", "issuer": "i", "tenant": "t", "authority": "a",
        "cloud": "c", "token_endpoint": "e", "device_authorization_endpoint": "d", "ca_file": "/ca", "proxy": "none"});
    let read: ProbeRequest = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).ok(), Some(full));
    let secret = json!({"client_secret": "hunter2"});
    let read: ClientSecretRequest = serde_json::from_value(secret.clone()).unwrap();
    assert!(!format!("{read:?}").contains("hunter2"));
    assert_eq!(serde_json::to_value(read).ok(), Some(secret));
    for refused in [
        serde_json::from_value::<TokenRequest>(json!({"x_grease": 1})).map(drop),
        serde_json::from_value::<ProbeRequest>(json!({"x_grease": 1})).map(drop),
        serde_json::from_value::<ClientSecretRequest>(json!({"x_grease": 1})).map(drop),
    ] {
        assert!(refused.is_err_and(|error| error.to_string().contains("`x_grease`")));
    }
}

#[test]
fn every_code_reads_back_and_has_its_place_in_the_table() {
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_name(code.as_str()), *code);
        assert!((400..600).contains(&code.status()) && (1..=9).contains(&code.exit_code()), "{code}");
    }
}
