//! Somebody else signed in than was asked for: what becomes of that grant, and of that user's own account.

use broker_client::TokenRequest;
use support::fake_as::{Client, Endpoint};
use support::rig::{Rig, interactive, never, s};

/// Not broken.
#[tokio::test(start_paused = true)]
async fn somebody_who_is_signed_in_stays_so_when_a_mismatch_is_given_back() {
    let rig = Rig::start();
    rig.sign_in("bob").await;
    let mut call = rig.call(&TokenRequest { account: Some("alice@example.com".into()), ..interactive() });
    rig.fake.approve(&call.prompt().await.user_code, "bob");
    assert_eq!(call.failure().await.error.as_str(), "account_mismatch");
    rig.expire().await;
    rig.token(&never()).await;
}

/// Some providers take all that a user has granted to a client for one, and a revocation ends it all.
#[tokio::test(start_paused = true)]
async fn a_mismatch_is_given_back_unless_its_user_is_signed_in_here() {
    for (profile, client, given_back) in
        [(None, "cli", 1), (Some("work"), "cli", 0), (Some("other"), "cli", 0), (Some("other"), "second", 1)]
    {
        let rig = Rig::setup()
            .provider(|options| {
                options.revocation_ends_all = true;
                options.clients.push(Client::public("second"));
            })
            .start();
        // The profile `other` leads to the same provider.
        let config = std::fs::read_to_string(rig.config_file()).unwrap().replace("127.0.0.1:7002", "127.0.0.1:7001");
        let (work, other) = config.split_once("[profiles.other]").unwrap();
        let other = other.replace("\"cli\"", &format!("\"{client}\""));
        rig.write_config(&format!("{work}[profiles.other]{other}"));
        rig.client.reload().await.unwrap();
        if profile.is_some() {
            let mut call = rig.call(&TokenRequest { profile: profile.map(str::to_owned), ..interactive() });
            rig.fake.approve(&call.prompt().await.user_code, "bob");
            call.token().await;
        }
        let mut call = rig.call(&TokenRequest {
            profile: Some("work".into()),
            account: Some("alice@example.com".into()),
            ..interactive()
        });
        rig.fake.approve(&call.prompt().await.user_code, "bob");
        assert_eq!(call.failure().await.error.as_str(), "account_mismatch", "{profile:?}");
        rig.pass(s(60)).await;
        assert_eq!(rig.fake.count(Endpoint::Revocation), given_back, "{profile:?}, {client}");
        assert_eq!(rig.fake.revoked_families().len(), given_back, "{profile:?}, {client}");
        if profile.is_some() {
            rig.expire().await;
            rig.token(&TokenRequest { profile: profile.map(str::to_owned), ..never() }).await;
        }
    }
}
