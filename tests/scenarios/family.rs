//! One sign-in, several clients: family refresh tokens between profiles, and what one grant serves beside them.

use broker_client::{AccountState, TokenRequest};
use futures_util::future::join_all;
use serde_json::json;
use support::fake_as::{Client, ENTRA_CLIENT_ID, Endpoint, Fault, Grant, Request, Rotation};
use support::rig::{CONTOSO, Rig, entra_profile, exposed, interactive, never, s, scopes};

/// The client of the profile `mail`.
pub(super) const MAIL: &str = "22222222-2222-3333-4444-555555555555";

pub(super) fn profile(name: &str, client_id: &str, lines: &str) -> String {
    entra_profile(name, CONTOSO, client_id, lines)
}

/// The profiles `work` and `mail`, of one family if `family`.
pub(super) fn rig(work: &str, mail: &str, family: bool) -> Rig {
    let config = format!(
        "default_profile = \"work\"\n{}{}",
        profile("work", ENTRA_CLIENT_ID, work),
        profile("mail", MAIL, mail)
    );
    Rig::setup()
        .provider(|options| {
            options.rotation = Rotation::Tolerant;
            options.clients.push(Client::public(MAIL));
            if family {
                options.family_clients = vec![ENTRA_CLIENT_ID.into(), MAIL.into()];
            }
        })
        .config(Some(&config))
        .start()
}

pub(super) fn sharing() -> Rig {
    rig("share_family = true", "share_family = true", true)
}

pub(super) fn mail() -> TokenRequest {
    TokenRequest { profile: Some("mail".into()), ..never() }
}

pub(super) fn forced(request: TokenRequest) -> TokenRequest {
    TokenRequest { force_refresh: true, ..request }
}

pub(super) async fn sign_in_too(rig: &Rig, profile: &str, user: &str) {
    let mut login = rig.login(&TokenRequest { profile: Some(profile.into()), ..interactive() });
    rig.fake.approve(&login.prompt().await.user_code, user);
    login.next().await.unwrap().unwrap();
}

pub(super) fn refreshes(rig: &Rig) -> Vec<Request> {
    rig.fake.log().into_iter().filter(|request| request.is(Grant::RefreshToken)).collect()
}

pub(super) fn client_mismatch() -> Fault {
    Fault::aadsts("invalid_grant", Some("client_mismatch"), 70_000)
}

#[tokio::test(start_paused = true)]
async fn a_profile_of_the_family_needs_no_sign_in_of_its_own() {
    let mut rig = sharing();
    rig.sign_in("alice").await;
    let token = rig.token(&mail()).await;
    assert_eq!((token.profile.as_str(), token.account.username.as_str()), ("mail", "alice@example.com"));
    let lent = refreshes(&rig).pop().unwrap();
    assert_eq!(lent.field("client_id"), Some(MAIL));
    assert!(lent.field("scope").unwrap().contains("offline_access"));

    // A grant of its own, from here on and after a restart.
    assert_eq!(exposed(&rig.token(&mail()).await), exposed(&token));
    rig.restart().await;
    rig.token(&mail()).await;
    let own = refreshes(&rig).pop().unwrap();
    assert_eq!(own.field("client_id"), Some(MAIL));
    assert_ne!(own.field("refresh_token"), lent.field("refresh_token"));
    assert_eq!((refreshes(&rig).len(), rig.fake.count(Endpoint::DeviceAuthorization)), (2, 1));

    // The lender's is as it was.
    rig.token(&forced(never())).await;
    assert_eq!(refreshes(&rig).pop().unwrap().field("refresh_token"), lent.field("refresh_token"));
}

#[tokio::test(start_paused = true)]
async fn it_works_after_a_restart_too_and_both_ways() {
    let mut rig = sharing();
    rig.sign_in_with(&TokenRequest { profile: Some("mail".into()), ..interactive() }, "alice").await;
    rig.restart().await;
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shared_that_was_not_asked_for() {
    let share = "share_family = true";
    for (work, mail_lines, family) in [("", share, true), (share, "", true), ("", "", true), (share, share, false)] {
        let rig = rig(work, mail_lines, family);
        rig.sign_in("alice").await;
        assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required", "{work} {mail_lines} {family}");
        assert_eq!(refreshes(&rig).len(), 0, "{work} {mail_lines} {family}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_borrows_once() {
    let rig = sharing();
    rig.sign_in("alice").await;
    let crowd = join_all((0..20).map(|_| rig.background(&mail())).collect::<Vec<_>>()).await;
    let tokens: Vec<_> = crowd.into_iter().map(|token| token.unwrap().unwrap()).collect();
    assert!(tokens.iter().all(|token| exposed(token) == exposed(&tokens[0])));
    assert_eq!(refreshes(&rig).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loan_waits_for_its_turn_with_the_lenders_grant() {
    let rig = sharing();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let refreshing = rig.background(&forced(never()));
    gate.arrived().await;
    let borrowing = rig.background(&mail());
    rig.pass(s(5)).await;
    assert_eq!(refreshes(&rig).len(), 1, "one at a time");
    gate.open();
    refreshing.await.unwrap().unwrap();
    borrowing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_outside_the_family_asks_once_an_hour_and_harms_nobody() {
    let rig = sharing();
    let alice = rig.sign_in("alice").await;
    rig.fake.always(Grant::RefreshToken, client_mismatch());
    for _ in 0..5 {
        assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required");
        assert_eq!(
            rig.refused(&TokenRequest { scopes: vec!["Mail.Read".into()], ..mail() }).await.error.exit_code(),
            3
        );
        rig.pass(s(60)).await;
    }
    assert_eq!(refreshes(&rig).len(), 1);
    let account = rig.account().await;
    assert_eq!((account.state, account.last_error.is_none()), (AccountState::SignedIn, true));
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&alice));

    rig.pass(s(3600)).await;
    rig.refused(&mail()).await;
    assert_eq!(refreshes(&rig).len(), 2);
    rig.fake.clear();
    rig.token(&never()).await;
    // A person signs in then, as ever.
    rig.sign_in_with(&TokenRequest { interaction: None, ..mail() }, "alice").await;
}

#[tokio::test(start_paused = true)]
async fn any_other_refusal_falls_back_to_a_person_and_leaves_the_lender_alone() {
    let rig = sharing();
    rig.sign_in("alice").await;
    for (suberror, number) in [("bad_token", 700_082), ("basic_action", 50_076), ("consent_required", 65_001)] {
        rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some(suberror), number));
        let refused = rig.refused(&mail()).await;
        assert_eq!(refused.error.as_str(), "interaction_required", "{suberror}");
        rig.token(&forced(never())).await;
        let sent = refreshes(&rig).len();
        rig.refused(&mail()).await;
        assert_eq!(refreshes(&rig).len(), sent, "{suberror}: the same is not asked again");
        rig.pass(s(3601)).await;
    }
    let mut call = rig.call(&TokenRequest { interaction: None, ..mail() });
    rig.fake.script(Grant::RefreshToken, client_mismatch());
    rig.fake.approve(&call.prompt().await.user_code, "alice");
    assert_eq!(call.token().await.profile, "mail");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_as_one_and_not_remembered() {
    let rig = sharing();
    rig.sign_in("alice").await;
    rig.fake.always(Grant::RefreshToken, Fault::CloseConnection);
    assert_eq!(rig.refused(&mail()).await.error.as_str(), "provider_unreachable");
    rig.fake.clear();
    rig.pass(s(2)).await;
    rig.token(&mail()).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_somebody_else_is_dropped() {
    let rig = sharing();
    rig.sign_in("alice").await;
    for client_info in [json!("eyJ1aWQiOiJldmUiLCJ1dGlkIjoidCJ9"), json!(null)] {
        rig.fake.reconfigure(|options| {
            options.token_overrides.insert("client_info".into(), client_info);
            options.token_overrides.insert("id_token".into(), json!(null));
        });
        assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required");
        assert_eq!(rig.client.accounts().await.unwrap().accounts.len(), 1);
        rig.pass(s(3601)).await;
    }
    assert_eq!(refreshes(&rig).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_is_replaced_by_the_familys() {
    let rig = sharing();
    rig.sign_in("alice").await;
    sign_in_too(&rig, "mail", "alice").await;
    rig.fake.revoke_family(1);
    let token = rig.token(&forced(mail())).await;
    assert_eq!(token.profile, "mail");
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 2);
    let states: Vec<_> = rig.client.accounts().await.unwrap().accounts.iter().map(|account| account.state).collect();
    assert_eq!(states, [AccountState::SignedIn; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_living_grant_that_wants_a_person_borrows_nothing() {
    let rig = sharing();
    rig.sign_in("alice").await;
    sign_in_too(&rig, "mail", "alice").await;
    rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("basic_action"), 50_076));
    assert_eq!(rig.refused(&forced(mail())).await.error.as_str(), "interaction_required");
    assert_eq!(refreshes(&rig).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_several_users_the_one_named_lends_and_nobody_is_guessed() {
    let rig = sharing();
    rig.sign_in("alice").await;
    sign_in_too(&rig, "work", "bob").await;
    assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required");
    assert_eq!(refreshes(&rig).len(), 0);
    let bob = rig.token(&TokenRequest { account: Some("BOB@example.com".into()), ..mail() }).await;
    assert_eq!(bob.account.username, "bob@example.com");
    assert_eq!(rig.token(&mail()).await.account.id, bob.account.id);
    let nobody = TokenRequest { account: Some("eve@example.com".into()), ..mail() };
    assert_eq!(rig.refused(&nobody).await.error.as_str(), "interaction_required");
}

#[tokio::test(start_paused = true)]
async fn signing_the_borrower_out_does_not_touch_the_lender() {
    let rig = sharing();
    let lender = rig.sign_in("alice").await;
    let borrower = rig.token(&mail()).await.account.id;
    rig.client.sign_out(&borrower).await.unwrap();
    assert_eq!(rig.account().await.id, lender.account.id);
    rig.token(&forced(never())).await;
    // Asked again, the profile borrows again: signing out of everything means signing out of the lender.
    rig.token(&mail()).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lent_to_another_cloud() {
    let config = format!(
        "{}{}",
        profile("work", ENTRA_CLIENT_ID, "share_family = true"),
        profile("mail", MAIL, "share_family = true").replace("7001", "7002")
    );
    let rig = Rig::setup()
        .provider(|options| {
            options.rotation = Rotation::Tolerant;
            options.family_clients = vec![ENTRA_CLIENT_ID.into(), MAIL.into()];
        })
        .config(Some(&config))
        .start();
    rig.sign_in_with(&TokenRequest { profile: Some("work".into()), ..interactive() }, "alice").await;
    assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required");
    assert_eq!((rig.fake.count(Grant::RefreshToken), rig.other.count(Grant::RefreshToken)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_tenants_or_resources_refusal_leaves_the_others_served() {
    let rig = sharing();
    rig.sign_in("alice").await;
    let guest = TokenRequest { tenant: Some("fabrikam.onmicrosoft.com".into()), ..never() };
    let vault = scopes(&["https://vault.azure.net/.default"]);
    for (refused, served) in [(&guest, &vault), (&vault, &guest)] {
        rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("basic_action"), 50_076));
        assert_eq!(rig.refused(&forced(refused.clone())).await.error.as_str(), "interaction_required");
        rig.token(&forced(served.clone())).await;
        rig.token(&forced(never())).await;
        // What was refused is remembered for so long.
        rig.pass(s(120)).await;
        rig.token(&forced(refused.clone())).await;
    }
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}

#[tokio::test(start_paused = true)]
async fn tenants_do_not_share_tokens_whatever_they_are_called() {
    let rig = sharing();
    let home = rig.sign_in("alice").await;
    let tenant = |name: &str| TokenRequest { tenant: Some(name.into()), ..never() };
    let (contoso, fabrikam) = ("c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-4000-8000-000000000002");
    let issued_by = |token: &str| rig.fake.access_token(token).unwrap().tenant.unwrap();
    for (name, id) in [("fabrikam.onmicrosoft.com", fabrikam), (fabrikam, fabrikam), (contoso, contoso)] {
        for _ in 0..2 {
            assert_eq!(issued_by(exposed(&rig.token(&tenant(name)).await)), id, "{name}");
        }
    }
    assert_eq!(exposed(&rig.token(&never()).await), exposed(&home));
    assert_eq!(refreshes(&rig).len(), 3, "one for each name");
}

#[tokio::test(start_paused = true)]
async fn a_loan_that_hangs_does_not_hold_up_a_sign_out() {
    let rig = sharing();
    let id = rig.sign_in("alice").await.account.id;
    rig.fake.always(Grant::RefreshToken, Fault::Hang);
    let borrower = rig.background(&mail());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let start = tokio::time::Instant::now();
    rig.new_client().sign_out(&id).await.unwrap();
    assert!(start.elapsed() <= s(15), "{:?}", start.elapsed());
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
    assert_eq!(borrower.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
}

/// The same for who joins a loan.
#[tokio::test(start_paused = true)]
async fn a_challenge_is_passed_on_by_who_joins_anothers_loan() {
    let rig = sharing();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let first = rig.background(&mail());
    gate.arrived().await;
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": "1"}}});
    let second = rig.background(&TokenRequest { claims: claims.as_object().cloned(), ..mail() });
    rig.pass(s(1)).await;
    gate.open();
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_ne!(exposed(&first), exposed(&second));
    assert!(rig.fake.log().iter().any(|request| request.field("claims").is_some_and(|it| it.contains("nbf"))));
}
