//! Where endpoints and names come from, and what is not believed: metadata and userinfo that are not an answer, or lead where
//! no token may go.

use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant, Options};
use support::rig::{Rig, exposed, interactive};

/// A server that names nobody in the token response.
fn mute(options: &mut Options) {
    options.token_overrides.insert("id_token".into(), json!(null));
}

fn json_answer(code: u16, body: &serde_json::Value) -> Fault {
    Fault::Status { code, body: body.to_string(), content_type: "application/json".into(), headers: Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn a_name_in_an_answer_that_is_not_a_success_is_not_believed() {
    for status in [201, 203, 302, 400, 403, 500] {
        let rig = Rig::setup().provider(mute).start();
        rig.fake.always(
            Endpoint::Userinfo,
            json_answer(status, &json!({"sub": "mallory", "email": "mallory@evil.example"})),
        );
        assert_eq!(rig.sign_in("alice").await.account.username, "unknown", "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_in_an_answer_that_is_not_a_success_is_not_believed() {
    for status in [203, 302, 400, 500] {
        let rig = Rig::start();
        let document = json!({
            "issuer": "http://127.0.0.1:7001",
            "token_endpoint": "http://127.0.0.1:7002/token",
            "device_authorization_endpoint": "http://127.0.0.1:7002/device_authorization",
        });
        rig.fake.always(Endpoint::Discovery, json_answer(status, &document));
        let refused = rig.call(&interactive()).failure().await;
        assert_eq!(refused.error.as_str(), "provider_error", "{status}: {refused:?}");
        assert!(rig.other.log().is_empty(), "{status}");
    }
}

/// OpenID Connect lets a provider have it on another host.
#[tokio::test(start_paused = true)]
async fn a_userinfo_endpoint_of_another_host_gets_the_access_token_and_nothing_else() {
    let rig = Rig::setup()
        .provider(|options| {
            mute(options);
            options.metadata_overrides.insert("userinfo_endpoint".into(), json!("http://127.0.0.1:7002/userinfo"));
        })
        .start();
    rig.other
        .always(Endpoint::Userinfo, json_answer(200, &json!({"sub": "1", "preferred_username": "alice@elsewhere"})));
    let token = rig.sign_in("alice").await;
    assert_eq!(token.account.username, "alice@elsewhere");
    let asked = rig.other.log();
    assert_eq!((asked.len(), asked[0].method.as_str(), asked[0].path.as_str()), (1, "GET", "/userinfo"));
    assert_eq!(asked[0].header("authorization"), Some(format!("Bearer {}", exposed(&token)).as_str()));
    let text = format!("{:?}{:?}", asked[0].headers, asked[0].form);
    for secret in rig.fake.secrets().iter().filter(|secret| !["access_token", "user_code"].contains(&secret.kind)) {
        assert!(!text.contains(&secret.value), "{}", secret.kind);
    }
}

/// A token in clear text is anybody's: neither metadata nor the file may ask for that.
#[tokio::test(start_paused = true)]
async fn no_token_goes_to_another_host_without_tls() {
    let rig = Rig::setup()
        .provider(|options| {
            mute(options);
            options.metadata_overrides.insert("userinfo_endpoint".into(), json!("http://id.example/userinfo"));
        })
        .start();
    assert_eq!(rig.sign_in("alice").await.account.username, "unknown");
    assert_eq!(rig.fake.count(Endpoint::Userinfo), 0, "every name leads here but the other's");
    assert_eq!(rig.fake.count(Grant::DeviceCode), 1);

    let good = "[profiles.work]\nissuer = \"https://id.example\"\nclient_id = \"cli\"\n\
                token_endpoint = \"https://id.example/token\"\n\
                device_authorization_endpoint = \"https://id.example/device\"\n\
                revocation_endpoint = \"https://id.example/revoke\"\nuserinfo_endpoint = \"https://id.example/userinfo\"\n";
    rig.write_config(good);
    rig.client.reload().await.unwrap();
    for key in ["token_endpoint", "device_authorization_endpoint", "revocation_endpoint", "userinfo_endpoint"] {
        for provider in ["oidc", "github", "google"] {
            let more = match provider {
                "oidc" => "",
                "github" => "provider = \"github\"\n",
                _ => "provider = \"google\"\nclient_secret = \"keyring\"\n",
            };
            let text = good.replace(&format!("{key} = \"https:"), &format!("{key} = \"http:")) + more;
            let text = if more.is_empty() { text } else { text.replace("issuer = \"https://id.example\"\n", "") };
            rig.write_config(&text);
            let refused = rig.client.reload().await.unwrap_err().to_body();
            assert!(refused.error_description.contains(&format!("{key} \"http://")), "{provider} {key}: {refused:?}");
            assert!(refused.error_description.contains("not https"), "{provider} {key}: {refused:?}");
        }
    }
}
