//! A caller that cannot show a prompt is answered at once, and the prompt is raised where somebody sees it.

use broker_client::{Event, Interaction, TokenRequest};
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, exposed, interactive, never, s};

fn elsewhere() -> TokenRequest {
    TokenRequest { interaction: Some(Interaction::Elsewhere), timeout: Some(8), ..TokenRequest::default() }
}

#[tokio::test(start_paused = true)]
async fn the_prompt_outlives_its_caller_and_brings_the_token_of_the_next() {
    let rig = Rig::start();
    let mut events = rig.new_client().events().await.expect("a reader");
    let refused = rig.refused(&elsewhere()).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert!(refused.hint.is_some_and(|hint| hint.contains("brokerctl prompts")));
    let Some(Ok(Event::PromptStarted(prompt))) = events.next().await else { panic!("no prompt") };
    rig.pass(s(60)).await;
    // Whoever asks meanwhile is told the same, and there is one prompt.
    rig.refused(&elsewhere()).await;
    assert_eq!(rig.client.prompts().await.expect("prompts").prompts.len(), 1);
    rig.fake.approve(&prompt.user_code, "alice");
    rig.pass(s(10)).await;
    let token = rig.token(&elsewhere()).await;
    assert_eq!(exposed(&token), exposed(&rig.token(&never()).await));
}

#[tokio::test(start_paused = true)]
async fn a_login_joins_what_was_raised() {
    let rig = Rig::start();
    let _events = rig.new_client().events().await.expect("a reader");
    rig.refused(&elsewhere()).await;
    rig.pass(s(1)).await;
    let raised = rig.client.prompts().await.expect("prompts").prompts;
    let mut login = rig.login(&interactive());
    assert_eq!(login.prompt().await.id, raised[0].id);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_raised_where_nobody_would_see_it() {
    let rig = Rig::start();
    let refused = rig.refused(&elsewhere()).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert!(refused.hint.is_some_and(|hint| hint.contains("brokerctl login")));
    rig.pass(s(5)).await;
    assert!(rig.client.prompts().await.expect("prompts").prompts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_declined_is_left_alone_for_a_while() {
    let rig = Rig::start();
    let _events = rig.new_client().events().await.expect("a reader");
    rig.refused(&elsewhere()).await;
    rig.pass(s(1)).await;
    let raised = rig.client.prompts().await.expect("prompts").prompts;
    rig.client.cancel_prompt(&raised[0].id).await.expect("it is there");
    let named = TokenRequest { profile: Some(raised[0].profile.clone()), ..elsewhere() };
    for request in [elsewhere(), named, elsewhere()] {
        rig.pass(s(60)).await;
        rig.refused(&request).await;
        rig.pass(s(1)).await;
        assert!(rig.client.prompts().await.expect("prompts").prompts.is_empty(), "not so soon");
    }
    rig.pass(s(600)).await;
    rig.refused(&elsewhere()).await;
    rig.pass(s(1)).await;
    assert_eq!(rig.client.prompts().await.expect("prompts").prompts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_time_is_over_is_waited_for() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let _events = rig.new_client().events().await.expect("a reader");
    rig.expire().await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    assert_eq!(rig.refused(&elsewhere()).await.error.as_str(), "timeout");
    rig.fake.revoke_user("alice");
    gate.open();
    rig.pass(s(1)).await;
    assert_eq!(rig.client.prompts().await.expect("prompts").prompts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_nobody_saw_is_no_reason_to_be_quiet() {
    let rig = Rig::start();
    let _events = rig.new_client().events().await.expect("a reader");
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::status(503));
    rig.refused(&elsewhere()).await;
    rig.pass(s(60)).await;
    assert!(rig.client.prompts().await.expect("prompts").prompts.is_empty(), "the provider gave none");
    rig.refused(&elsewhere()).await;
    rig.pass(s(1)).await;
    assert_eq!(rig.client.prompts().await.expect("prompts").prompts.len(), 1);
}
