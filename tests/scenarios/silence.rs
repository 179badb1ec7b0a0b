//! What is logged, and what never is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use support::fake_as::{Fault, Grant};
use support::rig::{Rig, interactive, never, s, sha256};

use broker_client::{Include, TokenRequest};

/// Every scenario ends with the search; this one makes sure that there is something to search, and walks the paths on
/// which tokens of every kind are handled.
#[tokio::test(start_paused = true)]
async fn no_token_code_or_secret_reaches_the_log_at_any_level() {
    let mut rig = Rig::start();
    let first = rig.sign_in("alice").await;
    let with_id = TokenRequest { include: vec![Include::IdToken], force_refresh: true, ..never() };
    assert!(rig.token(&with_id).await.id_token.is_some());
    rig.token(&TokenRequest { reject_token_sha256: Some(sha256(&first)), ..never() }).await;
    rig.fake.script(Grant::RefreshToken, Fault::oauth("server_error"));
    rig.refused(&TokenRequest { force_refresh: true, ..never() }).await;
    rig.store.set_locked(true);
    rig.refused(&TokenRequest { force_refresh: true, ..never() }).await;
    rig.store.set_locked(false);
    rig.restart().await;
    rig.token(&never()).await;
    let id = rig.account().await.id;
    rig.client.sign_out(&id).await.unwrap();

    let log = rig.log();
    for line in ["a person must sign in", "provider answered", "signed out", "POST", "TRACE"] {
        assert!(log.contains(line), "the log is not the daemon's: no {line:?} in\n{log}");
    }
    let kinds: Vec<_> = rig.fake.secrets().iter().map(|secret| secret.kind).collect();
    for kind in ["access_token", "refresh_token", "id_token", "device_code", "user_code"] {
        assert!(kinds.contains(&kind), "no {kind} was given out: {kinds:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_search_of_the_log_finds_what_it_looks_for() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let secret = rig.fake.secrets().pop().unwrap();
    let found = catch_unwind(AssertUnwindSafe(|| {
        let rig = rig;
        tracing::trace!(value = secret.value, "leaked");
        drop(rig);
    }));
    assert!(found.is_err());
}

#[tokio::test(start_paused = true)]
async fn nothing_a_provider_sends_reaches_a_caller_or_the_log_unsanitised() {
    const EVIL: &str = "\u{1b}]0;owned\u{7}\u{202e}\r\nforged: line";
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let described = Fault::Oauth {
        error: "invalid_target".into(),
        description: EVIL.into(),
        extra: json!({"suberror": EVIL, "correlation_id": EVIL}).as_object().unwrap().clone(),
    };
    rig.fake.script(Grant::RefreshToken, described);

    let refused = rig.refused(&TokenRequest { force_refresh: true, ..never() }).await;

    assert_eq!(refused.error.as_str(), "configuration");
    let told = serde_json::to_string(&refused).unwrap();
    let is_clean = |text: &str| !text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    assert!(told.contains("owned"), "{told}");
    assert!(
        refused
            .provider
            .is_some_and(|provider| is_clean(&format!("{provider:?}")) && !format!("{provider:?}").contains("\\u{"))
    );
    assert!(is_clean(&rig.log()) && !rig.log().contains("\nforged"), "{}", rig.log());
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_page_is_never_shown() {
    for uri in [
        "http://evil.example/device",
        "javascript:alert(1)",
        "https://a.example/\u{202e}x",
        "https://a.example/\u{1b}[2J",
    ] {
        let mut overrides = serde_json::Map::new();
        overrides.insert("verification_uri".into(), uri.into());
        let rig = Rig::setup().provider(|options| options.device_overrides = overrides).start();
        let mut call = rig.call(&interactive());
        match tokio::time::timeout(s(3600), call.next()).await.unwrap() {
            Some(Ok(broker_client::TokenEvent::DevicePrompt(prompt))) => {
                let shown = prompt.verification_uri;
                assert!(shown.is_ascii() && shown.starts_with("https://") && !shown.contains('\u{1b}'), "{shown:?}");
            }
            Some(Err(error)) => assert_eq!(error.code().as_str(), "provider_error", "{uri:?}"),
            other => panic!("{uri:?}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the log or the state directory has a secret in it: refresh_token")]
async fn a_token_in_clear_on_disk_fails_the_scenario_it_happens_in() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let secrets = rig.fake.secrets();
    let token = secrets.iter().find(|secret| secret.kind == "refresh_token").unwrap();
    std::fs::write(rig.index_file().with_extension("bak"), &token.value).unwrap();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the log or the state directory has a secret in it: access_token made-up-")]
async fn a_token_that_a_test_made_up_fails_it_when_it_is_logged() {
    let _rig = Rig::start();
    tracing::debug!(body = r#"{"access_token":"made-up-token"#, "provider answered");
}
