//! Who got a token, and who did not: one line each, and never the token.

use broker_client::TokenRequest;
use support::fake_as::{Fault, Grant};
use support::rig::{Rig, exposed, interactive, never, s, scopes};

/// The audit lines so far.
fn lines(rig: &Rig) -> Vec<String> {
    let log = rig.log();
    log.lines().filter(|line| line.contains("INFO brokerd::audit:")).map(ToOwned::to_owned).collect()
}

/// A field of the newest line.
fn last(rig: &Rig, field: &str) -> Option<String> {
    let line = lines(rig).pop()?;
    let (_, rest) = line.split_once(&format!(" {field}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[tokio::test(start_paused = true)]
async fn every_token_handed_out_has_one_line_that_says_where_it_came_from() {
    let rig = Rig::start();
    let forced = TokenRequest { force_refresh: true, ..never() };
    let token = rig.sign_in("alice").await;
    assert_eq!(lines(&rig).len(), 1, "{:#?}", lines(&rig));
    assert_eq!(last(&rig, "source").as_deref(), Some("sign_in"));
    let first = last(&rig, "token").expect("a fingerprint");
    rig.token(&never()).await;
    assert_eq!(last(&rig, "source").as_deref(), Some("memory"));
    assert_eq!(last(&rig, "token").as_ref(), Some(&first), "the same token");
    let account = token.account.id;
    for (field, value) in
        [("outcome", "granted"), ("profile", "work"), ("account", &account), ("scope", token.scope.as_str())]
    {
        assert_eq!(last(&rig, field).as_deref(), Some(value), "{field}");
    }
    let another = rig.token(&forced).await;
    assert_eq!(last(&rig, "source").as_deref(), Some("refresh"));
    assert_ne!(last(&rig, "token"), Some(first), "another token");
    assert_eq!(lines(&rig).len(), 3);
    assert!(!lines(&rig).iter().any(|line| line.contains(exposed(&another))));

    // The provider is away: the last token serves.
    rig.pass(s(3500)).await;
    rig.fake.always(Grant::RefreshToken, Fault::status(503));
    rig.token(&never()).await;
    assert_eq!(last(&rig, "source").as_deref(), Some("memory"));

    // As many lines as callers, however few refreshes.
    rig.fake.clear();
    rig.expire().await;
    let before = lines(&rig).len();
    let callers: Vec<_> = (0..20).map(|_| rig.background(&never())).collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(lines(&rig).len() - before, 20);
}

#[tokio::test(start_paused = true)]
async fn every_token_refused_has_one_line_with_what_was_asked_for() {
    let rig = Rig::start();
    rig.refused(&TokenRequest { account: Some("eve\n\u{1b}[2J".into()), ..scopes(&["read"]) }).await;
    let line = lines(&rig).pop().expect("a line");
    assert!(line.contains(r#"account="eve\n\u{1b}[2J" scope="read" error="interaction_required""#), "{line}");
    assert_eq!(last(&rig, "outcome").as_deref(), Some("refused"));

    rig.refused(&TokenRequest { profile: Some("x".repeat(5000)), ..never() }).await;
    assert_eq!(last(&rig, "profile").map(|name| name.len()), Some(200), "no longer than a line bears");
    assert_eq!(last(&rig, "error").as_deref(), Some("unknown_profile"));

    let web_page = rig.post("/v1/token", "{}").replace("host:", "origin: https://evil.example\r\nhost:");
    for (request, error) in [
        (rig.post("/v1/token", "{"), "bad_request"),
        (rig.post("/v1/token", r#"{"profil": "work"}"#), "unsupported_field"),
        (web_page, "forbidden"),
    ] {
        let before = lines(&rig).len();
        rig.raw(&request).await;
        assert_eq!((lines(&rig).len(), last(&rig, "error").as_deref()), (before + 1, Some(error)));
    }

    let mut call = rig.call(&interactive());
    let prompt = call.prompt().await;
    rig.fake.deny(&prompt.user_code);
    call.failure().await;
    assert_eq!(last(&rig, "error").as_deref(), Some("access_denied"));
}

#[tokio::test(start_paused = true)]
async fn a_login_and_a_caller_that_leaves_have_none() {
    let rig = Rig::start();
    let mut login = rig.login(&interactive());
    rig.fake.approve(&login.prompt().await.user_code, "alice");
    login.next().await.unwrap().unwrap();
    let mut call = rig.call(&TokenRequest { account: Some("bob@example.com".into()), ..interactive() });
    call.prompt().await;
    drop(call);
    rig.client.status().await.unwrap();
    assert_eq!(lines(&rig), [""; 0]);
}
