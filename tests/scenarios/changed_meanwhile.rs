//! What was under way when its profile changed, when its prompt was cancelled, or when those who waited for it left.

use broker_client::TokenRequest;
use serde_json::json;
use support::fake_as::{Client, Endpoint, Fault, Grant};
use support::rig::{Rig, exposed, interactive, never, s};
use tokio::time::Instant;

fn two_clients() -> Rig {
    Rig::setup().provider(|options| options.clients.push(Client::public("new"))).start()
}

/// Makes the profile `work` one of the client `new`.
async fn replace_client(rig: &Rig) {
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replacen("\"cli\"", "\"new\"", 1));
    rig.client.reload().await.unwrap();
}

fn client_of(rig: &Rig, token: &broker_client::TokenResponse) -> String {
    rig.fake.access_token(exposed(token)).unwrap().client_id
}

#[tokio::test(start_paused = true)]
async fn a_late_sign_in_of_the_old_client_does_not_replace_that_of_the_new_one() {
    let rig = two_clients();
    let mut old = rig.call(&interactive());
    let prompt = old.prompt().await;
    let gate = rig.fake.hold_answer(Grant::DeviceCode);
    rig.fake.approve(&prompt.user_code, "alice");
    gate.arrived().await;
    replace_client(&rig).await;
    let mut new = rig.call(&interactive());
    let second = new.prompt().await;
    assert_ne!(second.id, prompt.id, "the cancelled sign-in is not joined");
    rig.fake.approve(&second.user_code, "alice");
    assert_eq!(client_of(&rig, &new.token().await), "new");
    gate.open();
    let told = old.failure().await;
    assert!(told.error_description.contains("has changed since"), "{told:?}");
    rig.pass(s(1)).await;
    assert_eq!(rig.fake.count(Endpoint::Revocation), 1, "what nobody takes is given back");
    rig.token(&never()).await;
    rig.expire().await;
    assert_eq!(client_of(&rig, &rig.token(&never()).await), "new");
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_the_old_profile_starts_no_sign_in_of_it() {
    let rig = two_clients();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let mut old = rig.call(&TokenRequest { force_refresh: true, ..interactive() });
    let waiting = rig.spawn(async move { old.next().await });
    gate.arrived().await;
    replace_client(&rig).await;
    rig.fake.revoke_user("alice");
    gate.open();
    let told = format!("{:?}", waiting.await.unwrap());
    assert!(told.contains("has changed while this request waited"), "{told}");
    let mut new = rig.call(&interactive());
    let prompt = new.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    assert_eq!(client_of(&rig, &new.token().await), "new");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_asked_for_under_the_old_profile_serves_nobody_of_the_new_one() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&never());
    gate.arrived().await;
    // The same client at the same issuer: the grant stays, and what it was asked with is another thing.
    let scopes = "\"read\", \"write\"]";
    rig.write_config(&config.replacen(scopes, &format!("{scopes}\nextra_parameters = {{ foo = \"1\" }}"), 1));
    assert_eq!(rig.client.reload().await.unwrap().changed, ["work"]);
    gate.open();
    let old = caller.await.unwrap().unwrap();
    assert_ne!(exposed(&old), exposed(&rig.token(&never()).await));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_prompt_ends_at_once_for_all_and_is_joined_by_nobody() {
    let rig = Rig::start();
    let mut old = rig.call(&interactive());
    let prompt = old.prompt().await;
    rig.fake.script(Grant::DeviceCode, Fault::Hang);
    rig.fake.wait_for_count(Grant::DeviceCode, 1).await;
    let start = Instant::now();
    rig.client.cancel_prompt(&prompt.id).await.unwrap();
    assert_eq!(old.failure().await.error.as_str(), "cancelled");
    assert_ne!(rig.call(&interactive()).prompt().await.id, prompt.id);
    assert!(start.elapsed() < s(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn callers_who_left_leave_nothing_in_the_queue() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let first = rig.background(&TokenRequest { force_refresh: true, ..never() });
    gate.arrived().await;
    for number in 0..100 {
        let claims = json!({"access_token": {"x": number}}).as_object().cloned();
        let call = rig.background(&TokenRequest { claims, ..never() });
        rig.pass(std::time::Duration::from_millis(5)).await;
        call.abort();
    }
    rig.pass(s(1)).await;
    let flights = rig.client.status().await.unwrap().flights;
    assert!(flights.len() <= 2, "{} flights", flights.len());
    gate.open();
    first.await.unwrap().unwrap();
}
