//! Entra's tenants and what a grant is bound to, and what is said of an authority that is something else.

use broker_client::TokenRequest;
use support::fake_as::{ENTRA_CLIENT_ID, Endpoint, Grant, Rotation, Tenant};
use support::rig::{Rig, entra_profile, exposed, interactive, never};

const HOME: &str = "c0ffee00-0000-4000-8000-000000000001";

fn profile(tenant: &str) -> String {
    entra_profile("work", tenant, ENTRA_CLIENT_ID, "")
}

fn entra(tenant: &str) -> Rig {
    let consumers = Tenant::new("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad");
    Rig::setup()
        .provider(|options| {
            options.rotation = Rotation::Tolerant;
            options.tenants.push(consumers);
        })
        .config(Some(&profile(tenant)))
        .start()
}

/// The tenants that refreshes went to.
fn refreshed_at(rig: &Rig) -> Vec<String> {
    let tenant = |path: &str| path.split('/').nth(1).unwrap().to_owned();
    rig.fake
        .log()
        .iter()
        .filter(|request| request.is(Grant::RefreshToken))
        .map(|request| tenant(&request.path))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_profile_led_to_another_tenant_keeps_its_account_and_serves_silently() {
    let rig = entra("contoso.onmicrosoft.com");
    let before = rig.sign_in("alice").await;
    for tenant in [HOME, "fabrikam.onmicrosoft.com"] {
        rig.write_config(&profile(tenant));
        assert_eq!(rig.client.reload().await.unwrap().changed, ["work"]);
        let token = rig.token(&never()).await;
        assert_eq!(token.account.id, before.account.id);
        assert_ne!(exposed(&token), exposed(&before));
        let status = rig.client.status().await.unwrap();
        assert_eq!(status.profiles[0].issuer, format!("http://127.0.0.1:7001/{tenant}"), "people see the tenant");
    }
    assert_eq!(refreshed_at(&rig), [HOME, "fabrikam.onmicrosoft.com"]);
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
    // Who signs in at the other tenant is the same account.
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    assert_eq!(rig.account().await.id, before.account.id);
}

#[tokio::test(start_paused = true)]
async fn an_account_of_anybodys_tenant_is_refreshed_at_home() {
    for (tenant, asked, at) in [
        ("common", None, HOME),
        ("organizations", None, HOME),
        ("organizations", Some("fabrikam.onmicrosoft.com"), "fabrikam.onmicrosoft.com"),
        ("organizations", Some("common"), "common"),
        ("consumers", None, "consumers"),
        ("contoso.onmicrosoft.com", None, "contoso.onmicrosoft.com"),
    ] {
        let mut rig = entra(tenant);
        rig.sign_in("alice").await;
        // The home tenant is known after a restart as well.
        rig.restart().await;
        rig.token(&TokenRequest { tenant: asked.map(str::to_owned), ..never() }).await;
        assert_eq!(refreshed_at(&rig), [at], "{tenant} {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_asked_of_another_provider_is_refused_by_name() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refused = rig.refused(&TokenRequest { tenant: Some("fabrikam.example".into()), ..never() }).await;
    assert_eq!(refused.error.as_str(), "bad_request");
    for named in ["fabrikam.example", "work", "oidc"] {
        assert!(refused.error_description.contains(named), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn entras_document_for_any_tenant_names_the_provider_to_use() {
    let config = "[profiles.work]\nissuer = \"http://127.0.0.1:7001/common/v2.0\"\nclient_id = \"cli\"";
    let rig = Rig::setup().config(Some(config)).start();
    let failure = rig.call(&interactive()).failure().await;
    assert_eq!(failure.error.as_str(), "configuration");
    assert!(failure.error_description.contains("use provider = \"entra\""), "{failure:?}");
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 0);
}
