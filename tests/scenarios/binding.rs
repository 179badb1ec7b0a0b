//! A profile that is led to another server under its old name: nothing that was for the first one goes to the second.

use broker_client::TokenRequest;
use secrecy::SecretString;
use support::fake_as::{Client, Endpoint, FakeAs, Grant};
use support::rig::{Rig, interactive, never};

const SECRET: &str = "client-secret-0f8c2b71";

/// A profile whose endpoints stand in the file, below an issuer that is only a name.
fn explicit(token_endpoint: &str) -> String {
    format!(
        "[profiles.work]\nissuer = \"https://id.example\"\nclient_id = \"cli\"\n\
         scopes = [\"openid\", \"offline_access\", \"read\"]\ntoken_endpoint = \"{token_endpoint}\"\n\
         device_authorization_endpoint = \"http://127.0.0.1:7001/device_authorization\"\n"
    )
}

/// What the first server gave out or was set up with, by its kind.
fn given(server: &FakeAs, kind: &str) -> Vec<String> {
    server.secrets().into_iter().filter(|issued| issued.kind == kind).map(|issued| issued.value).collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_secret_does_not_follow_a_profile_to_another_issuer_or_client() {
    let config = "[profiles.work]\nissuer = \"http://127.0.0.1:7001\"\nclient_id = \"confidential\"\n\
                  scopes = [\"openid\", \"offline_access\", \"read\"]\nclient_secret = \"keyring\"\n";
    for (from, to) in [("7001", "7002"), ("\"confidential\"", "\"second\"")] {
        let second = Client::confidential("second", SECRET);
        let mut rig = Rig::setup().provider(|options| options.clients.push(second)).config(Some(config)).start();
        rig.client.set_client_secret("work", &SecretString::from(SECRET)).await.unwrap();
        rig.sign_in("alice").await;
        let seen = rig.fake.count(Endpoint::DeviceAuthorization) + rig.fake.count(Endpoint::Token);
        rig.write_config(&config.replace(from, to));
        rig.client.reload().await.unwrap();
        for restart in [false, true] {
            if restart {
                rig.restart().await;
            }
            let refused = rig.call(&interactive()).failure().await;
            assert_eq!(refused.error.as_str(), "configuration", "{to}");
            assert_eq!(refused.hint.as_deref(), Some("run: brokerctl client-secret set work"), "{to}");
        }
        for (server, before) in [(&rig.fake, seen), (&rig.other, 0)] {
            let sent: Vec<_> = server.log().into_iter().filter(|sent| sent.endpoint != Endpoint::Discovery).collect();
            assert_eq!(sent.len(), before, "{to}: {sent:?}");
        }
        // Set again, it is for the server and the client that the profile names now; and back there, it is not for the old.
        rig.client.set_client_secret("work", &SecretString::from(SECRET)).await.unwrap();
        rig.call(&interactive()).prompt().await;
        rig.write_config(config);
        rig.client.reload().await.unwrap();
        assert_eq!(rig.login(&interactive()).failure().await.error.as_str(), "configuration", "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_does_not_follow_an_explicit_token_endpoint_to_another_host() {
    let rig = Rig::setup().config(Some(&explicit("http://127.0.0.1:7001/token"))).start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.write_config(&explicit("http://127.0.0.1:7002/token"));
    rig.client.reload().await.unwrap();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    let forced = TokenRequest { force_refresh: true, ..never() };
    assert_eq!(rig.refused(&forced).await.error.as_str(), "interaction_required");
    assert!(rig.other.log().is_empty(), "{:?}", rig.other.log());
    // Back where it was, it is good as ever: also below another path.
    rig.write_config(&explicit("http://127.0.0.1:7001/token").replace("7001/token", "7001/moved/../token"));
    rig.client.reload().await.unwrap();
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), 1);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_kept_over_a_restart_is_not_polled_at_another_host() {
    let mut rig = Rig::setup().config(Some(&explicit("http://127.0.0.1:7001/token"))).start();
    let mut call = rig.call(&interactive());
    let old = call.prompt().await;
    rig.fake.wait_for_count(Grant::DeviceCode, 1).await;
    let codes = given(&rig.fake, "device_code");
    rig.crash().await;
    rig.write_config(&explicit("http://127.0.0.1:7002/token"));
    rig.run();
    let new = call.next().await.unwrap();
    assert!(!format!("{new:?}").contains(&old.user_code), "{new:?}");
    rig.other.wait_for_count(Grant::DeviceCode, 1).await;
    for poll in rig.other.log() {
        let code = poll.field("device_code").unwrap_or_default();
        assert!(!codes.iter().any(|known| known == code), "the old code was sent elsewhere");
    }
}
