//! Silent acquisition, what the other scenarios leave open: every name of an account, `.default`, the provider's own time to
//! refresh, and clocks that are not to be believed. Accounts: `accounts`; freshness: `freshness`; claims: `claims`.

use broker_client::TokenRequest;
use serde_json::json;
use support::fake_as::{Endpoint, Fault, Grant, User};
use support::rig::{Rig, exposed, interactive, never, s, scopes};

const DAY: i64 = 24 * 3600;

fn entra(lines: &str) -> Rig {
    Rig::setup().entra(lines).start()
}

fn named(name: &str) -> TokenRequest {
    TokenRequest { account: Some(name.into()), ..never() }
}

fn refreshes(rig: &Rig) -> usize {
    rig.fake.count(Grant::RefreshToken)
}

async fn sign_in_too(rig: &Rig, user: &str) {
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, user);
    login.next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_name_of_an_account_means_it_in_any_case() {
    let rig = entra("");
    let alice = rig.sign_in("alice").await;
    sign_in_too(&rig, "bob").await;
    let oid = User::new("alice").sub;
    let home = format!("{oid}.c0ffee00-0000-4000-8000-000000000001");
    for name in [&alice.account.id, "alice@example.com", &home, &oid] {
        for name in [name.to_owned(), name.to_uppercase()] {
            assert_eq!(exposed(&rig.token(&named(&name)).await), exposed(&alice), "{name}");
        }
    }
    assert_eq!(rig.refused(&never()).await.accounts.len(), 2);
    assert_eq!(refreshes(&rig), 0);
}

#[tokio::test(start_paused = true)]
async fn the_default_account_may_be_named_by_any_of_its_names() {
    let oid = User::new("bob").sub;
    let rig = entra(&format!("default_account = \"{}\"", oid.to_uppercase()));
    sign_in_too(&rig, "alice").await;
    sign_in_too(&rig, "bob").await;
    assert_eq!(rig.token(&never()).await.account.username, "bob@example.com");
}

#[tokio::test(start_paused = true)]
async fn default_scopes_of_a_resource_are_served_as_what_they_were_granted_as() {
    let mut rig = entra("");
    rig.sign_in("alice").await;
    let all = scopes(&["https://graph.example/.default"]);
    rig.fake.reconfigure(|options| {
        let granted = "https://graph.example/Mail.Read https://graph.example/User.Read";
        options.token_overrides.insert("scope".into(), json!(granted));
    });
    let token = rig.token(&all).await;
    for request in [&all, &scopes(&["HTTPS://graph.example/.DEFAULT"]), &scopes(&["https://graph.example/mail.read"])] {
        assert_eq!(exposed(&rig.token(request).await), exposed(&token), "{request:?}");
    }
    assert_eq!(refreshes(&rig), 1);
    // Of another resource, it is another token.
    assert_ne!(exposed(&rig.token(&scopes(&["https://vault.example/.default"])).await), exposed(&token));
    rig.restart().await;
    rig.token(&all).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn past_the_providers_own_time_the_token_is_served_and_refreshed_behind() {
    let rig = Rig::setup()
        .provider(|options| {
            options.access_token_lifetime = s(24 * 3600);
            options.token_overrides.insert("refresh_in".into(), json!(12 * 3600));
        })
        .start();
    let old = rig.sign_in("alice").await;
    rig.pass(s(12 * 3600 - 60)).await;
    rig.token(&never()).await;
    rig.pass(s(1)).await;
    assert_eq!(refreshes(&rig), 0);
    rig.pass(s(60)).await;
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&old));
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    rig.pass(s(1)).await;
    assert_ne!(exposed(&rig.token(&never()).await), exposed(&old));
    assert_eq!(refreshes(&rig), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_moved_back_makes_no_token_live_longer() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    rig.set_wall_clock(-250);
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&old), "clocks are set a little now and then");
    rig.set_wall_clock(-3600);
    let new = rig.token(&never()).await;
    assert_ne!(exposed(&new), exposed(&old));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&new));
    assert_eq!(refreshes(&rig), 1);

    // Nor while the provider is away.
    rig.set_wall_clock(-DAY);
    rig.fake.always(Grant::RefreshToken, Fault::status(503));
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_error");
}

/// The wall clock says that the token's end is still to come. Time has passed all the same.
#[tokio::test(start_paused = true)]
async fn a_clock_set_back_in_the_middle_of_a_tokens_life_makes_it_live_no_longer() {
    let patient = TokenRequest { min_validity: Some(0), ..never() };
    for back in [-200, -1800, -3500] {
        let rig = Rig::start();
        let old = rig.sign_in("alice").await;
        rig.pass(s(3500)).await;
        rig.set_wall_clock(back);
        rig.pass(s(150)).await;
        let new = rig.token(&patient).await;
        assert_ne!(exposed(&new), exposed(&old), "{back}");
        assert!(rig.fake.access_token(exposed(&new)).is_some(), "{back}");
        assert_eq!(exposed(&rig.token(&patient).await), exposed(&new), "{back}");
        assert_eq!((refreshes(&rig), rig.fake.count(Endpoint::DeviceAuthorization)), (1, 1), "{back}");
    }
}

/// A machine that booted without a clock battery, or with one set by a joker.
#[tokio::test(start_paused = true)]
async fn a_token_from_the_future_is_not_trusted_and_costs_one_refresh() {
    let rig = Rig::start();
    rig.set_wall_clock(50 * 366 * DAY);
    let future = rig.sign_in("alice").await;
    rig.set_wall_clock(-50 * 366 * DAY);
    let token = rig.token(&never()).await;
    assert_ne!(exposed(&token), exposed(&future));
    assert!(token.expires_on.unwrap() < future.expires_on.unwrap());
    rig.token(&never()).await;
    assert_eq!((refreshes(&rig), rig.fake.count(Endpoint::DeviceAuthorization)), (1, 1));
    let tokens = rig.account().await.tokens;
    assert_eq!(tokens.len(), 1, "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumped_ahead_costs_one_refresh() {
    let rig = Rig::start();
    let old = rig.sign_in("alice").await;
    rig.set_wall_clock(DAY);
    let new = rig.token(&never()).await;
    assert_ne!(exposed(&new), exposed(&old));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&new));
    assert_eq!(refreshes(&rig), 1);
}

/// RFC 6749 §3.3: scopes have a case. Entra's have none: `entra`.
#[tokio::test(start_paused = true)]
async fn a_scope_in_another_case_is_another_scope() {
    let rig = Rig::start();
    let token = rig.sign_in_with(&TokenRequest { interaction: None, ..scopes(&["read", "Write"]) }, "alice").await;
    assert_eq!(exposed(&rig.token(&scopes(&["Write"])).await), exposed(&token));
    assert_eq!(rig.refused(&scopes(&["write"])).await.error.as_str(), "interaction_required");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_is_refused_where_there_are_none() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refused = rig.refused(&TokenRequest { tenant: Some("contoso.onmicrosoft.com".into()), ..never() }).await;
    assert_eq!(refused.error.as_str(), "bad_request");
    assert!(refused.error_description.contains("only entra has tenants"), "{refused:?}");
    assert_eq!(rig.fake.count(Grant::RefreshToken), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_waited_to_be_saved_is_as_old_as_it_is_though_the_clock_was_set_back() {
    let rig = Rig::start();
    let mut call = rig.call(&interactive());
    let code = call.prompt().await.user_code;
    rig.store.set_failing(true);
    rig.fake.approve(&code, "alice");
    assert_eq!(call.failure().await.error.as_str(), "keyring_unavailable");
    rig.pass(s(19 * 3600)).await;
    rig.set_wall_clock(-19 * 3600);
    rig.store.set_failing(false);
    rig.pass(s(600)).await;
    let token = rig.token(&never()).await;
    assert!(rig.fake.access_token(exposed(&token)).is_some(), "an expired token was served");
}
