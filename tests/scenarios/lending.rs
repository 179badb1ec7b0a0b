//! Loans between the profiles of a family that are refused, late, or overtaken by a change.

use broker_client::TokenRequest;
use support::fake_as::{Client, ENTRA_CLIENT_ID, Fault, Grant, Rotation};
use support::rig::{Rig, exposed, interactive, never, s};

use crate::family::{MAIL, client_mismatch, forced, mail, profile, refreshes, rig, sharing, sign_in_too};

/// The client of the profile `cal`.
const CAL: &str = "33333333-2222-3333-4444-555555555555";

/// The profiles `work`, `mail` and `cal` of one family.
fn three() -> Rig {
    let clients = [("work", ENTRA_CLIENT_ID), ("mail", MAIL), ("cal", CAL)];
    let profiles = clients.map(|(name, client_id)| profile(name, client_id, "share_family = true"));
    Rig::setup()
        .provider(|options| {
            options.rotation = Rotation::Tolerant;
            options.clients.extend([MAIL, CAL].map(Client::public));
            options.family_clients = clients.map(|(_, client_id)| client_id.to_owned()).into();
        })
        .config(Some(&format!("default_profile = \"work\"\n{}", profiles.concat())))
        .start()
}

fn cal() -> TokenRequest {
    TokenRequest { profile: Some("cal".into()), ..never() }
}

fn odd() -> TokenRequest {
    TokenRequest { scopes: vec!["Odd.Scope".into()], ..mail() }
}

fn consent_required() -> Fault {
    Fault::aadsts("invalid_grant", Some("consent_required"), 65_001)
}

fn rewrite(rig: &Rig, change: impl FnOnce(String) -> String) {
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&change(config));
}

#[tokio::test(start_paused = true)]
async fn a_new_sign_in_of_the_lender_lends_at_once() {
    let rig = sharing();
    rig.sign_in("alice").await;
    rig.fake.revoke_user("alice");
    assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required");
    assert_eq!(rig.refused(&forced(never())).await.error.as_str(), "interaction_required");
    rig.sign_in_with(&TokenRequest { force_refresh: true, ..interactive() }, "alice").await;
    rig.token(&mail()).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_profile_on_either_side_forgets_refusals() {
    for changed in ["work", "mail"] {
        let rig = sharing();
        rig.sign_in("alice").await;
        rig.fake.script(Grant::RefreshToken, client_mismatch());
        rig.refused(&mail()).await;
        let sent = refreshes(&rig).len();
        rig.client.reload().await.unwrap();
        rig.refused(&mail()).await;
        assert_eq!(refreshes(&rig).len(), sent, "nothing was changed");
        rewrite(&rig, |config| {
            let (head, tail) = config.split_once(&format!("[profiles.{changed}]")).unwrap();
            let tail = tail.replacen("\"User.Read\"", "\"User.Read\", \"Mail.Read\"", 1);
            format!("{head}[profiles.{changed}]{tail}")
        });
        assert_eq!(rig.client.reload().await.unwrap().changed, [changed]);
        rig.token(&mail()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_client_secret_of_the_borrower_forgets_refusals() {
    let rig = rig("share_family = true", "share_family = true\nclient_secret = \"keyring\"", true);
    rig.fake.reconfigure(|options| {
        options.clients.retain(|client| client.id != MAIL);
        options.clients.push(Client::confidential(MAIL, "right"));
    });
    rig.sign_in("alice").await;
    rig.client.set_client_secret("mail", &"wrong".into()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(rig.refused(&mail()).await.error.as_str(), "interaction_required");
    }
    assert_eq!(refreshes(&rig).len(), 1);
    rig.client.set_client_secret("mail", &"right".into()).await.unwrap();
    rig.token(&mail()).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_was_asked_before_a_sign_in_is_not_remembered_after_it() {
    let rig = sharing();
    rig.sign_in("alice").await;
    rig.fake.revoke_user("alice");
    let alices = TokenRequest { account: Some("alice@example.com".into()), ..mail() };
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let borrowing = rig.background(&alices);
    gate.arrived().await;
    sign_in_too(&rig, "mail", "bob").await;
    gate.open();
    borrowing.await.unwrap().unwrap_err();
    let sent = refreshes(&rig).len();
    for _ in 0..3 {
        rig.refused(&alices).await;
    }
    assert_eq!(refreshes(&rig).len(), sent + 1, "asked again, and remembered then");
}

#[tokio::test(start_paused = true)]
async fn a_loan_refused_for_what_another_asked_is_tried_once_for_ones_own() {
    let rig = sharing();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    rig.fake.script(Grant::RefreshToken, consent_required());
    let own = rig.background(&forced(never()));
    gate.arrived().await;
    let bad: Vec<_> = (0..2).map(|_| rig.background(&odd())).collect();
    rig.pass(s(1)).await;
    let good: Vec<_> = (0..3).map(|_| rig.background(&mail())).collect();
    rig.pass(s(1)).await;
    gate.open();
    own.await.unwrap().unwrap();
    for bad in bad {
        assert_eq!(bad.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
    }
    for good in good {
        good.await.unwrap().unwrap();
    }
    assert_eq!(refreshes(&rig).len(), 3, "the lender's own, the odd one, and one for all the others");
}

#[tokio::test(start_paused = true)]
async fn the_next_lender_is_asked_where_one_is_refused() {
    let rig = three();
    rig.sign_in("alice").await;
    sign_in_too(&rig, "mail", "alice").await;
    // That of mail, which comes first, is dead at the provider.
    rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("bad_token"), 700_082));
    rig.token(&cal()).await;
    assert_eq!(refreshes(&rig).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_outside_the_family_asks_one_lender_only_and_an_outage_is_asked_once() {
    for (fault, code) in [
        (client_mismatch(), "interaction_required"),
        (Fault::throttled(60), "throttled"),
        (Fault::Html, "provider_error"),
    ] {
        let rig = three();
        rig.sign_in("alice").await;
        sign_in_too(&rig, "mail", "alice").await;
        rig.fake.always(Grant::RefreshToken, fault.clone());
        assert_eq!(rig.refused(&cal()).await.error.as_str(), code);
        assert_eq!(refreshes(&rig).len(), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loan_for_a_replaced_client_is_not_joined_nor_kept() {
    let rig = three();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let old = rig.background(&mail());
    gate.arrived().await;
    rewrite(&rig, |config| {
        let (head, tail) = config.split_once("[profiles.cal]").unwrap();
        format!("{}[profiles.cal]{}", head.replacen(MAIL, CAL, 1), tail.replacen(CAL, MAIL, 1))
    });
    rig.client.reload().await.unwrap();
    let new = rig.background(&mail());
    rig.pass(s(1)).await;
    gate.open();
    let token = new.await.unwrap().unwrap();
    let clients: Vec<_> = refreshes(&rig).iter().map(|sent| sent.field("client_id").unwrap().to_owned()).collect();
    assert_eq!(clients, [MAIL, CAL]);
    assert_eq!(old.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
    assert_eq!(exposed(&rig.token(&mail()).await), exposed(&token));
}

#[tokio::test(start_paused = true)]
async fn a_change_made_while_a_loan_waits_for_its_turn_counts() {
    let no = ("share_family = true", "share_family = false");
    for (profile, (from, to)) in [("work", no), ("mail", no), ("work", (ENTRA_CLIENT_ID, CAL)), ("mail", (MAIL, CAL))] {
        let rig = sharing();
        rig.sign_in("alice").await;
        let gate = rig.fake.hold(Grant::RefreshToken);
        let own = rig.background(&forced(never()));
        gate.arrived().await;
        let borrowing = rig.background(&mail());
        rig.pass(s(1)).await;
        rewrite(&rig, |config| {
            let (head, tail) = config.split_once(&format!("[profiles.{profile}]")).unwrap();
            format!("{head}[profiles.{profile}]{}", tail.replacen(from, to, 1))
        });
        assert_eq!(rig.client.reload().await.unwrap().changed, [profile]);
        gate.open();
        own.await.unwrap().unwrap();
        let refused = borrowing.await.unwrap().unwrap_err();
        assert_eq!(refused.code().as_str(), "interaction_required", "{profile} {to}");
        assert_eq!(refreshes(&rig).len(), 1, "nothing was lent: {profile} {to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loan_does_not_bring_back_who_signed_out_meanwhile() {
    let rig = sharing();
    rig.sign_in("alice").await;
    sign_in_too(&rig, "mail", "alice").await;
    let accounts = rig.client.accounts().await.unwrap().accounts;
    let id = &accounts.iter().find(|account| account.profile == "mail").unwrap().id;
    rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("bad_token"), 700_082));
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let borrowing = rig.background(&forced(mail()));
    gate.arrived().await;
    rig.client.sign_out(id).await.unwrap();
    gate.open();
    assert_eq!(borrowing.await.unwrap().unwrap_err().code().as_str(), "interaction_required");
    assert_eq!(rig.account().await.profile, "work", "and no other");
}
