//! Looking on: prompts, events, status, and cancelling a prompt.

use broker_client::{AccountState, Event, EventStream, TokenRequest};
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, interactive, never, s};

async fn next(events: &mut EventStream) -> Event {
    tokio::time::timeout(s(3600), events.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn events_tell_prompts_and_accounts_from_beginning_to_end() {
    let rig = Rig::start();
    let mut events = rig.new_client().events().await.unwrap();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    let Event::PromptStarted(told) = next(&mut events).await else { panic!("no prompt") };
    assert_eq!(told.id, prompt.id);
    rig.fake.approve(&prompt.user_code, "alice");
    let id = call.token().await.account.id;
    let Event::AccountChanged { account, profile, state } = next(&mut events).await else { panic!("no account") };
    assert_eq!((account.id, profile.as_str(), state), (id.clone(), "work", Some(AccountState::SignedIn)));
    let Event::PromptEnded { id: ended, outcome } = next(&mut events).await else { panic!("no end") };
    assert_eq!((ended, outcome.as_str()), (prompt.id, "signed_in"));

    rig.client.sign_out(&id).await.unwrap();
    let Event::AccountChanged { account, state, .. } = next(&mut events).await else { panic!("no account") };
    assert_eq!((account.username.as_str(), state), ("alice@example.com", None));
}

/// The revocation of the old one takes its time, and the account has its id again.
#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_an_account_that_came_after_the_one_that_signs_out() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.fake.always(Endpoint::Revocation, Fault::Hang);
    let client = rig.new_client();
    let signing_out = rig.spawn(async move { client.sign_out(&id).await });
    rig.fake.wait_for_count(Endpoint::Revocation, 1).await;
    rig.sign_in("alice").await;
    let mut events = rig.new_client().events().await.unwrap();
    signing_out.await.unwrap().unwrap();
    assert!(tokio::time::timeout(s(3600), events.next()).await.is_err());
    assert_eq!(rig.account().await.state, AccountState::SignedIn);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_begins_with_what_is_pending_and_keeps_nothing_alive() {
    let mut rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    let mut events = rig.new_client().events().await.unwrap();
    let Event::PromptStarted(told) = next(&mut events).await else { panic!("no prompt") };
    assert_eq!(told.id, prompt.id);

    drop(call);
    let Event::PromptEnded { id, outcome } = next(&mut events).await else { panic!("no end") };
    assert_eq!((id, outcome.as_str()), (prompt.id, "abandoned"));
    rig.pass(s(3600)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), 0);
    rig.stop().await;
    assert!(events.next().await.is_none(), "it ends with the daemon");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_prompt_is_cancelled_for_everybody_who_waits() {
    let rig = Rig::start();
    let (mut one, mut two) = (rig.call(&interactive()), rig.call(&interactive()));
    let prompt = one.prompt().await;
    two.prompt().await;
    let pending = rig.client.prompts().await.unwrap().prompts;
    assert_eq!(pending, std::slice::from_ref(&prompt));

    let answer = rig.raw(&format!("DELETE /v1/prompts/{} HTTP/1.1\r\nhost: brokerd\r\n\r\n", prompt.id)).await;
    assert_eq!(answer.status, 204);
    let (one, two) = tokio::join!(one.failure(), two.failure());
    assert_eq!((one.error.as_str(), two.error.as_str()), ("cancelled", "cancelled"));
    assert_eq!(rig.client.cancel_prompt(&prompt.id).await.unwrap_err().code().as_str(), "not_found");
    rig.pass(s(3600)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), 0);
}

#[tokio::test(start_paused = true)]
async fn status_tells_profiles_store_and_what_is_in_the_air() {
    let rig = Rig::start();
    let mut call = rig.call(&TokenRequest { profile: Some("other".into()), ..interactive() });
    call.prompt().await;
    rig.sign_in("alice").await;
    rig.expire().await;
    let mut call = rig.call(&TokenRequest { profile: Some("other".into()), ..interactive() });
    call.prompt().await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let callers: Vec<_> = (0..3).map(|_| rig.background(&never())).collect();
    gate.arrived().await;
    rig.pass(s(1)).await;

    let status = rig.client.status().await.unwrap();
    let profiles: Vec<_> = status.profiles.iter().map(|profile| (profile.name.as_str(), profile.default)).collect();
    assert_eq!(profiles, [("other", false), ("work", true)]);
    assert_eq!((status.store.kind.as_str(), status.store.state.as_str(), status.accounts), ("memory", "ok", 1));
    let flights: Vec<_> = status.flights.iter().map(|flight| (flight.kind.as_str(), flight.waiters)).collect();
    assert_eq!(flights, [("device_code", 1), ("refresh", 3)]);
    gate.open();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn doctor_finds_what_is_wrong_and_says_what_to_do() {
    let rig = Rig::start();
    assert!(rig.client.doctor().await.unwrap().ok);
    rig.store.set_locked(true);
    rig.other.refuse_connections(true);
    rig.other.drop_connections();
    let found = rig.client.doctor().await.unwrap();
    let bad: Vec<_> = found.findings.iter().filter(|finding| !finding.ok).collect();
    let named: Vec<_> = bad.iter().map(|finding| (finding.check.as_str(), finding.subject.as_str())).collect();
    assert_eq!(named, [("store", ""), ("provider", "other")]);
    assert!(bad.iter().all(|finding| finding.hint.is_some()));
}
