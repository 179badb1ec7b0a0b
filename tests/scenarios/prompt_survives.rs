//! A pending prompt and the end of the daemon: what the next one makes of it.

use broker_client::{DevicePrompt, TokenRequest};
use brokerd::store::memory::{MemoryStore, Operation, OperationKind};
use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Call, Rig, interactive, never, s};

/// A daemon that died with a prompt pending, some polls into it. Its client is still there.
async fn cut_off(rig: &mut Rig) -> (Call, DevicePrompt) {
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
    rig.crash().await;
    (call, prompt)
}

/// The prompts a daemon says are pending.
async fn pending(rig: &Rig) -> Vec<String> {
    rig.client.prompts().await.unwrap().prompts.into_iter().map(|prompt| prompt.id).collect()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_goes_on_with_the_prompt_it_has_shown() {
    for graceful in [false, true] {
        let mut rig = Rig::start();
        let mut call = rig.call(&interactive());
        let prompt = call.prompt().await;
        let waiting = rig.spawn(async move { call.token().await });
        rig.fake.wait_for_count(Grant::DeviceCode, 1).await;
        if graceful {
            rig.stop().await;
        } else {
            rig.crash().await;
        }
        rig.pass(s(4)).await;
        rig.run();
        rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
        assert_eq!(pending(&rig).await, [prompt.id.as_str()]);
        rig.fake.approve(&prompt.user_code, "alice");
        // No second prompt: it would not be a token that comes next.
        waiting.await.unwrap();
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "graceful: {graceful}");
        rig.expire().await;
        rig.token(&never()).await;
        assert_eq!(rig.store.raw_keys().len(), 1, "the grant, and no record of the prompt");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_shown_as_it_was_with_the_time_it_has_left() {
    let mut rig = Rig::start();
    let (call, old) = cut_off(&mut rig).await;
    drop(call);
    rig.run();
    let new = rig.call(&interactive()).prompt().await;
    let left = new.expires_in;
    assert!(left < old.expires_in, "{left}");
    assert_eq!(DevicePrompt { expires_in: old.expires_in, ..new }, old);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_nobody_comes_back_for_ends_after_half_a_minute_unpolled() {
    let mut rig = Rig::start();
    let (call, prompt) = cut_off(&mut rig).await;
    drop(call);
    let polls = rig.fake.count(Grant::DeviceCode);
    rig.run();
    rig.pass(s(29)).await;
    assert_eq!(pending(&rig).await, [prompt.id]);
    rig.pass(s(2)).await;
    assert!(pending(&rig).await.is_empty());
    assert_eq!(rig.fake.count(Grant::DeviceCode), polls);
    assert!(rig.store.raw_keys().is_empty(), "{:?}", rig.store.raw_keys());
    rig.restart().await;
    assert!(pending(&rig).await.is_empty(), "and it stays ended");
}

#[tokio::test(start_paused = true)]
async fn the_interval_is_kept_across_the_restart_as_slow_down_left_it() {
    let mut rig = Rig::start();
    rig.fake.script(Grant::DeviceCode, Fault::oauth("slow_down"));
    let (call, prompt) = cut_off(&mut rig).await;
    let waiting = rig.spawn(async move { call.token().await });
    let polls = rig.fake.count(Grant::DeviceCode);
    rig.run();
    rig.pass(s(8)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), polls, "the interval is ten seconds by now");
    rig.pass(s(4)).await;
    assert_eq!(rig.fake.count(Grant::DeviceCode), polls + 1);
    rig.fake.approve(&prompt.user_code, "alice");
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_code_whose_grant_was_saved_is_never_polled_again() {
    let mut rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    // The next write is the grant's; then the store fails, so that the record of the prompt stays.
    rig.store.fail_after(Some(1));
    rig.fake.approve(&prompt.user_code, "alice");
    call.token().await;
    rig.pass(s(1)).await;
    assert_eq!(rig.store.raw_keys().len(), 2, "the grant and the prompt");
    rig.store.fail_after(None);
    rig.crash().await;
    let polls = rig.fake.count(Grant::DeviceCode);
    rig.run();
    // Polled once more, the code would end the grant at this provider; a login would join it.
    assert_ne!(rig.login(&interactive()).prompt().await.id, prompt.id);
    rig.pass(s(60)).await;
    rig.token(&never()).await;
    assert_eq!((rig.fake.count(Grant::DeviceCode), rig.fake.revoked_families().len()), (polls, 0));
    assert_eq!(rig.store.raw_keys().len(), 1, "the record is gone now");
}

#[tokio::test(start_paused = true)]
async fn a_consent_is_noted_before_its_grant_is_saved() {
    let mut rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.store.set_hanging(true);
    rig.fake.approve(&prompt.user_code, "alice");
    rig.fake
        .wait_for(|log| log.iter().any(|request| request.is(Grant::DeviceCode) && request.status == Some(200)))
        .await;
    rig.pass(s(1)).await;
    drop(call);
    rig.crash().await;
    let polls = rig.fake.count(Grant::DeviceCode);
    rig.run();
    // The grant went with the daemon. Its code is spent, and whoever asks is shown another.
    assert_ne!(rig.call(&interactive()).prompt().await.id, prompt.id);
    assert_eq!(rig.fake.count(Grant::DeviceCode), polls);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_at_start_is_waited_for() {
    let mut rig = Rig::start();
    let mut other = rig.call(&TokenRequest { profile: Some("other".into()), ..interactive() });
    let elsewhere = other.prompt().await;
    let (call, prompt) = cut_off(&mut rig).await;
    let waiting = [rig.spawn(async move { call.token().await }), rig.spawn(async move { other.token().await })];
    rig.store.set_hanging(true);
    rig.run();
    rig.pass(s(3)).await;
    rig.store.set_hanging(false);
    rig.pass(s(1)).await;
    rig.fake.approve(&prompt.user_code, "alice");
    rig.other.approve(&elsewhere.user_code, "bob");
    for waiting in waiting {
        waiting.await.unwrap();
    }
    let asked = [&rig.fake, &rig.other].map(|provider| provider.count(Endpoint::DeviceAuthorization));
    assert_eq!(asked, [1, 1]);
}

/// As one with a passphrase always is until somebody gives it.
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_open_for_long_loses_no_prompt() {
    for trouble in [MemoryStore::set_locked, MemoryStore::set_failing, MemoryStore::set_hanging] {
        let mut rig = Rig::start();
        let (call, old) = cut_off(&mut rig).await;
        trouble(&rig.store, true);
        rig.run();
        // Nobody can be shown anything yet, and is told why.
        assert!(call.failure().await.error.as_str().starts_with("keyring_"));
        rig.pass(s(120)).await;
        trouble(&rig.store, false);
        let mut call = rig.call(&interactive());
        assert_eq!(call.prompt().await.id, old.id);
        rig.fake.approve(&old.user_code, "alice");
        call.token().await;
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_there_again_when_the_store_is() {
    for somebody_asks in [false, true] {
        let mut rig = Rig::start();
        let elsewhere = |request: TokenRequest| TokenRequest { profile: Some("other".into()), ..request };
        rig.sign_in_with(&elsewhere(interactive()), "bob").await;
        let (call, prompt) = cut_off(&mut rig).await;
        drop(call);
        rig.store.set_failing(true);
        rig.run();
        // Asked at the start, and after 5, 10 and 20 s more.
        rig.pass(s(36)).await;
        assert!(pending(&rig).await.is_empty());
        rig.store.set_failing(false);
        if somebody_asks {
            rig.token(&elsewhere(never())).await;
            rig.pass(s(1)).await;
        } else {
            rig.pass(s(40)).await;
        }
        assert_eq!(pending(&rig).await, [prompt.id], "somebody asks: {somebody_asks}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_opens_is_asked_until_the_code_has_run_out() {
    let mut rig = Rig::start();
    let (call, old) = cut_off(&mut rig).await;
    drop(call);
    let gets = |rig: &Rig| {
        let is_get = |operation: &&Operation| operation.kind == OperationKind::Get;
        rig.store.operations().iter().filter(is_get).count()
    };
    rig.store.set_failing(true);
    rig.store.clear_operations();
    rig.run();
    rig.pass(s(600)).await;
    assert_eq!(gets(&rig), 7, "at the start, then after 5 s, and pauses that double");
    rig.pass(s(600)).await;
    rig.store.clear_operations();
    rig.pass(s(3600)).await;
    assert_eq!(gets(&rig), 0);
    rig.store.set_failing(false);
    assert_ne!(rig.call(&interactive()).prompt().await.id, old.id);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_whose_record_is_damaged_is_forgotten() {
    let mut rig = Rig::start();
    let (mut call, old) = cut_off(&mut rig).await;
    let [key] = rig.store.raw_keys().try_into().unwrap();
    rig.store.set_raw(&key, b"brokerd:1:damaged");
    rig.run();
    let new = call.next().await.unwrap();
    assert!(!format!("{new:?}").contains(&old.user_code), "{new:?}");
    assert!(!rig.store.raw_keys().contains(&key));
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_with_the_daemon_is_told_as_what_it_is() {
    let mut rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    let gate = rig.fake.hold_answer(Grant::DeviceCode);
    rig.fake.approve(&prompt.user_code, "alice");
    gate.arrived().await;
    rig.crash().await;
    rig.run();
    let failure = call.failure().await;
    assert_eq!(failure.error.as_str(), "expired_token");
    assert!(failure.error_description.contains("its answer was lost"), "{failure:?}");
    assert!(rig.store.raw_keys().is_empty());
    rig.sign_in("alice").await;
}

#[tokio::test(start_paused = true)]
async fn a_code_that_runs_out_later_is_not_called_lost() {
    let mut rig = Rig::start();
    let (call, _) = cut_off(&mut rig).await;
    rig.run();
    let failure = call.failure().await;
    assert_eq!(failure.error.as_str(), "expired_token");
    assert!(!failure.error_description.contains("lost"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_prompt_does_not_come_back() {
    let mut rig = Rig::start();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    // Not even where its record cannot be deleted.
    rig.store.set_failing(true);
    rig.client.cancel_prompt(&prompt.id).await.unwrap();
    assert_eq!(call.failure().await.error.as_str(), "cancelled");
    rig.pass(s(1)).await;
    rig.store.set_failing(false);
    rig.crash().await;
    rig.run();
    let new = rig.call(&interactive()).prompt().await;
    assert_ne!(new.id, prompt.id);
}

#[tokio::test(start_paused = true)]
async fn where_it_cannot_be_gone_on_with_a_new_prompt_comes_at_once() {
    for locked in [true, false] {
        let mut rig = Rig::start();
        let (mut call, old) = cut_off(&mut rig).await;
        if locked {
            rig.store.set_locked(true);
        } else {
            let config = std::fs::read_to_string(rig.config_file()).unwrap();
            rig.write_config(&config.replace("client_id = \"cli\"", "client_id = \"confidential\""));
        }
        rig.run();
        if locked {
            assert_eq!(call.failure().await.error.as_str(), "keyring_locked");
        } else {
            let new = call.next().await.unwrap();
            assert!(!format!("{new:?}").contains(&old.user_code), "{new:?}");
        }
        rig.store.set_locked(false);
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_up_of_an_account_survives_as_that() {
    let mut rig = Rig::start();
    let account = rig.sign_in("alice").await.account;
    let more = TokenRequest { scopes: vec!["admin".into()], ..interactive() };
    let mut call = rig.call(&more);
    let prompt = call.prompt().await;
    rig.crash().await;
    rig.run();
    let waiting = rig.spawn(async move { call.failure().await });
    rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
    assert_eq!(pending(&rig).await, [prompt.id.as_str()]);
    rig.fake.approve(&prompt.user_code, "bob");
    assert_eq!(waiting.await.unwrap().error.as_str(), "account_mismatch");
    assert_eq!(rig.account().await.id, account.id);
}

#[tokio::test(start_paused = true)]
async fn one_client_that_comes_back_and_leaves_does_not_end_it_for_the_others() {
    let mut rig = Rig::start();
    let (call, prompt) = cut_off(&mut rig).await;
    drop(call);
    rig.run();
    rig.pass(s(1)).await;
    assert_eq!(rig.call(&interactive()).prompt().await.id, prompt.id);
    rig.pass(s(20)).await;
    assert_eq!(rig.call(&interactive()).prompt().await.id, prompt.id, "30 s for its clients to come back");
    rig.pass(s(20)).await;
    assert!(pending(&rig).await.is_empty(), "and no longer");
}

#[tokio::test(start_paused = true)]
async fn a_code_that_goes_on_ends_when_it_says() {
    let mut rig = Rig::start();
    let begun = tokio::time::Instant::now();
    let (call, prompt) = cut_off(&mut rig).await;
    drop(call);
    rig.run();
    rig.pass(s(29)).await;
    let mut call = rig.call(&interactive());
    assert_eq!(call.prompt().await.id, prompt.id);
    assert_eq!(call.failure().await.error.as_str(), "expired_token");
    let late = begun.elapsed().as_secs().saturating_sub(prompt.expires_in);
    assert!(late <= 2, "{late} s late");
}

#[tokio::test(start_paused = true)]
async fn a_kept_code_goes_to_no_other_client_or_issuer() {
    for (from, to) in [("client_id = \"cli\"", "client_id = \"confidential\""), ("127.0.0.1:7001", "127.0.0.1:7002")] {
        let mut rig = Rig::start();
        let (call, prompt) = cut_off(&mut rig).await;
        drop(call);
        let polls = rig.fake.count(Grant::DeviceCode);
        let config = std::fs::read_to_string(rig.config_file()).unwrap();
        rig.write_config(&config.replacen(from, to, 1));
        rig.run();
        drop(rig.call(&interactive()).next().await);
        rig.pass(s(20)).await;
        assert!(!pending(&rig).await.contains(&prompt.id));
        assert_eq!(rig.fake.count(Grant::DeviceCode), polls, "{to}");
        assert!(!rig.other.log().iter().any(|request| request.is(Grant::DeviceCode)), "{to}");
    }
}

/// Each time may open a dialog.
#[tokio::test(start_paused = true)]
async fn a_locked_store_is_not_asked_again_before_somebody_comes() {
    let mut rig = Rig::start();
    let (call, old) = cut_off(&mut rig).await;
    drop(call);
    rig.store.set_locked(true);
    rig.store.clear_operations();
    rig.run();
    rig.pass(s(300)).await;
    assert_eq!(rig.store.operations().iter().filter(|operation| operation.kind == OperationKind::Get).count(), 1);
    rig.store.set_locked(false);
    assert_eq!(rig.call(&interactive()).prompt().await.id, old.id);
}
