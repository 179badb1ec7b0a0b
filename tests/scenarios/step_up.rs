//! More scopes than the sign-in covers: a person is asked, and nobody else is held up.

use broker_client::TokenRequest;
use support::fake_as::{Endpoint, Fault, Grant, Options};
use support::rig::{Rig, exposed, interactive, never, scopes};

fn admin() -> TokenRequest {
    TokenRequest { interaction: None, ..scopes(&["admin"]) }
}

#[tokio::test(start_paused = true)]
async fn a_step_up_asks_a_person_and_does_not_hold_up_refreshes() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let mut step_up = rig.call(&admin());
    let prompt = step_up.prompt().await;
    assert_eq!(prompt.account.as_deref(), Some("alice@example.com"));
    assert!(
        ["admin", "read", "write"].iter().all(|scope| prompt.scopes.iter().any(|asked| asked == scope)),
        "{prompt:?}"
    );

    let refreshed = rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    assert!(rig.fake.access_token(exposed(&refreshed)).is_some());
    assert_eq!(rig.refused(&scopes(&["admin"])).await.error.as_str(), "interaction_required");

    rig.fake.approve(&prompt.user_code, "alice");
    let token = step_up.token().await;
    assert!(token.scope.contains("admin"));
}

#[tokio::test(start_paused = true)]
async fn after_a_step_up_nothing_asks_again() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.sign_in_with(&admin(), "alice").await;
    for _ in 0..2 {
        rig.token(&scopes(&["admin"])).await;
        rig.token(&never()).await;
        rig.token(&scopes(&["read"])).await;
        rig.expire().await;
        rig.token(&scopes(&["admin"])).await;
        rig.token(&never()).await;
        rig.restart().await;
    }
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 2);
    assert_eq!(rig.fake.reuse_detected(), 0);
}

#[tokio::test(start_paused = true)]
async fn those_who_want_the_same_step_up_share_its_prompt() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let (mut first, mut second) = (rig.call(&admin()), rig.call(&admin()));
    let prompt = first.prompt().await;
    assert_eq!(second.prompt().await.id, prompt.id);
    rig.fake.approve(&prompt.user_code, "alice");
    let (first, second) = tokio::join!(first.token(), second.token());
    assert_eq!(exposed(&first), exposed(&second));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_grants_less_than_asked_is_not_asked_for_ever() {
    let granted = ["openid", "offline_access", "read"].map(str::to_owned).to_vec();
    let rig = Rig::setup().provider(|options| options.grantable_scopes = Some(granted)).start();
    let wanted = TokenRequest { interaction: None, ..scopes(&["read", "admin"]) };
    let token = rig.sign_in_with(&wanted, "alice").await;
    assert_eq!(token.scope, "offline_access openid read");
    assert_eq!(exposed(&rig.token(&wanted).await), exposed(&token), "what it was granted as serves it");
    rig.expire().await;
    let token = rig.token(&wanted).await;
    assert_eq!(exposed(&rig.token(&wanted).await), exposed(&token));
    assert_eq!((rig.fake.count(Endpoint::DeviceAuthorization), rig.fake.count(Grant::RefreshToken)), (1, 1));
}

/// A request without a scope stands for what was granted (RFC 6749 §6), and so does its answer without one.
#[tokio::test(start_paused = true)]
async fn what_was_never_granted_is_not_told_as_granted_where_a_refresh_says_no_scope() {
    let granted = ["openid", "offline_access", "read"].map(str::to_owned).to_vec();
    let provider = |options: &mut Options| {
        options.grantable_scopes = Some(granted);
        options.quirks.unsaid_scope = true;
    };
    let rig = Rig::setup().provider(provider).start();
    rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(&["read", "admin"]) }, "alice").await;
    rig.expire().await;
    assert_eq!(rig.token(&scopes(&["admin"])).await.scope, "offline_access openid read");
    assert_eq!(rig.token(&scopes(&["read"])).await.scope, "offline_access openid read");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_wants_a_person_gets_one_with_its_claims_and_the_grant_stays() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let challenge = Fault::Oauth {
        error: "interaction_required".into(),
        description: "mfa".into(),
        extra: serde_json::json!({"claims": "{\"access_token\":{\"acrs\":{\"value\":\"c1\"}}}"})
            .as_object()
            .unwrap()
            .clone(),
    };
    rig.fake.script(Grant::RefreshToken, challenge.clone());
    let refused = rig.refused(&never()).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert!(refused.provider.unwrap().claims.is_some());

    rig.fake.script(Grant::RefreshToken, challenge);
    rig.sign_in_with(&interactive(), "alice").await;
    let asked = rig.fake.log().into_iter().rfind(|request| request.is(Endpoint::DeviceAuthorization)).unwrap();
    assert_eq!(asked.field("claims"), Some(r#"{"access_token":{"acrs":{"value":"c1"}}}"#));
}

#[tokio::test(start_paused = true)]
async fn the_command_in_the_hint_asks_for_what_was_refused() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refused = rig.refused(&scopes(&["admin"])).await;
    assert_eq!(refused.hint.as_deref(), Some("run: brokerctl login work -a alice@example.com -s admin"));
    let carol = TokenRequest { account: Some("carol".into()), ..never() };
    assert_eq!(rig.refused(&carol).await.hint.as_deref(), Some("run: brokerctl login work -a carol"));
}

/// Two tools step the same account up at once, each for a scope of its own: the later sign-in replaces the earlier.
#[tokio::test(start_paused = true)]
async fn of_two_step_ups_at_once_the_later_keeps_what_the_earlier_brought() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let ask = |scope: &str| TokenRequest { interaction: None, ..scopes(&[scope]) };
    let (mut one, mut two) = (rig.call(&ask("mail")), rig.call(&ask("files")));
    let first = one.prompt().await;
    let second = two.prompt().await;
    assert_ne!(first.id, second.id);
    for (prompt, call) in [(first, one), (second, two)] {
        rig.fake.approve(&prompt.user_code, "alice");
        call.token().await;
    }
    rig.expire().await;
    rig.token(&scopes(&["files"])).await;
    rig.token(&scopes(&["mail"])).await;
}

/// A scope that the account once asked for and the provider has given up stands in nobody's way.
#[tokio::test(start_paused = true)]
async fn a_scope_that_is_no_more_is_left_out_of_the_next_sign_in() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(&["legacy"]) }, "alice").await;
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::oauth("invalid_scope"));
    rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(&["mail"]) }, "alice").await;
    let asked = rig.fake.log().into_iter().filter(|request| request.is(Endpoint::DeviceAuthorization));
    let named: Vec<bool> = asked.map(|request| request.field("scope").unwrap_or_default().contains("legacy")).collect();
    assert_eq!(named, [false, true, true, false]);
}
