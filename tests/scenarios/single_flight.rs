//! Many callers, one grant: how often the provider is asked.

use std::collections::BTreeSet;

use broker_client::TokenRequest;
use futures_util::future::join_all;
use support::fake_as::Grant;
use support::rig::{Rig, exposed, interactive, never, s, scopes};

#[tokio::test(start_paused = true)]
async fn fifty_callers_with_an_expired_token_cause_one_refresh() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    rig.expire().await;

    let callers: Vec<_> = (0..50).map(|_| rig.background(&never())).collect();
    let tokens: Vec<_> = join_all(callers).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();

    let distinct: BTreeSet<_> = tokens.iter().map(exposed).collect();
    assert_eq!((tokens.len(), distinct.len()), (50, 1));
    assert!(!distinct.contains(exposed(&old)));
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
    assert_eq!(rig.fake.reuse_detected(), 0);
}

#[tokio::test(start_paused = true)]
async fn callers_who_come_while_the_refresh_is_in_the_air_join_it() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);

    let first = rig.background(&never());
    gate.arrived().await;
    let late: Vec<_> = (0..10).map(|_| rig.background(&never())).collect();
    rig.pass(s(5)).await;
    first.abort(); // who began it does not own it
    gate.open();

    for answer in join_all(late).await {
        answer.unwrap().unwrap();
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

/// Access tokens of these four do not cover each other.
fn four() -> Vec<TokenRequest> {
    let audience = |name: &str| TokenRequest { audience: Some(format!("urn:{name}")), ..never() };
    vec![scopes(&["read"]), scopes(&["write"]), audience("files"), audience("mail")]
}

#[tokio::test(start_paused = true)]
async fn different_tokens_of_one_rotating_grant_are_fetched_one_after_the_other() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let first = rig.fake.hold(Grant::RefreshToken);

    let callers: Vec<_> = four().iter().map(|request| rig.background(request)).collect();
    first.arrived().await;
    rig.pass(s(10)).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1, "the others wait for the grant");
    first.open();

    let tokens = join_all(callers).await;
    let distinct: BTreeSet<_> =
        tokens.iter().map(|answer| exposed(answer.as_ref().unwrap().as_ref().unwrap()).to_owned()).collect();
    assert_eq!(distinct.len(), 4);
    let log = rig.fake.log();
    let spent: BTreeSet<_> = log
        .iter()
        .filter(|request| request.is(Grant::RefreshToken))
        .map(|request| request.field("refresh_token"))
        .collect();
    assert_eq!((rig.fake.count(Grant::RefreshToken), spent.len()), (4, 4), "each refresh token is spent once");
    assert_eq!(rig.fake.reuse_detected(), 0);
}

#[tokio::test(start_paused = true)]
async fn twenty_callers_for_each_of_four_tokens_cause_four_refreshes() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;

    let callers = (0..20).flat_map(|_| four()).map(|request| rig.background(&request));
    let answers = join_all(callers.collect::<Vec<_>>()).await;

    let distinct: BTreeSet<_> =
        answers.iter().map(|answer| exposed(answer.as_ref().unwrap().as_ref().unwrap()).to_owned()).collect();
    assert_eq!((answers.len(), distinct.len()), (80, 4));
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_in_the_air_lands_and_is_saved_though_its_caller_left() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;

    caller.abort();
    rig.pass(s(1)).await;
    gate.open();

    rig.token(&never()).await;
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.fake.reuse_detected()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_nobody_waits_for_any_more_is_not_begun() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let first = rig.background(&scopes(&["read"]));
    gate.arrived().await;
    let queued = rig.background(&scopes(&["write"]));
    rig.pass(s(1)).await;

    queued.abort();
    rig.pass(s(1)).await;
    gate.open();

    first.await.unwrap().unwrap();
    rig.pass(s(60)).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_without_a_sign_in_share_one_prompt() {
    let rig = Rig::start();
    let mut calls: Vec<_> = (0..50).map(|_| rig.call(&interactive())).collect();
    let prompts = join_all(calls.iter_mut().map(support::rig::Call::prompt)).await;
    assert!(prompts.iter().all(|prompt| prompt.id == prompts[0].id));
    rig.fake.approve(&prompts[0].user_code, "alice");
    let tokens = join_all(calls.into_iter().map(support::rig::Call::token)).await;
    assert!(tokens.iter().all(|token| exposed(token) == exposed(&tokens[0])));
}
