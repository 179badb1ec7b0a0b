//! Resource indicators (RFC 8707): which a sign-in is for, and that naming another one costs nobody the sign-in.

use broker_client::TokenRequest;
use support::fake_as::{Endpoint, Fault, Grant, Rotation};
use support::rig::{Rig, exposed, interactive, never};

fn at(resource: &str) -> TokenRequest {
    TokenRequest { resource: Some(resource.into()), ..never() }
}

#[tokio::test(start_paused = true)]
async fn the_resource_is_named_on_both_legs() {
    let rig = Rig::setup().profile("resource = \"urn:files\"").start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.token(&never()).await;
    rig.token(&TokenRequest { force_refresh: true, ..at("urn:files") }).await;
    for request in rig.fake.log().iter().filter(|request| request.endpoint != Endpoint::Discovery) {
        assert_eq!(request.field("resource"), Some("urn:files"), "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_no_uri_is_a_bad_request() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    for resource in ["files", "", "https://files.example/#part", "a b"] {
        assert_eq!(rig.refused(&at(resource)).await.error.as_str(), "bad_request", "{resource:?}");
    }
}

/// Some servers spend the refresh token before they look at the resource, and end the sign-in when it comes again.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_spent_by_a_use_is_not_sent_for_a_resource_the_sign_in_did_not_name() {
    for profile in ["", "resource = \"urn:mail\""] {
        let mut rig = Rig::setup().profile(profile).start();
        rig.sign_in("alice").await;
        for restarted in [false, true] {
            let refused = rig.refused(&at("urn:files")).await;
            assert_eq!(refused.error.as_str(), "interaction_required", "{refused:?}");
            assert!(refused.error_description.contains("urn:files"), "{refused:?}");
            let hint = refused.hint.unwrap();
            assert!(hint.contains("brokerctl login work") && hint.ends_with("--resource urn:files"), "{hint}");
            assert_eq!(rig.fake.count(Grant::RefreshToken), usize::from(restarted), "{profile:?}");
            rig.expire().await;
            rig.restart().await;
            rig.token(&never()).await;
        }
    }
}

/// The device authorization names it: a server that does not know it says so there, where nothing is lost.
#[tokio::test(start_paused = true)]
async fn a_person_signs_in_for_another_resource_and_a_wrong_one_costs_nothing() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let asked = TokenRequest { interaction: None, ..at("urn:files") };
    rig.fake.script(Endpoint::DeviceAuthorization, Fault::oauth("invalid_target"));
    assert_eq!(rig.call(&asked).failure().await.error.as_str(), "configuration");
    rig.expire().await;
    rig.token(&never()).await;
    // What was refused a moment ago is not asked again at once.
    rig.pass(support::rig::s(30)).await;
    let token = rig.sign_in_with(&asked, "alice").await;
    assert_eq!(rig.fake.access_token(exposed(&token)).unwrap().audience, ["urn:files"]);
    rig.expire().await;
    rig.token(&at("urn:files")).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 3);
}

#[tokio::test(start_paused = true)]
async fn where_a_use_does_not_spend_the_refresh_token_the_provider_is_asked() {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    rig.sign_in("alice").await;
    // Whether it rotates is known from the first refresh on.
    rig.expire().await;
    rig.token(&never()).await;
    let token = rig.token(&at("urn:files")).await;
    assert_eq!(rig.fake.access_token(exposed(&token)).unwrap().audience, ["urn:files"]);
    assert_eq!(rig.call(&interactive()).token().await.account.username, "alice@example.com");
}
