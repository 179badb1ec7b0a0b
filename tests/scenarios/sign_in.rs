//! The device flow: who sees the prompt, who gets the token, and how long it lives.

use broker_client::{Interaction, TokenRequest};
use support::fake_as::{Endpoint, Grant};
use support::rig::{Rig, exposed, interactive, never, s, scopes};

#[tokio::test(start_paused = true)]
async fn the_first_request_prompts_and_the_second_is_served_from_memory() {
    let rig = Rig::start();

    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    let first = call.token().await;
    let seen = rig.fake.log().len();
    let second = rig.token(&interactive()).await;

    assert_eq!(exposed(&first), exposed(&second));
    assert_eq!(rig.fake.log().len(), seen, "the second request asked the provider");
    assert_eq!(first.token_type, "Bearer");
    assert_eq!((first.profile.as_str(), first.account.username.as_str()), ("work", "alice@example.com"));
    assert_eq!(first.scope, "offline_access openid read write");
    assert_eq!(rig.fake.access_token(exposed(&first)).unwrap().user, "alice");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_tells_all_a_person_needs() {
    let rig = Rig::start();
    let prompt = rig.call(&TokenRequest { account: Some("alice".into()), ..interactive() }).prompt().await;

    assert_eq!(vec![prompt.user_code.clone()], rig.fake.pending_user_codes());
    assert_eq!(prompt.verification_uri, format!("{}/device", rig.fake.issuer()));
    let complete = format!("{}?user_code={}", prompt.verification_uri, prompt.user_code);
    assert_eq!(prompt.verification_uri_complete.as_deref(), Some(complete.as_str()));
    assert_eq!((prompt.expires_in, prompt.interval), (900, 5));
    assert_eq!(prompt.expires_at, "2027-01-15T08:15:00Z");
    assert_eq!((prompt.profile.as_str(), prompt.account.as_deref()), ("work", Some("alice")));
    assert_eq!(prompt.scopes, ["offline_access", "openid", "read", "write"]);
    assert!(!prompt.id.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_late_caller_sees_the_prompt_at_once_and_both_get_the_token() {
    let rig = Rig::start();
    let mut first = rig.call(&interactive());
    let shown = first.prompt().await;
    rig.pass(s(100)).await;

    let asked = tokio::time::Instant::now();
    let mut late = rig.call(&interactive());
    let again = late.prompt().await;
    assert_eq!(asked.elapsed(), s(0));
    assert_eq!((&again.id, &again.user_code, again.expires_in), (&shown.id, &shown.user_code, 800));
    assert_eq!(again.expires_at, shown.expires_at);

    rig.fake.approve(&shown.user_code, "alice");
    let (first, late) = tokio::join!(first.token(), late.token());
    assert_eq!(exposed(&first), exposed(&late));
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_waiters_leaving_does_not_disturb_the_second() {
    let rig = Rig::start();
    let mut first = rig.call(&interactive());
    let prompt = first.prompt().await;
    let mut second = rig.call(&interactive());
    second.prompt().await;
    rig.pass(s(1)).await;

    drop(first);
    rig.pass(s(60)).await;
    rig.fake.approve(&prompt.user_code, "alice");

    second.token().await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn polling_stops_when_nobody_waits_and_the_next_caller_gets_a_new_prompt() {
    let rig = Rig::start();
    let mut first = rig.call(&interactive());
    let mut second = rig.call(&interactive());
    let old = first.prompt().await;
    second.prompt().await;
    rig.fake.wait_for_count(Grant::DeviceCode, 2).await;

    drop((first, second));
    rig.pass(s(3600)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), 2, "polled for nobody");
    assert!(rig.client.prompts().await.unwrap().prompts.is_empty());

    let mut next = rig.call(&interactive());
    let new = next.prompt().await;
    assert_ne!((old.id, old.user_code), (new.id, new.user_code.clone()));
    rig.fake.approve(&new.user_code, "alice");
    next.token().await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_in_the_air_is_finished_and_its_grant_saved_though_everybody_left() {
    let rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    let gate = rig.fake.hold_answer(Grant::DeviceCode);
    let waiting = rig.spawn(call.token());
    gate.arrived().await;

    waiting.abort();
    rig.pass(s(1)).await;
    gate.open();
    rig.pass(s(1)).await;

    assert_eq!(rig.account().await.username, "alice@example.com");
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_other_scopes_joins_the_prompt_and_is_served_by_a_refresh() {
    let rig = Rig::start();
    let mut first = rig.call(&interactive());
    let prompt = first.prompt().await;
    let narrow = TokenRequest { interaction: None, audience: Some("urn:files".into()), ..scopes(&["read"]) };
    let mut other = rig.call(&narrow);
    assert_eq!(other.prompt().await.id, prompt.id);

    rig.fake.approve(&prompt.user_code, "alice");
    let (first, other) = tokio::join!(first.token(), other.token());

    assert_ne!(exposed(&first), exposed(&other));
    assert_eq!(rig.fake.access_token(exposed(&other)).unwrap().audience, ["urn:files"]);
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_sign_in_never_is_answered_at_once_and_asks_nobody() {
    let rig = Rig::start();
    let asked = tokio::time::Instant::now();
    let refused = rig.refused(&never()).await;
    assert_eq!((refused.error.as_str(), refused.error.status()), ("interaction_required", 401));
    assert!(refused.hint.unwrap().contains("brokerctl login"));
    assert_eq!((asked.elapsed(), rig.fake.log().len()), (s(0), 0));

    // Nor is it led into a prompt that others wait for.
    let mut pending = rig.call(&interactive());
    pending.prompt().await;
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
    let answer = rig.raw(&rig.post("/v1/token", r#"{"interaction":"never"}"#)).await;
    assert_eq!(answer.status, 401);
    assert!(answer.has("content-type: application/json"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_always_asks_and_tells_who_signed_in_without_a_token() {
    let rig = Rig::start();
    rig.sign_in("alice").await;

    let mut login = rig.login(&interactive());
    let prompt = login.prompt().await;
    rig.fake.approve(&prompt.user_code, "bob");
    let event = login.next().await.unwrap().unwrap();

    let told = serde_json::to_value(&event).unwrap();
    assert_eq!((&told["event"], &told["account"]["username"]), (&"signed_in".into(), &"bob@example.com".into()));
    assert!(told.get("access_token").is_none(), "{told}");
    assert_eq!(rig.client.accounts().await.unwrap().accounts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_must_not_ask_is_a_contradiction() {
    let rig = Rig::start();
    let request = TokenRequest { interaction: Some(Interaction::Never), ..interactive() };
    assert_eq!(rig.login(&request).failure().await.error.as_str(), "bad_request");
    assert_eq!(rig.fake.log().len(), 0);
}

/// One client could ask for one name after the other, and have the provider throttle everybody.
#[tokio::test(start_paused = true)]
async fn only_so_many_sign_ins_wait_at_once() {
    let rig = Rig::start();
    let named = |name: usize| TokenRequest { account: Some(format!("user{name}@example.com")), ..interactive() };
    let mut pending = Vec::new();
    for name in 0..32 {
        let mut call = rig.call(&named(name));
        call.prompt().await;
        pending.push(call);
    }
    let refused = rig.call(&named(32)).failure().await;
    assert_eq!((refused.error.as_str(), refused.retry_after), ("throttled", None));
    assert!(refused.hint.unwrap().contains("brokerctl prompts"));
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 32);
    // Whoever wants what is pending already joins it.
    rig.call(&named(31)).prompt().await;

    let prompt = rig.client.prompts().await.unwrap().prompts.remove(0);
    rig.client.cancel_prompt(&prompt.id).await.unwrap();
    pending.remove(0).failure().await;
    rig.pass(s(60)).await;
    rig.call(&named(32)).prompt().await;
}
