//! Which token is served, and when the provider is asked for another.

use broker_client::TokenRequest;
use futures_util::future::join_all;
use serde_json::json;
use support::fake_as::Grant;
use support::rig::{Rig, exposed, interactive, never, s, scopes, sha256};

fn refreshes(rig: &Rig) -> usize {
    rig.fake.count(Grant::RefreshToken)
}

#[tokio::test(start_paused = true)]
async fn in_the_last_fifth_the_token_is_served_at_once_and_refreshed_behind() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    rig.pass(s(3000)).await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    for _ in 0..5 {
        assert_eq!(exposed(&rig.token(&never()).await), exposed(&old));
    }
    gate.arrived().await;
    gate.open();
    rig.pass(s(1)).await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&old));
    assert_eq!(refreshes(&rig), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_account_is_left_alone() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let seen = rig.fake.log().len();
    rig.pass(s(7 * 24 * 3600)).await;
    assert_eq!(rig.fake.log().len(), seen);
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_dropped_and_replaced_once_for_everybody() {
    let rig = Rig::start();
    let rejected = rig.sign_in("alice").await;
    let files = TokenRequest { audience: Some("urn:files".into()), ..never() };
    let kept = rig.token(&files).await;
    let reject = TokenRequest { reject_token_sha256: Some(sha256(&rejected)), ..never() };

    let answers = join_all((0..20).map(|_| rig.background(&reject)).collect::<Vec<_>>()).await;
    let tokens: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert!(tokens.iter().all(|token| exposed(token) == exposed(&tokens[0]) && exposed(token) != exposed(&rejected)));
    rig.token(&reject).await;
    assert_eq!(refreshes(&rig), 2, "one for files, one for all who rejected");
    assert_eq!(exposed(&rig.token(&files).await), exposed(&kept));
}

#[tokio::test(start_paused = true)]
async fn a_hash_that_is_none_is_a_bad_request() {
    let rig = Rig::start();
    let token = rig.sign_in("alice").await;
    for hash in [sha256(&token).to_uppercase(), "abc".into(), String::new()] {
        let refused = rig.refused(&TokenRequest { reject_token_sha256: Some(hash), ..never() }).await;
        assert_eq!(refused.error.as_str(), "bad_request");
    }
}

#[tokio::test(start_paused = true)]
async fn force_refresh_brings_a_new_token_and_replaces_the_old() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    let new = rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    assert_ne!(exposed(&new), exposed(&old));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&new));
    assert_eq!(refreshes(&rig), 1);
}

#[tokio::test(start_paused = true)]
async fn claims_are_passed_on() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": "1"}}});
    rig.token(&TokenRequest { claims: claims.as_object().cloned(), ..never() }).await;
    let sent = rig.fake.log().pop().unwrap();
    let sent: serde_json::Value = serde_json::from_str(sent.field("claims").unwrap()).unwrap();
    assert_eq!(sent, claims);
}

#[tokio::test(start_paused = true)]
async fn a_callers_own_validity_is_kept() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    rig.pass(s(1000)).await;
    assert_eq!(exposed(&rig.token(&TokenRequest { min_validity: Some(2600), ..never() }).await), exposed(&old));
    assert_ne!(exposed(&rig.token(&TokenRequest { min_validity: Some(2601), ..never() }).await), exposed(&old));
    assert_eq!(refreshes(&rig), 1);
}

#[tokio::test(start_paused = true)]
async fn a_validity_no_token_has_does_not_refresh_for_every_caller() {
    let rig = Rig::setup().provider(|options| options.access_token_lifetime = s(120)).start();
    rig.sign_in("alice").await;
    for _ in 0..20 {
        rig.token(&TokenRequest { min_validity: Some(3600), ..never() }).await;
        rig.pass(s(1)).await;
    }
    assert_eq!(refreshes(&rig), 0);
}

#[tokio::test(start_paused = true)]
async fn a_short_lived_token_serves_until_its_last_tenth() {
    let rig = Rig::setup().provider(|options| options.access_token_lifetime = s(100)).start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(75)).await;
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&token));
    assert_eq!(refreshes(&rig), 0);
    rig.pass(s(17)).await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&token));
}

#[tokio::test(start_paused = true)]
async fn a_token_for_more_serves_those_who_want_less_in_any_order() {
    let rig = Rig::start();
    let token = rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(&["write", "read"]) }, "alice").await;
    for wanted in [&["read"][..], &["read", "write"], &["write", "openid"], &[]] {
        assert_eq!(exposed(&rig.token(&scopes(wanted)).await), exposed(&token), "{wanted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_for_different_audiences_are_not_mixed_up() {
    let rig = Rig::start();
    let plain = rig.sign_in("alice").await;
    let files = TokenRequest { audience: Some("urn:files".into()), ..never() };
    let mail = TokenRequest { audience: Some("urn:mail".into()), ..never() };
    let (files, mail) = (rig.token(&files).await, rig.token(&mail).await);
    let audience = |token| rig.fake.access_token(exposed(token)).unwrap().audience;
    assert_eq!((audience(&files), audience(&mail)), (vec!["urn:files".to_owned()], vec!["urn:mail".to_owned()]));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&plain));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_refresh_token_the_access_token_serves_to_its_end() {
    let rig = Rig::setup().provider(|options| options.refresh_tokens = support::fake_as::RefreshTokens::Never).start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(3400)).await;
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&token));
    rig.expire().await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    rig.sign_in_with(&interactive(), "alice").await;
}

/// As long as tokens live, or nearly: round numbers, as people write them.
#[tokio::test(start_paused = true)]
async fn a_promise_as_long_as_a_life_is_not_kept_by_a_refresh_for_each_call() {
    for (life, promise) in [(3600, 3599), (3600, 3600), (3600, 3601), (300, 300), (7200, 7200)] {
        let rig = Rig::setup().provider(|options| options.access_token_lifetime = s(life)).start();
        rig.sign_in("alice").await;
        for _ in 0..30 {
            rig.pass(s(1)).await;
            rig.token(&TokenRequest { min_validity: Some(promise), ..never() }).await;
        }
        let asked = rig.fake.count(Grant::RefreshToken);
        assert!(asked <= 1, "{asked} refreshes in 30 s: {promise} s of {life}");
    }
}
