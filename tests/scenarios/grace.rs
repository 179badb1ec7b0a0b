//! The provider is away for longer than a token lives: the extended life it gave the token, where the profile wants that.

use broker_client::{TokenRequest, TokenResponse};
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, exposed, never, s, scopes, sha256};

/// Tokens live for an hour, and for another two while the provider is away.
fn graceful(lines: &str) -> Rig {
    Rig::setup()
        .provider(|options| {
            options.token_overrides.insert("ext_expires_in".into(), json!(3 * 3600));
        })
        .profile(lines)
        .start()
}

fn away(rig: &Rig) {
    rig.fake.always(Grant::RefreshToken, Fault::status(503));
}

fn assert_extended(served: &TokenResponse, token: &TokenResponse) {
    assert_eq!(exposed(served), exposed(token));
    assert!(served.extended);
    assert_eq!(served.expires_on, token.expires_on.map(|end| end + 2 * 3600));
    let at: jiff::Timestamp = served.expires_at.as_ref().unwrap().parse().unwrap();
    assert_eq!(Some(at.as_second()), served.expires_on);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_serves_by_its_extended_life_and_the_answer_says_so() {
    let rig = graceful("outage_grace = true");
    let token = rig.sign_in("alice").await;
    assert!(!token.extended);
    rig.expire().await;
    for fault in [Fault::status(503), Fault::CloseConnection, Fault::Html, Fault::throttled(5)] {
        rig.fake.always(Grant::RefreshToken, fault);
        assert_extended(&rig.token(&never()).await, &token);
        rig.pass(s(10)).await;
    }
    rig.fake.clear();
    // Longer than four failures close the gate for, whatever the jitter.
    rig.pass(s(60)).await;
    let new = rig.token(&never()).await;
    assert_ne!(exposed(&new), exposed(&token), "it is back");
    assert!(!new.extended);
}

#[tokio::test(start_paused = true)]
async fn the_extended_life_counts_from_the_issue_and_ends() {
    let rig = graceful("outage_grace = true");
    let token = rig.sign_in("alice").await;
    away(&rig);
    // Signing in took a moment, which is in neither number.
    rig.pass(s(3 * 3600 - 20)).await;
    assert_extended(&rig.token(&never()).await, &token);
    rig.pass(s(20)).await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_error");
}

#[tokio::test(start_paused = true)]
async fn nobody_who_asked_for_more_gets_an_expired_token() {
    let rig = graceful("outage_grace = true");
    let token = rig.sign_in("alice").await;
    rig.expire().await;
    away(&rig);
    let claims = json!({"access_token": {}}).as_object().cloned();
    for request in [
        TokenRequest { min_validity: Some(0), ..never() },
        TokenRequest { force_refresh: true, ..never() },
        TokenRequest { claims, ..never() },
        TokenRequest { reject_token_sha256: Some("0".repeat(64)), ..never() },
        TokenRequest { resource: Some("urn:files".into()), ..never() },
        scopes(&["read", "openid", "other"]),
    ] {
        rig.refused(&request).await;
    }
    assert_extended(&rig.token(&never()).await, &token);
    let reject = TokenRequest { reject_token_sha256: Some(sha256(&token)), ..never() };
    rig.refused(&reject).await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_error", "what was rejected is gone");
}

#[tokio::test(start_paused = true)]
async fn without_the_key_or_without_an_extended_life_there_is_no_grace() {
    let plain = Rig::setup().profile("outage_grace = true").start();
    for rig in [graceful(""), plain] {
        rig.sign_in("alice").await;
        rig.expire().await;
        away(&rig);
        assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_error");
    }
}

#[tokio::test(start_paused = true)]
async fn a_locked_keyring_and_a_refusal_are_no_outage() {
    let rig = graceful("outage_grace = true");
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.store.set_locked(true);
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_locked");
    rig.store.set_locked(false);
    rig.fake.revoke_user("alice");
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}
