//! Microsoft Entra's dialect: its endpoints, its scopes, its errors.

use broker_client::TokenRequest;
use support::fake_as::{ENTRA_CLIENT_ID, Endpoint, Fault, Grant};
use support::rig::{Rig, entra_profile, exposed, interactive, never, s, scopes};

fn entra() -> Rig {
    Rig::setup().entra("").start()
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_needs_no_discovery_and_names_the_user() {
    let rig = entra();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    assert_eq!((prompt.verification_uri_complete.as_deref(), prompt.scopes.len()), (None, 1));
    rig.fake.approve(&prompt.user_code, "alice");
    let token = call.token().await;
    assert_eq!(token.account.username, "alice@example.com");
    assert_eq!(rig.fake.count(Endpoint::Discovery), 0);
    let asked = rig.fake.log().into_iter().find(|request| request.is(Endpoint::DeviceAuthorization)).unwrap();
    assert_eq!(asked.field("scope"), Some("User.Read offline_access openid profile"));
}

#[tokio::test(start_paused = true)]
async fn another_resource_comes_silently_and_scopes_have_no_case() {
    let mut rig = entra();
    let graph = rig.sign_in("alice").await;
    assert_eq!(exposed(&rig.token(&scopes(&["user.read"])).await), exposed(&graph));
    let vault = scopes(&["https://vault.azure.net/.default"]);
    let token = rig.token(&vault).await;
    assert_ne!(exposed(&token), exposed(&graph));
    assert_eq!(exposed(&rig.token(&vault).await), exposed(&token));
    rig.restart().await;
    rig.token(&vault).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn another_tenant_of_the_same_account_comes_silently() {
    let rig = entra();
    rig.sign_in("alice").await;
    let token = rig.token(&TokenRequest { tenant: Some("fabrikam.onmicrosoft.com".into()), ..never() }).await;
    let tenant = rig.fake.access_token(exposed(&token)).unwrap().tenant;
    assert_eq!(tenant.as_deref(), Some("c0ffee00-0000-4000-8000-000000000002"));
}

/// A tool that knows an address only gets the guest tenant's token for it; a request's own tenant wins.
#[tokio::test(start_paused = true)]
async fn a_hosts_tenant_is_the_one_that_is_asked() {
    let hosts =
        "[[hosts]]\nmatch = \"dev.azure.com/fabrikam\"\nprofile = \"work\"\ntenant = \"fabrikam.onmicrosoft.com\"\n";
    let rig = entra();
    rig.write_config(&(std::fs::read_to_string(rig.config_file()).expect("the configuration") + hosts));
    rig.client.reload().await.expect("it is right");
    rig.sign_in("alice").await;
    let host = TokenRequest { host: Some("dev.azure.com/fabrikam/x".into()), ..never() };
    let tenant = |token| rig.fake.access_token(exposed(&token)).unwrap().tenant;
    let guest = tenant(rig.token(&host).await);
    assert_eq!(guest.as_deref(), Some("c0ffee00-0000-4000-8000-000000000002"));
    let own = tenant(rig.token(&TokenRequest { tenant: Some("contoso.onmicrosoft.com".into()), ..host }).await);
    assert_eq!(own.as_deref(), Some("c0ffee00-0000-4000-8000-000000000001"));
}

#[tokio::test(start_paused = true)]
async fn an_account_is_meant_by_its_home_id_too() {
    let rig = entra();
    let id = rig.sign_in("alice").await.account.id;
    let home = format!("{}.c0ffee00-0000-4000-8000-000000000001", support::fake_as::User::new("alice").sub);
    let token = rig.token(&TokenRequest { account: Some(home.to_uppercase()), ..never() }).await;
    assert_eq!(token.account.id, id);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_client_or_tenant_is_named() {
    for (client, tenant, named) in [
        ("99999999-0000-0000-0000-000000000000", "contoso.onmicrosoft.com", "client_id 99999999"),
        (ENTRA_CLIENT_ID, "nowhere.example", "tenant"),
    ] {
        let rig = Rig::setup().config(Some(&entra_profile("work", tenant, client, ""))).start();
        let failure = rig.call(&interactive()).failure().await;
        assert_eq!((failure.error.as_str(), failure.error.exit_code()), ("configuration", 6));
        assert!(failure.error_description.contains(named), "{failure:?}");
        assert!(failure.hint.as_ref().unwrap().contains(named.split(' ').next().unwrap()), "{failure:?}");
        assert!(!failure.provider.unwrap().error_codes.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn mfa_needs_a_person_and_policy_needs_an_administrator() {
    let rig = entra();
    rig.sign_in("alice").await;
    for (suberror, number, code) in [
        (Some("basic_action"), 50_076, "interaction_required"),
        (Some("message_only"), 53_003, "blocked"),
        (None, 50_105, "interaction_required"),
    ] {
        rig.expire().await;
        rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", suberror, number));
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), code, "{number}");
        assert!(refused.provider.unwrap().correlation_id.is_some());
        rig.pass(s(120)).await;
        rig.token(&never()).await;
    }
    rig.expire().await;
    // The one before it, which is kept until the newest has worked, is no better.
    for _ in 0..2 {
        rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("bad_token"), 700_082));
    }
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    let sent = rig.fake.count(Grant::RefreshToken);
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent, "dead is dead");
}

#[tokio::test(start_paused = true)]
async fn signing_out_says_that_entra_cannot_revoke() {
    let rig = entra();
    let id = rig.sign_in("alice").await.account.id;
    let signed_out = serde_json::to_value(rig.client.sign_out(&id).await.unwrap()).unwrap();
    assert_eq!(signed_out["revocation"], "not_supported");
}
