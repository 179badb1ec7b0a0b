//! Corners where something was wrong once: other issuers, odd answers, absurd numbers, moments between two steps.

use broker_client::{AccountState, TokenRequest};
use serde_json::json;
use support::fake_as::{Client, Endpoint, Fault, Grant, RefreshTokens, Rotation};
use support::rig::{Rig, exposed, interactive, never, s, scopes, sha256};

fn forced() -> TokenRequest {
    TokenRequest { force_refresh: true, ..never() }
}

/// The machine slept, or the keyring was locked over lunch.
#[tokio::test(start_paused = true)]
async fn a_token_that_expired_while_it_waited_for_its_save_is_not_served() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let gate = rig.fake.hold_answer(Grant::RefreshToken);
    let caller = rig.background(&forced());
    gate.arrived().await;
    rig.store.set_locked(true);
    gate.open();
    caller.await.unwrap().unwrap_err();
    rig.expire().await;
    rig.expire().await;
    rig.store.set_locked(false);
    let served = rig.token(&never()).await;
    let now = 1_800_000_000 + 2 * 3601;
    assert!(served.expires_on.unwrap() > now, "expired {} s ago", now - served.expires_on.unwrap());
}

/// Another tenant is the same account (`authorities`); another cloud is not.
#[tokio::test(start_paused = true)]
async fn a_changed_cloud_needs_another_sign_in_and_gets_it() {
    let rig = Rig::setup().entra("").start();
    rig.sign_in("alice").await;
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    rig.write_config(&config.replace("//127.0.0.1:", "//localhost:"));
    rig.client.reload().await.unwrap();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.token(&never()).await;
    let accounts = rig.client.accounts().await.unwrap().accounts;
    let states: Vec<_> = accounts.iter().map(|account| account.state).collect();
    assert!(states.contains(&AccountState::SignedIn) && states.contains(&AccountState::NoProfile), "{accounts:?}");
}

/// The consent came while the profile changed.
#[tokio::test(start_paused = true)]
async fn a_token_of_a_sign_in_at_the_old_profile_is_not_served_under_the_new_one() {
    let rig = Rig::setup().provider(|options| options.clients.push(Client::public("new"))).start();
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    let gate = rig.fake.hold_answer(Grant::DeviceCode);
    rig.fake.approve(&prompt.user_code, "alice");
    let waiting = rig.spawn(async move { call.token().await });
    gate.arrived().await;
    rig.write_config(&config.replacen("\"cli\"", "\"new\"", 1));
    rig.client.reload().await.unwrap();
    gate.open();
    waiting.await.unwrap();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "interaction_required");
}

/// Neither a page nor a gateway ends a sign-in.
#[tokio::test(start_paused = true)]
async fn no_page_and_no_gateway_ends_a_sign_in() {
    let page = "<html><script>go('/login?a=1&error=invalid_grant&b=2')</script></html>";
    let rig = Rig::start();
    rig.sign_in("alice").await;
    for (code, body) in [(200, page), (400, page), (502, r#"{"error":"invalid_grant"}"#)] {
        rig.expire().await;
        rig.fake.always(
            Grant::RefreshToken,
            Fault::Status { code, body: body.into(), content_type: "text/html".into(), headers: Vec::new() },
        );
        let refused = rig.refused(&never()).await;
        rig.fake.clear();
        assert_eq!(refused.error.as_str(), "provider_error", "{code} {body}");
        rig.pass(s(2)).await;
        rig.token(&never()).await;
    }
}

/// Nor is a page a token.
#[tokio::test(start_paused = true)]
async fn a_page_is_no_token() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let body = "<html><a href='/cb?x=1&access_token=gotcha&y=2'>go on</a></html>".into();
    let page = Fault::Status { code: 200, body, content_type: "text/html".into(), headers: Vec::new() };
    rig.fake.script(Grant::RefreshToken, page);
    assert_eq!(rig.refused(&never()).await.error.as_str(), "provider_error");
}

/// Spring's servers say "Invalid refresh token: <the token>".
#[tokio::test(start_paused = true)]
async fn a_server_that_quotes_the_refresh_token_does_not_make_us_tell_it() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let token = rig.fake.secrets().into_iter().find(|secret| secret.kind == "refresh_token").unwrap().value;
    let quoting = Fault::Oauth {
        error: "invalid_grant".into(),
        description: format!("Invalid refresh token: {token}"),
        extra: json!({"error_codes": [1]}).as_object().unwrap().clone(),
    };
    rig.fake.always(Grant::RefreshToken, quoting);
    let refused = rig.refused(&never()).await;
    assert!(!format!("{refused:?}").contains(&token), "{refused:?}");
    let accounts = rig.client.accounts().await.unwrap();
    assert!(!serde_json::to_string(&accounts).unwrap().contains(&token));
}

/// `openid` alone is Graph's, and not whatever is at hand.
#[tokio::test(start_paused = true)]
async fn a_request_for_no_access_is_not_served_by_a_token_for_some_other_resource() {
    let rig = Rig::setup().entra("").start();
    rig.sign_in("alice").await;
    rig.pass(s(60)).await;
    let vault = rig.token(&scopes(&["https://vault.azure.net/.default"])).await;
    let identity = rig.token(&scopes(&["openid", "profile"])).await;
    assert_ne!(exposed(&identity), exposed(&vault));
}

/// A long-lived token that a resource refused, refused again.
#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_not_served_again_whenever_the_store_opens() {
    let mut rig = Rig::setup()
        .provider(|options| {
            options.refresh_tokens = RefreshTokens::Never;
            options.token_overrides.insert("expires_in".into(), json!(null));
        })
        .start();
    let token = rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.set_locked(true);
    rig.run();
    rig.pass(s(1)).await;
    rig.store.set_locked(false);
    let reject = TokenRequest { reject_token_sha256: Some(sha256(&token)), ..never() };
    assert_eq!(rig.refused(&reject).await.error.as_str(), "interaction_required");
}

/// "forget locally always".
#[tokio::test(start_paused = true)]
async fn an_account_whose_record_is_damaged_can_be_signed_out() {
    let mut rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.stop().await;
    rig.store.set_raw(&id, b"brokerd:1:damaged");
    rig.run();
    assert_eq!(rig.refused(&never()).await.error.as_str(), "keyring_unavailable");
    rig.client.sign_out(&id).await.unwrap();
    assert_eq!(rig.store.raw_keys(), Vec::<String>::new());
}

/// A narrower sign-in does not shorten the one there is.
#[tokio::test(start_paused = true)]
async fn a_sign_in_without_a_refresh_token_keeps_the_one_there_is() {
    let rig = Rig::start();
    let id = rig.sign_in("alice").await.account.id;
    rig.fake.reconfigure(|options| options.refresh_tokens = RefreshTokens::Never);
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    rig.fake.reconfigure(|options| options.refresh_tokens = RefreshTokens::WithOfflineAccess);
    rig.expire().await;
    assert_eq!(rig.token(&never()).await.account.id, id);
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 2);
}

/// Nor does it where the one there is could not be read just then.
#[tokio::test(start_paused = true)]
async fn a_sign_in_without_a_refresh_token_replaces_none_that_cannot_be_read() {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    rig.stop().await;
    rig.store.fail_next_gets(usize::MAX);
    rig.run();
    rig.pass(s(1)).await;
    rig.fake.reconfigure(|options| options.refresh_tokens = RefreshTokens::Never);
    rig.store.fail_next_gets(0);
    let mut login = rig.login(&interactive());
    let prompt = login.prompt().await;
    rig.store.fail_next_gets(usize::MAX);
    rig.fake.approve(&prompt.user_code, "alice");
    assert_eq!(login.failure().await.error.as_str(), "keyring_unavailable");
    rig.store.fail_next_gets(0);
    rig.fake.reconfigure(|options| options.refresh_tokens = RefreshTokens::WithOfflineAccess);
    rig.restart().await;
    rig.token(&never()).await;
}

/// Who logs in for more than the sign-in under way brings is not told that it has it.
#[tokio::test(start_paused = true)]
async fn a_login_for_other_scopes_is_not_done_by_somebody_elses() {
    let rig = Rig::start();
    let mut first = rig.call(&interactive());
    let prompt = first.prompt().await;
    let mut login = rig.login(&TokenRequest { scopes: vec!["admin".into()], ..interactive() });
    let waiting = rig.spawn(async move {
        let mut asked = Vec::new();
        while let Some(Ok(event)) = login.next().await {
            match event {
                broker_client::TokenEvent::DevicePrompt(prompt) => asked.extend(prompt.scopes),
                _ => break,
            }
        }
        asked
    });
    rig.pass(s(1)).await;
    rig.fake.approve(&prompt.user_code, "alice");
    first.token().await;
    rig.pass(s(1)).await;
    for code in rig.fake.pending_user_codes() {
        rig.fake.approve(&code, "alice");
    }
    assert!(waiting.await.unwrap().contains(&"admin".to_owned()), "nobody was asked for admin");
}

/// The refresh token at hand stays good, so the token is not endless.
#[tokio::test(start_paused = true)]
async fn a_refreshed_token_without_a_life_has_the_default_one() {
    let rig = Rig::setup()
        .provider(|options| {
            options.rotation = Rotation::None;
            options.token_overrides.insert("expires_in".into(), json!(null));
        })
        .start();
    rig.sign_in("alice").await;
    assert!(rig.token(&forced()).await.expires_on.is_some());
}

/// The old issuer's refresh token is not sent to the new one.
#[tokio::test(start_paused = true)]
async fn signing_out_after_the_issuer_changed_sends_the_token_to_nobody_else() {
    let rig = Rig::start();
    let config = std::fs::read_to_string(rig.config_file()).unwrap();
    let id = rig.sign_in("alice").await.account.id;
    rig.write_config(&config.replacen("127.0.0.1:7001", "127.0.0.1:7002", 1));
    rig.client.reload().await.unwrap();
    let signed_out = rig.client.sign_out(&id).await.unwrap();
    let token = rig.fake.secrets().into_iter().find(|secret| secret.kind == "refresh_token").unwrap().value;
    assert_eq!(rig.other.count(Endpoint::Revocation), 0, "{signed_out:?}, {} bytes of token", token.len());
}

/// Whatever a program asks for.
#[tokio::test(start_paused = true)]
async fn an_absurd_timeout_is_no_panic() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.token(&TokenRequest { timeout: Some(u64::MAX), ..never() }).await;
}

/// open: bytes after a chunked request are the client's leaving too, or at least do not hide it.
#[tokio::test(start_paused = true)]
async fn bytes_after_a_chunked_request_do_not_hide_that_the_client_left() {
    let rig = Rig::start();
    let mut wire = rig.wire().await;
    wire.send("POST /v1/token HTTP/1.1\r\nhost: brokerd\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET /").await;
    drop(tokio::time::timeout(s(5), wire.answer()).await);
    drop(wire);
    rig.pass(s(60)).await;
    assert_eq!(rig.client.prompts().await.unwrap().prompts.len(), 0);
}

/// A provider that says `refresh_in: 0`.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_stale_from_birth_does_not_refresh_for_every_caller() {
    let rig = Rig::setup()
        .provider(|options| {
            options.token_overrides.insert("refresh_in".into(), json!(0));
        })
        .start();
    rig.sign_in("alice").await;
    for _ in 0..20 {
        rig.token(&never()).await;
        rig.pass(s(1)).await;
    }
    assert!(rig.fake.count(Grant::RefreshToken) < 3, "{}", rig.fake.count(Grant::RefreshToken));
}

/// As from a variable that is not set.
#[tokio::test(start_paused = true)]
async fn an_empty_account_name_names_nobody() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refused = rig.refused(&TokenRequest { account: Some(String::new()), ..never() }).await;
    assert_eq!(refused.error.as_str(), "bad_request", "{refused:?}");
}

/// As a name that was mistyped.
#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_there_is_told_beside_those_that_are() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let refused = rig.refused(&TokenRequest { account: Some("alcie".into()), ..never() }).await;
    assert_eq!(refused.error.as_str(), "interaction_required", "{refused:?}");
    assert!(refused.error_description.contains("there are: alice"), "{refused:?}");
}

/// The same, where a person may sign in: the prompt tells them before they do.
#[tokio::test(start_paused = true)]
async fn a_prompt_for_an_account_that_is_not_there_tells_those_that_are() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let asked = |name: &str| TokenRequest { account: Some(name.into()), force_refresh: true, ..interactive() };
    let prompt = rig.call(&asked("alcie")).prompt().await;
    let others = [prompt.other_accounts.as_slice(), prompt.account.as_slice()].concat();
    assert!(others[0].starts_with("alice") && others[1] == "alcie", "{prompt:?}");
    // Nobody is told of others where the name is right, or none was given.
    let login = rig.login(&TokenRequest { account: Some(others[0].clone()), ..interactive() }).prompt().await;
    assert_eq!((login.account.as_ref(), login.other_accounts.len()), (Some(&others[0]), 0), "{login:?}");
}

/// It may be anybody's word, and the prompt is shown in terminals and by notifications.
#[tokio::test(start_paused = true)]
async fn the_name_of_an_account_that_is_not_there_steers_nothing() {
    let rig = Rig::start();
    for (name, shown) in [("al\u{1b}[2J\u{202e}ice\n", Some("al [2Jice")), ("\u{200b}", None)] {
        let prompt = rig.call(&TokenRequest { account: Some(name.into()), ..interactive() }).prompt().await;
        assert_eq!(prompt.account.as_deref(), shown, "{prompt:?}");
    }
}

/// As from a shell that quotes the whole list.
#[tokio::test(start_paused = true)]
async fn a_list_of_scopes_in_one_is_told_how_to_be_several() {
    let rig = Rig::start();
    for list in ["a b", ""] {
        let refused = rig.refused(&TokenRequest { scopes: vec![list.into()], ..never() }).await;
        assert_eq!(refused.error.as_str(), "bad_request", "{refused:?}");
        assert!(refused.hint.is_some_and(|hint| hint.contains("repeat -s")), "{list:?}");
    }
}

/// What is not sent is not written.
#[tokio::test(start_paused = true)]
async fn a_closed_gate_writes_no_intent() {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, Fault::throttled(600));
    rig.refused(&never()).await;
    rig.store.clear_operations();
    for _ in 0..10 {
        rig.refused(&never()).await;
    }
    assert_eq!(rig.writes().len(), 0);
}

/// open: a grant without a refresh token is one token, for one resource.
#[tokio::test(start_paused = true)]
async fn a_long_lived_token_is_not_given_out_for_another_resource() {
    let rig = Rig::setup()
        .provider(|options| {
            options.refresh_tokens = RefreshTokens::Never;
            options.token_overrides.insert("expires_in".into(), json!(null));
        })
        .start();
    let token = rig.sign_in("alice").await;
    let files = TokenRequest { resource: Some("urn:files".into()), ..never() };
    let served = rig.new_client().access_token(&files, |_| {}).await;
    assert!(served.is_err(), "{}", exposed(&served.unwrap()) == exposed(&token));
}
