//! A sign-out or a sign-in has cut off a refresh that hung. Where the store refused the sign-out, the account goes on, and the
//! provider may be at work on that refresh still.

use std::time::Duration;

use broker_client::TokenRequest;
use support::fake_as::{Endpoint, Fault, Grant, RefreshTokens, Rotation};
use support::rig::{Rig, interactive, never, s, scopes};
use tokio::time::Instant;

use crate::family::{forced, mail, sharing};
use crate::stuck_store::deleted_meanwhile;

/// Signs alice out `after` a refresh began that hangs. The store refuses to delete the grant; then it is well again, and the provider.
async fn fail_to_sign_out(rig: &Rig, id: &str, hangs: &TokenRequest, after: Duration) {
    let before = rig.fake.count(Grant::RefreshToken);
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let hung = rig.background(hangs);
    rig.fake.wait_for_count(Grant::RefreshToken, before + 1).await;
    rig.pass(after).await;
    rig.store.fail_next_deletes(1);
    assert_eq!(rig.client.sign_out(id).await.unwrap_err().code().as_str(), "keyring_unavailable");
    // A borrower may sign in by itself.
    let told = if hangs.profile.is_some() { "interaction_required" } else { "provider_unreachable" };
    assert_eq!(hung.await.unwrap().unwrap_err().code().as_str(), told);
}

/// Alice's refresh was sent eleven seconds ago, and cut off now.
async fn cut_off() -> (Rig, String) {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    fail_to_sign_out(&rig, &id, &never(), s(1)).await;
    (rig, id)
}

/// When the refreshes were sent, from the first on.
fn sent(rig: &Rig) -> Vec<Duration> {
    let log = rig.fake.log();
    let times: Vec<_> =
        log.iter().filter(|request| request.is(Grant::RefreshToken)).map(|request| request.at).collect();
    times.iter().map(|at| *at - times[0]).collect()
}

/// Whether the person signed out at once or late: what counts is when the refresh was sent.
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_one_cut_off_would_have_ended() {
    for after in [1, 15] {
        let rig = Rig::start();
        let id = rig.sign_in("alice").await.account.id;
        rig.expire().await;
        fail_to_sign_out(&rig, &id, &never(), s(after)).await;
        for request in [never(), scopes(&["read"])] {
            let body = rig.refused(&request).await;
            assert_eq!((body.error.as_str(), body.retry_after), ("provider_unreachable", Some(21 - after)), "{body:?}");
        }
        assert_eq!(sent(&rig).len(), 1);
        rig.pass(s(21 - after)).await;
        rig.token(&never()).await;
        assert_eq!(sent(&rig)[1].as_secs(), 31);
        rig.token(&forced(never())).await;
    }
}

/// A refresh that met an error is tried twice.
#[tokio::test(start_paused = true)]
async fn of_two_tries_the_second_counts() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::status(500));
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let hung = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 2).await;
    rig.store.fail_next_deletes(1);
    rig.client.sign_out(&id).await.unwrap_err();
    hung.await.unwrap().unwrap_err();
    assert_eq!(rig.refused(&never()).await.retry_after, Some(21));
    rig.pass(s(21)).await;
    rig.token(&never()).await;
    let sent = sent(&rig);
    assert!(sent[2] >= sent[1] + s(30), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_can_do_with_the_token_at_hand_has_it_meanwhile() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    // It lives for three minutes more, which is too short for a caller who can have a better one.
    rig.pass(s(3600 - 180)).await;
    fail_to_sign_out(&rig, &id, &forced(never()), s(1)).await;
    let start = Instant::now();
    rig.token(&never()).await;
    assert!(start.elapsed() < s(1), "{:?}", start.elapsed());
    assert_eq!(sent(&rig).len(), 1);
}

/// The other grant is nobody's business.
#[tokio::test(start_paused = true)]
async fn a_new_sign_in_is_used_at_once() {
    let (rig, id) = cut_off().await;
    let mut call = rig.login(&interactive());
    let prompt = call.prompt().await;
    rig.fake.approve(&prompt.user_code, "alice");
    call.next().await.unwrap().unwrap();
    rig.token(&forced(never())).await;
    assert!(sent(&rig)[1] < s(20), "{:?}", sent(&rig));
    rig.client.sign_out(&id).await.unwrap();
}

/// Of a refresh that had not been sent the provider knows nothing.
#[tokio::test(start_paused = true)]
async fn one_cut_off_before_it_was_sent_holds_up_nobody() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.restart().await;
    rig.fake.script(Endpoint::Discovery, Fault::Hang);
    let hung = rig.background(&never());
    rig.fake.wait_for_count(Endpoint::Discovery, 2).await;
    rig.store.fail_next_deletes(1);
    rig.client.sign_out(&id).await.unwrap_err();
    hung.await.unwrap().unwrap();
    assert_eq!(sent(&rig).len(), 1);
    let said = serde_json::to_value(rig.client.sign_out(&id).await.unwrap()).unwrap();
    assert_eq!(said["revocation"], "revoked", "{said}");
}

/// Where a use does not spend the token there is no intent, and some rotate only now and then.
#[tokio::test(start_paused = true)]
async fn whoever_signs_out_is_told_of_it_though_the_provider_has_not_rotated_so_far() {
    let rig = Rig::setup().provider(|options| options.rotation = Rotation::None).start();
    let id = rig.sign_in("alice").await.account.id;
    rig.token(&forced(never())).await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let hung = rig.background(&forced(never()));
    rig.fake.wait_for_count(Grant::RefreshToken, 2).await;
    let said = serde_json::to_value(rig.client.sign_out(&id).await.unwrap()).unwrap();
    assert_eq!(said["revocation"], "failed", "{said}");
    hung.await.unwrap().unwrap_err();
}

/// A person has consented, and that is in memory alone while a refresh hangs.
#[tokio::test(start_paused = true)]
async fn a_consent_does_not_wait_for_a_refresh_that_hangs() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let waiting = [rig.background(&never()), rig.background(&scopes(&["read"]))];
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    let start = Instant::now();
    login.next().await.unwrap().unwrap();
    assert!(start.elapsed() < s(20), "{:?}", start.elapsed());
    assert!(!rig.record().contains("\"intent\""), "it is saved");
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    assert!(start.elapsed() < s(20), "{:?}: those who waited have their tokens by it", start.elapsed());
}

/// Where it is nothing but an access token, the grant that lasts goes on, and so does its refresh.
#[tokio::test(start_paused = true)]
async fn a_sign_in_that_does_not_last_cuts_nothing_off() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let waiting = rig.background(&never());
    gate.arrived().await;
    rig.fake.reconfigure(|options| options.refresh_tokens = RefreshTokens::Never);
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    let login = rig.spawn(async move { login.next().await });
    rig.pass(s(25)).await;
    gate.open();
    waiting.await.unwrap().unwrap();
    login.await.unwrap().unwrap().unwrap();
    rig.pass(s(60)).await;
    rig.token(&forced(never())).await;
}

#[tokio::test(start_paused = true)]
async fn nor_is_a_consent_lost_when_the_daemon_stops_meanwhile() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    drop(rig.background(&never()));
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    let consented = rig.fake.hold_answer(Grant::DeviceCode);
    let login = rig.spawn(async move { login.next().await });
    consented.arrived().await;
    consented.open();
    let start = Instant::now();
    rig.stop().await;
    assert!(start.elapsed() < s(3), "{:?}", start.elapsed());
    login.await.unwrap().unwrap().unwrap();
    rig.fake.revoke_family(0);
    rig.run();
    rig.token(&never()).await;
}

/// A refresh that saves first what could not be saved may hang only after that, when the sign-out waits already.
#[tokio::test(start_paused = true)]
async fn a_sign_out_that_came_during_a_save_cuts_off_what_hangs_after_it() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.expire().await;
    rig.store.fail_after(Some(1)); // the intent goes through, and the successor does not
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_unavailable");
    rig.store.set_hanging(true);
    rig.store.fail_after(None);
    rig.fake.always(Grant::RefreshToken, Fault::Hang);
    let hangs = rig.background(&forced(never()));
    let client = rig.new_client();
    let signing_out = rig.spawn(async move { client.sign_out(&id).await });
    rig.pass(s(2)).await;
    let start = Instant::now();
    rig.store.set_hanging(false);
    signing_out.await.unwrap().unwrap();
    assert!(start.elapsed() < s(15), "{:?}", start.elapsed());
    hangs.await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_next_sign_out_revokes_what_the_store_has_no_longer() {
    let (rig, id, _hung) = deleted_meanwhile(Fault::Hang).await;
    let said = serde_json::to_value(rig.client.sign_out(&id).await.unwrap()).unwrap();
    assert_eq!(said["revocation"], "failed", "{said}");
    assert!(rig.fake.families()[0].revoked.is_some(), "and not nothing to revoke");
}

#[tokio::test(start_paused = true)]
async fn nor_is_it_lost_where_that_one_fails_as_well() {
    let (mut rig, id, _hung) = deleted_meanwhile(Fault::Hang).await;
    rig.store.fail_next_deletes(1);
    rig.client.sign_out(&id).await.unwrap_err();
    rig.pass(s(60)).await;
    rig.token(&TokenRequest { profile: Some("other".into()), ..forced(never()) }).await;
    rig.pass(s(1)).await;
    assert!(rig.store.raw_keys().contains(&id), "it was written once more");
    rig.crash().await;
    rig.run();
    rig.token(&never()).await;
}

/// Whoever borrows is not asked to sign in because the lender was.
#[tokio::test(start_paused = true)]
async fn a_loan_cut_off_by_a_sign_in_is_to_be_asked_for_again() {
    let rig = sharing();
    rig.sign_in("alice").await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let borrowing = rig.background(&mail());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    assert_eq!(borrowing.await.unwrap().unwrap_err().code().as_str(), "provider_unreachable");
    rig.token(&mail()).await;
}

/// What a reload made of a refresh that was cut off is not the next one's.
#[tokio::test(start_paused = true)]
async fn a_token_that_comes_after_a_cut_is_kept_though_the_profile_changed_before() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::Hang);
    let hung = rig.background(&never());
    rig.fake.wait_for_count(Grant::RefreshToken, 1).await;
    hung.abort(); // nobody waits for another
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replacen("client_id = \"cli\"", "client_id = \"cli\"\npkce = true", 1));
    assert_eq!(rig.client.reload().await.unwrap().changed, ["work"]);
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    let sent = sent(&rig).len();
    rig.token(&never()).await;
    assert_eq!(self::sent(&rig).len(), sent, "it is at hand");
}

/// A loan is by the lender's refresh token, and so are the lender's own refreshes.
#[tokio::test(start_paused = true)]
async fn a_loan_cut_off_and_a_loan_after_a_cut_are_as_a_refresh() {
    let rig = sharing();
    let id = rig.sign_in("alice").await.account.id;
    for [hangs, next] in [[mail(), forced(never())], [forced(never()), mail()]] {
        let before = sent(&rig).len();
        fail_to_sign_out(&rig, &id, &hangs, s(0)).await;
        assert_eq!(rig.refused(&next).await.error.as_str(), "provider_unreachable");
        assert_eq!(sent(&rig).len(), before + 1);
        rig.pass(s(30)).await;
        rig.token(&forced(never())).await;
    }
}
