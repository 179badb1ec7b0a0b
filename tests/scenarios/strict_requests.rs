//! Requests that say more than brokerd understands, or something that is not fit to be sent on.

use broker_client::TokenRequest;
use support::fake_as::Endpoint;
use support::rig::{Rig, interactive};

#[tokio::test(start_paused = true)]
async fn a_reload_takes_no_fields_and_reloads_nothing_when_it_is_given_one() {
    let rig = Rig::setup().start();
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replace("\"write\"", "\"written\""));
    for (body, status, code) in [
        (r#"{"profile":"work"}"#, 400, "unsupported_field"),
        (r#"["work"]"#, 400, "bad_request"),
        ("work", 400, "bad_request"),
    ] {
        let answer = rig.raw(&rig.post("/v1/reload", body)).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(code)), "{body}");
    }
    let changed = rig.raw(&rig.post("/v1/reload", "{}")).await.json()["changed"].clone();
    assert_eq!(changed, serde_json::json!(["work"]), "the requests before did not read the file");
    assert_eq!(rig.raw(&rig.post("/v1/reload", "")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_locale_that_is_no_language_is_refused_before_the_provider_hears_of_it() {
    let rig = Rig::setup().start();
    for locale in ["de_DE", "", "de&prompt=none", "de\r\nx: y", &"a".repeat(36)] {
        let refused = rig.refused(&TokenRequest { locale: Some(locale.into()), ..interactive() }).await;
        assert_eq!(refused.error.as_str(), "bad_request", "{locale:?}");
    }
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 0);
}

/// In the form by OpenID Connect Core §3.1.2.1; Entra's pages look in the query.
#[tokio::test(start_paused = true)]
async fn the_callers_language_goes_with_the_device_authorization() {
    for (setup, query) in [(Rig::setup(), ""), (Rig::setup().entra(""), "?mkt=de-DE")] {
        let rig = setup.start();
        rig.sign_in_with(&TokenRequest { locale: Some("de-DE".into()), ..interactive() }, "alice").await;
        let asked = rig.fake.log().into_iter().find(|request| request.is(Endpoint::DeviceAuthorization)).unwrap();
        assert_eq!(asked.field("ui_locales"), Some("de-DE"), "{asked:?}");
        assert!(asked.path.ends_with(query) && asked.path.contains('?') != query.is_empty(), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_does_not_repeat_a_password_that_stands_in_a_url() {
    let rig = Rig::setup().start();
    for issuer in ["https://ada:hunter2@a.example", "https://:hunter2@a.example", "https://ada:hunter2/x@a.example"] {
        let answer = rig.raw(&rig.post("/v1/probe", &format!("{{\"issuer\":\"{issuer}\"}}"))).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "configuration"), "{issuer}");
        assert!(answer.body.contains("issuer") && !answer.body.contains("hunter2"), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_named_by_its_authority_can_be_probed() {
    let rig = Rig::setup().start();
    for (provider, authority) in [("adfs", "https://fs.example/adfs"), ("github", "https://ghe.example")] {
        let body = serde_json::json!({"provider": provider, "authority": authority}).to_string();
        let answer = rig.raw(&rig.post("/v1/probe", &body)).await;
        assert!(answer.status == 200 && answer.body.contains(authority), "{answer:?}");
    }
    let answer =
        rig.raw(&rig.post("/v1/probe", r#"{"authority":"https://:hunter2@a.example","provider":"github"}"#)).await;
    assert!(answer.error() == "configuration" && !answer.body.contains("hunter2"), "{answer:?}");
}
