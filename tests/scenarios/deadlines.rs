//! Whoever waits is answered in time, whatever the provider does.

use std::time::Duration;

use broker_client::{ClientError, SignedOut, TokenRequest};
use serde_json::Value;
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, interactive, never, s, scopes};
use tokio::time::Instant;

/// Signs an account out and returns what was said, and how long it took.
async fn signed_out(rig: &Rig, id: &str) -> (Value, Duration) {
    let start = Instant::now();
    let signed_out = rig.new_client().sign_out(id).await.unwrap();
    (serde_json::to_value(signed_out).unwrap(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_forgets_and_answers_though_a_refresh_hangs_in_front_of_it() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.fake.always(Grant::RefreshToken, Fault::Hang);
    let in_the_air = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    // These would each hang for as long, one after the other.
    let queued = [rig.background(&scopes(&["read"])), rig.background(&scopes(&["write"]))];
    rig.pass(s(1)).await;

    let (said, took) = signed_out(&rig, &id).await;
    assert!(took <= s(45), "{took:?}");
    // The refresh may have been served: what it brought is good, and nobody here has seen it.
    assert_eq!(said["revocation"], "failed", "{said}");
    assert!(said["detail"].as_str().unwrap().contains("cut off"), "{said}");
    assert_eq!(rig.fake.count(Endpoint::Revocation), 1, "the token that is known is revoked all the same");
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
    for waiting in std::iter::once(in_the_air).chain(queued) {
        assert_eq!(waiting.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
    rig.restart().await;
    assert!(rig.client.accounts().await.unwrap().accounts.is_empty());
}

/// What a refresh that was cut off has brought, nobody knows the next time either.
#[tokio::test(start_paused = true)]
async fn a_sign_out_that_failed_does_not_take_the_next_one_for_whole() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.fake.always(Grant::RefreshToken, Fault::Hang);
    let in_the_air = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    rig.store.set_locked(true);
    assert_eq!(rig.client.sign_out(&id).await.unwrap_err().code().as_str(), "keyring_locked");
    // Nobody has signed out.
    assert_eq!(in_the_air.await.unwrap().unwrap_err().code().as_str(), "provider_unreachable");
    rig.store.set_locked(false);
    let (said, _) = signed_out(&rig, &id).await;
    assert_eq!(said["revocation"], "failed", "{said}");
}

/// Of a refresh that was not sent, or was answered, nothing can have come: there is nothing to be in doubt about.
#[tokio::test(start_paused = true)]
async fn a_sign_out_after_a_refresh_that_brought_nothing_is_whole() {
    for (code, locked) in [(None, true), (Some(429), false)] {
        let rig = Rig::start();
        let id = rig.sign_in("alice").await.account.id;
        rig.expire().await;
        if let Some(code) = code {
            rig.fake.script(Grant::RefreshToken, Fault::status(code));
        }
        rig.store.set_locked(locked);
        rig.refused(&never()).await;
        rig.store.set_locked(false);
        rig.pass(s(600)).await;
        let (said, _) = signed_out(&rig, &id).await;
        assert_eq!(said["revocation"], "revoked", "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_waits_for_a_refresh_that_is_only_slow() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Delay(s(9)));
    let slow = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let (said, _) = signed_out(&rig, &id).await;
    assert_eq!(said["revocation"], "revoked", "{said}");
    slow.await.unwrap().unwrap();
}

/// A refresh whose answer comes nine seconds after a sign-out began, to a store that is inside somebody else's call for so long.
async fn saving_at_the_cut_off(store_hangs: u64) -> (Rig, tokio::task::JoinHandle<Result<SignedOut, ClientError>>) {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    drop(rig.background(&never()));
    gate.arrived().await;
    let client = rig.new_client();
    let signing_out = rig.spawn(async move { client.sign_out(&id).await });
    rig.pass(s(8)).await;
    rig.store.set_hanging(true);
    let mut before = rig.call(&TokenRequest { profile: Some("other".into()), ..interactive() });
    drop(rig.spawn(async move { drop(before.next().await) }));
    rig.pass(s(1)).await;
    gate.open();
    rig.pass(s(store_hangs)).await;
    (rig, signing_out)
}

/// Cut off there, the token that the provider has rotated to would be lost, and nobody could revoke it.
#[tokio::test(start_paused = true)]
async fn a_sign_out_does_not_cut_off_a_refresh_that_is_being_saved() {
    let (rig, signing_out) = saving_at_the_cut_off(2).await;
    rig.store.set_hanging(false);
    let said = serde_json::to_value(signing_out.await.unwrap().unwrap()).unwrap();
    assert_eq!(said["revocation"], "revoked", "{said}");
    assert!(rig.fake.families()[0].revoked.is_some(), "the successor was revoked, not the spent one");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_stays_signed_in_for_its_store_has_what_the_refresh_brought() {
    let (rig, signing_out) = saving_at_the_cut_off(20).await;
    assert_eq!(signing_out.await.unwrap().unwrap_err().code().as_str(), "keyring_locked");
    rig.store.set_hanging(false);
    let forced = TokenRequest { force_refresh: true, ..never() };
    rig.token(&forced).await;
    assert_eq!(rig.fake.reuse_detected(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_goes_before_refreshes_that_have_not_begun() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.fake.always(Grant::RefreshToken, Fault::Delay(s(8)));
    let in_the_air = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let queued = rig.background(&scopes(&["read"]));
    rig.pass(s(1)).await;
    let (said, _) = signed_out(&rig, &id).await;
    assert_eq!((&said["revocation"], rig.fake.count(Grant::RefreshToken)), (&"revoked".into(), 1), "{said}");
    in_the_air.await.unwrap().unwrap();
    assert_eq!(queued.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_forgets_and_answers_though_the_revocation_hangs() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.fake.always(Endpoint::Revocation, Fault::Hang);
    // And the discovery in front of it, which a daemon that has just started makes first.
    rig.restart().await;
    rig.fake.always(Endpoint::Discovery, Fault::Delay(s(29)));
    let (said, took) = signed_out(&rig, &id).await;
    assert!(took <= s(45), "{took:?}");
    assert_eq!(said["revocation"], "failed");
    assert!(said["detail"].is_string(), "{said}");
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_that_the_store_refuses_leaves_later_refreshes_alone() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.store.set_locked(true);
    rig.client.sign_out(&id).await.unwrap_err();
    rig.store.set_locked(false);
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Delay(s(20)));
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn the_doctor_and_a_probe_answer_though_every_provider_hangs() {
    let rig = Rig::start();
    for provider in [&rig.fake, &rig.other] {
        provider.always(Endpoint::Discovery, Fault::Hang);
    }
    let start = Instant::now();
    let findings = rig.client.doctor().await.unwrap();
    assert!(start.elapsed() <= s(35), "{:?}", start.elapsed());
    let bad: Vec<_> =
        findings.findings.iter().filter(|finding| !finding.ok).map(|finding| finding.subject.as_str()).collect();
    assert_eq!(bad, ["other", "work"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_several_slow_answers_has_one_deadline() {
    let rig = Rig::start();
    // Neither document is there, and each time it takes nearly as long as an exchange may.
    rig.fake.reconfigure(|options| options.discovery = support::fake_as::Discovery::None);
    rig.fake.always(Endpoint::Unknown, Fault::Delay(s(29)));
    let start = Instant::now();
    let probe = broker_client::ProbeRequest { profile: Some("work".into()), ..Default::default() };
    let findings = rig.client.probe(&probe).await.unwrap();
    assert!(start.elapsed() <= s(35), "{:?}", start.elapsed());
    assert!(!findings.ok && findings.findings[0].detail.contains("no answer in 30 s"), "{findings:?}");
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_many_refreshes() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let before = rig.fake.connections();
    for _ in 0..20 {
        rig.token(&broker_client::TokenRequest { force_refresh: true, ..never() }).await;
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 20);
    assert_eq!(rig.fake.connections(), before);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_that_somebody_else_signed_in_does_not_wait_for_the_revocation() {
    let rig = Rig::start();
    rig.fake.always(Endpoint::Revocation, Fault::Hang);
    let mut call = rig.call(&TokenRequest { account: Some("bob@example.com".into()), ..interactive() });
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    rig.fake
        .wait_for(|log| log.iter().any(|request| request.is(Grant::DeviceCode) && request.status == Some(200)))
        .await;
    let start = Instant::now();
    assert_eq!(call.failure().await.error.as_str(), "account_mismatch");
    assert!(start.elapsed() < s(1), "{:?}", start.elapsed());
    rig.fake.wait_for_count(Endpoint::Revocation, 1).await;
}
