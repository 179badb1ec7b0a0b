//! What providers do that no specification says: does it end in a wrong token, a loop, or a dead end?

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_client::TokenRequest;
use serde_json::{Map, Value, json};
use support::fake_as::{Discovery, Endpoint, Fault, Grant, Rotation};
use support::rig::{Rig, exposed, interactive, never, s, scopes, sha256};

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.sig", part(&json!({"alg": "none"})), part(claims))
}

fn overridden(name: &str, value: Value) -> Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

/// Auth0's refresh takes no audience: it answers with a token for the audience of the sign-in, whatever was asked.
#[tokio::test(start_paused = true)]
async fn auth0_is_not_asked_to_refresh_for_another_audience() {
    let config = "default_profile = \"work\"\n[profiles.work]\nprovider = \"auth0\"\nissuer = \"http://127.0.0.1:7001\"\n\
                  client_id = \"cli\"\naudience = \"https://api.example.com\"\n";
    let auth0 = |options: &mut support::fake_as::Options| {
        options.auth0();
        options.issuer.push('/');
    };
    let rig = Rig::setup().provider(auth0).config(Some(config)).start();
    rig.sign_in("alice").await;
    let billing = || Some("https://billing.example.com".to_owned());
    let refused = rig.refused(&TokenRequest { audience: billing(), ..never() }).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
    // A person signs in for it, and is told of it by name at the provider.
    rig.sign_in_with(&TokenRequest { audience: billing(), ..interactive() }, "alice").await;
    let asked = rig.fake.log().into_iter().rfind(|request| request.is(Endpoint::DeviceAuthorization)).unwrap();
    assert_eq!(asked.field("audience"), billing().as_deref());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_without_metadata_is_not_asked_at_every_call() {
    let elsewhere = overridden("issuer", json!("https://other.example"));
    for (discovery, overrides) in [(Discovery::None, Map::new()), (Discovery::Both, elsewhere)] {
        let rig = Rig::setup()
            .provider(|options| (options.discovery, options.metadata_overrides) = (discovery, overrides))
            .start();
        for _ in 0..50 {
            let failure = rig.call(&interactive()).failure().await;
            assert_eq!(failure.error.as_str(), "configuration");
            rig.pass(s(1)).await;
        }
        let asked = rig.fake.log().len();
        assert!(asked <= 12, "{asked} requests in 50 s");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_gone_after_a_day_is_not_asked_for_at_every_refresh() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.pass(s(25 * 3600)).await;
    rig.fake.reconfigure(|options| options.discovery = Discovery::None);
    let before = rig.fake.log().len();
    for _ in 0..20 {
        rig.token(&TokenRequest { force_refresh: true, ..never() }).await;
    }
    let asked = rig.fake.log().len() - before - 20;
    assert!(asked <= 4, "{asked} requests for metadata at 20 refreshes");
}

/// Cloud Foundry's UAA says `invalid_token` with 401 where RFC 6749 §5.2 has `invalid_grant`.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_called_invalid_is_sent_once() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let body = json!({"error": "invalid_token", "error_description": "The token expired or was revoked"}).to_string();
    rig.fake.always(Grant::RefreshToken, Fault::answer(401, "application/json", &body));
    for _ in 0..3 {
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), "interaction_required");
        assert!(refused.hint.unwrap_or_default().contains("brokerctl login"));
        rig.pass(s(3600)).await;
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_a_word_of_the_providers_own_keeps_the_sign_in_and_names_a_way_out() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let body = json!({"error": "subscription_lapsed", "error_description": "ask for a new one"}).to_string();
    rig.fake.script(Grant::RefreshToken, Fault::answer(400, "application/json", &body));
    let refused = rig.refused(&never()).await;
    assert_eq!(refused.error.as_str(), "provider_error");
    assert!(refused.error_description.contains("subscription_lapsed"), "{refused:?}");
    assert!(refused.hint.unwrap().contains("run: brokerctl login work -a alice@example.com"));
    assert_eq!(refused.provider.unwrap().error_description.as_deref(), Some("ask for a new one"));
    rig.pass(s(60)).await;
    rig.token(&never()).await;
}

/// As after a gateway that rewrites JSON, or without the field at all: the number stands in the text.
#[tokio::test(start_paused = true)]
async fn entras_number_is_read_wherever_it_stands() {
    for codes in [json!(["50076"]), json!(null), json!([50_076])] {
        let rig = Rig::setup().entra("").start();
        rig.sign_in("alice").await;
        let fault = Fault::Oauth {
            error: "invalid_grant".into(),
            description: "AADSTS50076: Due to a configuration change you must use multi-factor authentication.".into(),
            extra: overridden("error_codes", codes.clone()),
        };
        rig.fake.script(Grant::RefreshToken, fault);
        let refused = rig.refused(&scopes(&["Mail.Read"])).await;
        assert_eq!(refused.error.as_str(), "interaction_required", "{codes}");
        rig.expire().await;
        rig.token(&never()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_error_beside_a_token_is_none() {
    let rig = Rig::start();
    rig.fake.reconfigure(|options| options.token_overrides = overridden("error", json!("")));
    rig.sign_in("alice").await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_name_is_none() {
    let rig = Rig::start();
    let id_token = jwt(&json!({"sub": "s1", "preferred_username": "", "email": "alice@example.com"}));
    rig.fake.reconfigure(|options| options.token_overrides = overridden("id_token", json!(id_token)));
    assert_eq!(rig.sign_in("alice").await.account.username, "alice@example.com");
}

/// A server that caches access tokens answers a refresh with the one there is.
#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_served_to_nobody_though_the_provider_hands_it_out_again() {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    let old = rig.sign_in("alice").await;
    let body = json!({"access_token": exposed(&old), "token_type": "Bearer", "expires_in": 1800}).to_string();
    rig.fake.always(Grant::RefreshToken, Fault::answer(200, "application/json", &body));
    let reject = TokenRequest { reject_token_sha256: Some(sha256(&old)), ..never() };
    for request in [&reject, &reject, &never()] {
        let refused = rig.refused(request).await;
        assert_eq!(refused.error.as_str(), "interaction_required");
        assert!(refused.error_description.contains("that a resource has refused"), "{refused:?}");
    }
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1, "the next one would cost it as much");
    rig.fake.clear();
    rig.pass(s(121)).await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&old));
}

/// Some servers narrow a grant to the scopes of its last refresh, and refuse the others from then on.
#[tokio::test(start_paused = true)]
async fn scopes_of_the_sign_in_that_are_refused_lead_to_another_sign_in() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.always(Grant::RefreshToken, Fault::oauth("invalid_scope"));
    let refused = rig.refused(&scopes(&["write"])).await;
    assert_eq!(refused.error.as_str(), "interaction_required");
    assert!(refused.hint.unwrap_or_default().contains("brokerctl login"));
    let mut call = rig.call(&TokenRequest { interaction: None, ..scopes(&["write"]) });
    drop(call.prompt().await);
}

/// A date in `Retry-After` is of the server's clock, which says in the same answer what time it is.
#[tokio::test(start_paused = true)]
async fn a_date_to_come_back_at_is_read_by_the_clock_that_set_it() {
    for (date, until, wait) in [("09:00:00", "09:00:05", 5), ("07:00:00", "07:10:00", 600)] {
        let rig = Rig::setup().provider(|options| options.date = Some(format!("Fri, 15 Jan 2027 {date} GMT"))).start();
        rig.sign_in("alice").await;
        rig.fake.script(
            Grant::RefreshToken,
            Fault::Status {
                code: 429,
                body: String::new(),
                content_type: "text/plain".into(),
                headers: vec![("retry-after".into(), format!("Fri, 15 Jan 2027 {until} GMT"))],
            },
        );
        let refused = rig.refused(&TokenRequest { force_refresh: true, ..never() }).await;
        let told = refused.retry_after.unwrap();
        assert!((wait..=wait + 2).contains(&told), "{told} s instead of {wait}");
    }
}
