//! What the provider refused is remembered for a while: a loop of scripts does not hammer it, and holds up nothing else.

use broker_client::TokenRequest;
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, exposed, interactive, never, s, scopes};

/// Alice is signed in, and her token has expired.
async fn expired() -> Rig {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig
}

fn forced() -> TokenRequest {
    TokenRequest { force_refresh: true, ..never() }
}

fn mfa() -> Fault {
    Fault::aadsts("invalid_grant", Some("basic_action"), 50_076)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_for_two_minutes_and_asked_anew_after() {
    for (fault, code) in [
        (mfa(), "interaction_required"),
        (Fault::oauth("interaction_required"), "interaction_required"),
        (Fault::aadsts("invalid_grant", Some("message_only"), 53_003), "blocked"),
        (Fault::oauth("invalid_target"), "configuration"),
        (Fault::oauth("invalid_client"), "configuration"),
    ] {
        let rig = expired().await;
        rig.fake.always(Grant::RefreshToken, fault.clone());
        let first = rig.refused(&never()).await;
        assert_eq!(first.error.as_str(), code);
        let seen = rig.account().await.last_error.unwrap();
        let (sent, written) = (rig.fake.count(Grant::RefreshToken), rig.writes().len());
        for request in [never(), forced(), never()] {
            rig.pass(s(39)).await;
            assert_eq!(rig.refused(&request).await, first, "{fault:?}");
        }
        assert_eq!((rig.fake.count(Grant::RefreshToken), rig.writes().len()), (sent, written), "{fault:?}");
        let still = rig.account().await.last_error.unwrap();
        assert_eq!((&still.at, still.body.error), (&seen.at, first.error), "with the time it was said");
        rig.pass(s(4)).await;
        rig.fake.clear();
        rig.token(&never()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_holds_up_nothing_else() {
    let rig = expired().await;
    rig.fake.script(Grant::RefreshToken, mfa());
    rig.refused(&never()).await;
    let challenge = json!({"access_token": {"nbf": {"essential": true, "value": "1"}}});
    for other in [
        scopes(&["read"]),
        TokenRequest { audience: Some("https://files.example/".into()), ..never() },
        TokenRequest { audience: Some("https://api.example/".into()), ..never() },
        TokenRequest { claims: challenge.as_object().cloned(), ..never() },
    ] {
        rig.token(&other).await;
    }
    rig.refused(&forced()).await;
}

#[tokio::test(start_paused = true)]
async fn a_person_goes_straight_from_a_remembered_refusal_to_the_prompt_and_ends_it() {
    let rig = expired().await;
    rig.fake.script(Grant::RefreshToken, mfa());
    rig.refused(&never()).await;
    let sent = rig.fake.count(Grant::RefreshToken);
    rig.sign_in_with(&interactive(), "alice").await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent);
    rig.token(&forced()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent + 1, "forgotten with the new sign-in");
}

#[tokio::test(start_paused = true)]
async fn another_configuration_and_another_sign_in_forget_refusals() {
    let rig = expired().await;
    rig.fake.script(Grant::RefreshToken, Fault::oauth("invalid_client"));
    assert_eq!(rig.refused(&never()).await.error.as_str(), "configuration");
    let same = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.client.reload().await.unwrap();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "configuration", "nothing has changed");
    rig.write_config(&same.replacen("client_id", "audience = \"https://api.example/\"\nclient_id", 1));
    rig.client.reload().await.unwrap();
    rig.write_config(&same);
    rig.client.reload().await.unwrap();
    rig.token(&never()).await;

    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, mfa());
    rig.refused(&never()).await;
    rig.client.sign_out(&rig.account().await.id).await.unwrap();
    rig.sign_in("alice").await;
    rig.token(&forced()).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_block_is_never_a_prompt() {
    let rig = expired().await;
    rig.fake.always(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("message_only"), 53_003));
    for _ in 0..10 {
        assert_eq!(rig.refused(&interactive()).await.error.as_str(), "blocked");
    }
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "that of the sign-in");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_nobody_has_heard_of_is_not_hammered_either() {
    let rig = Rig::start();
    let token = rig.sign_in("alice").await;
    rig.pass(s(3400)).await;
    rig.fake.always(Grant::RefreshToken, Fault::oauth("something_new"));
    for _ in 0..20 {
        assert_eq!(exposed(&rig.token(&never()).await), exposed(&token), "what still lives is served");
        assert_eq!(rig.refused(&forced()).await.error.as_str(), "provider_error");
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
    rig.pass(s(30)).await;
    rig.refused(&forced()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2);
}

#[tokio::test(start_paused = true)]
async fn nor_is_one_that_says_when_to_come_back() {
    for (after, asked_again) in [(0, 30), (10, 30), (60, 60)] {
        let rig = Rig::start();
        rig.sign_in("alice").await;
        let error = Fault::come_back(400, r#"{"error":"something_new"}"#, after);
        rig.fake.always(Grant::RefreshToken, error);
        for _ in 0..20 {
            assert_eq!(rig.refused(&forced()).await.error.as_str(), "provider_error");
        }
        rig.pass(s(asked_again - 1)).await;
        rig.refused(&forced()).await;
        assert_eq!(rig.fake.count(Grant::RefreshToken), 1, "in {after} s");
        rig.pass(s(1)).await;
        rig.refused(&forced()).await;
        assert_eq!(rig.fake.count(Grant::RefreshToken), 2, "in {after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_told_that_it_loops_is_throttled_for_a_minute_and_others_are_not() {
    let rig = expired().await;
    rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", None, 50_196));
    let refused = rig.refused(&interactive()).await;
    assert_eq!((refused.error.as_str(), refused.retry_after), ("throttled", Some(60)));
    assert_eq!(refused.provider.unwrap().error_codes, [50_196]);
    rig.pass(s(20)).await;
    assert_eq!(rig.refused(&forced()).await.retry_after, Some(40));
    rig.token(&scopes(&["read"])).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2);
    rig.pass(s(40)).await;
    rig.token(&never()).await;
}

#[tokio::test(start_paused = true)]
async fn a_device_authorization_the_configuration_must_mend_is_not_asked_for_in_a_loop() {
    for (error, code) in [
        ("invalid_client", "configuration"),
        ("unauthorized_client", "configuration"),
        ("invalid_scope", "configuration"),
    ] {
        let rig = Rig::start();
        rig.fake.always(Endpoint::DeviceAuthorization, Fault::oauth(error));
        for _ in 0..10 {
            assert_eq!(rig.call(&interactive()).failure().await.error.as_str(), code);
            rig.pass(s(2)).await;
        }
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "{error}");
        let other = TokenRequest { scopes: vec!["read".into()], ..interactive() };
        rig.call(&other).failure().await;
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 2, "other scopes may be right");
        rig.fake.clear();
        rig.pass(s(10)).await;
        rig.sign_in("alice").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_changes_the_profile_forgets_its_refused_authorizations() {
    let rig = Rig::start();
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::oauth("invalid_client"));
    rig.call(&interactive()).failure().await;
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replacen("\"write\"", "\"write\", \"admin\"", 1));
    rig.client.reload().await.unwrap();
    rig.write_config(&config);
    rig.client.reload().await.unwrap();
    rig.sign_in("alice").await;
}

#[tokio::test(start_paused = true)]
async fn a_device_authorization_refused_for_one_parameter_holds_up_none_without_it() {
    let claims = json!({"access_token": {"bogus": {"essential": true}}}).as_object().cloned();
    let extra = [("hd".to_owned(), "bogus".to_owned())].into();
    for odd in [
        TokenRequest { claims, ..interactive() },
        TokenRequest { locale: Some("tlh".into()), ..interactive() },
        TokenRequest { extra_parameters: extra, ..interactive() },
    ] {
        let rig = Rig::start();
        rig.fake.script(Endpoint::DeviceAuthorization, Fault::oauth("invalid_request"));
        for _ in 0..3 {
            assert_eq!(rig.call(&odd).failure().await.error.as_str(), "configuration");
        }
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "the same is not asked again: {odd:?}");
        rig.sign_in("alice").await;
    }
}
