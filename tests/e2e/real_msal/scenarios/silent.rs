//! Without a person: from the cache, by a refresh, and when that is refused or nobody answers.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use support::fake_as::{Endpoint, Fault, Grant};
use tokio::time::{self, Instant};

use super::{
    ALICE, BOB, CHALLENGE, MAIL_READ, POLICY, Play, STORAGE, USER_READ, VAULT, ask, code, json_status, refusal,
};
use crate::real_msal::side::{Ask, Side};

pub(super) fn silent(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        const BOTH: &[&str] = &["Calendars.Read", "User.Read"];
        side.sign_in(BOTH, "alice").await?;
        for (step, asked) in [
            ("the same scopes", ask(BOTH)),
            ("some of them", ask(USER_READ)),
            ("in other letters", ask(&["user.read"])),
            ("more scopes", ask(&["Calendars.Read", "Mail.Read", "User.Read"])),
            ("another resource's `.default`", ask(VAULT)),
            ("that again", ask(VAULT)),
            ("forced", Ask { force: true, ..ask(VAULT) }),
        ] {
            let outcome = side.silent(Ask { username: Some(ALICE), ..asked }).await?;
            side.row(step, outcome);
        }
        Ok(())
    })
}

pub(super) fn two_accounts(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        let code = code(side, Ask { username: Some(BOB), ..ask(USER_READ) }).await?;
        side.server.approve(&code, "bob");
        side.finish().await?;
        side.skip();
        let accounts = side.accounts().await?;
        side.row("who is signed in", accounts);
        for (step, username) in [
            ("one by name", Some(BOB)),
            ("in other letters", Some("Alice@Example.COM")),
            ("somebody unknown", Some("carol@example.com")),
            ("nobody in particular", None),
        ] {
            let outcome = side.silent(Ask { username, ..ask(USER_READ) }).await?;
            side.row(step, outcome);
        }
        Ok(())
    })
}

pub(super) fn expired(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        time::sleep(Duration::from_millis(1500)).await;
        let outcome = side.silent(ask(USER_READ)).await?;
        side.row("silent", outcome);
        Ok(())
    })
}

pub(super) fn short_token(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        for step in ["silent", "silent again"] {
            let outcome = side.silent(ask(USER_READ)).await?;
            side.row(step, outcome);
        }
        Ok(())
    })
}

/// A real clock: the time has to pass.
async fn until_stale(side: &Side) {
    time::sleep(Duration::from_millis(if side.is_brokerd() { 6300 } else { 2200 })).await;
}

pub(super) fn stale(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        until_stale(side).await;
        side.server.reconfigure(|options| options.token_overrides.clear());
        let outcome = side.silent(ask(USER_READ)).await?;
        side.server.wait_for_count(Grant::RefreshToken, 1).await;
        side.row("silent", outcome);
        Ok(())
    })
}

pub(super) fn stale_in_an_outage(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        until_stale(side).await;
        let busy =
            r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: scripted.","error_codes":[90033]}"#;
        side.server.script(Grant::RefreshToken, json_status(400, busy, &[]));
        let outcome = side.silent(ask(USER_READ)).await?;
        side.server.wait_for_count(Grant::RefreshToken, 1).await;
        side.row("silent", outcome);
        Ok(())
    })
}

pub(super) fn claims(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        let outcome = side.silent(Ask { claims: Some(CHALLENGE), ..ask(USER_READ) }).await?;
        let refresh = side.server.log().into_iter().rfind(|request| request.is(Grant::RefreshToken));
        let sent: Option<Value> =
            refresh.and_then(|refresh| serde_json::from_str(refresh.field("claims").unwrap_or_default()).ok());
        ensure!(sent == serde_json::from_str(CHALLENGE).ok(), "{sent:?}");
        side.row("silent, with it", outcome);
        let outcome = side.silent(ask(USER_READ)).await?;
        side.row("silent, without it", outcome);
        side.sign_out(ALICE).await?;
        side.skip();
        let gate = side.server.hold(Grant::DeviceCode);
        let code = code(side, Ask { claims: Some(CHALLENGE), ..ask(USER_READ) }).await?;
        side.server.approve(&code, "alice");
        gate.open();
        let outcome = side.finish().await?;
        side.row("sign-in, with it", outcome);
        Ok(())
    })
}

/// A refusal for one resource: what is said, what is asked again, and what becomes of the rest.
async fn refused(side: &mut Side, fault: Fault) -> Result<()> {
    side.sign_in(USER_READ, "alice").await?;
    side.server.script(Grant::RefreshToken, fault);
    let outcome = side.silent(ask(VAULT)).await?;
    side.row("silent, for a resource", outcome);
    let outcome = side.silent(ask(VAULT)).await?;
    side.row("again at once, with the cause gone", outcome);
    let outcome = side.silent(ask(STORAGE)).await?;
    side.row("for another resource", outcome);
    Ok(())
}

pub(super) fn basic_action(side: &mut Side) -> Play<'_> {
    Box::pin(refused(side, refusal("basic_action", 50_076, Some(POLICY))))
}

pub(super) fn consent_required(side: &mut Side) -> Play<'_> {
    Box::pin(refused(side, refusal("consent_required", 65_001, None)))
}

pub(super) fn message_only(side: &mut Side) -> Play<'_> {
    Box::pin(refused(side, refusal("message_only", 53_003, Some(POLICY))))
}

pub(super) fn bad_token(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        side.server.revoke_user("alice");
        for (step, scopes) in [
            ("silent, for a resource", VAULT),
            ("again at once", VAULT),
            ("for another resource", STORAGE),
            ("for the scopes at hand", USER_READ),
        ] {
            let outcome = side.silent(ask(scopes)).await?;
            side.row(step, outcome);
        }
        Ok(())
    })
}

pub(super) fn outage(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        side.server.always(Grant::RefreshToken, Fault::status(503));
        let outcome = side.silent(ask(USER_READ)).await?;
        side.row("silent, four minutes of the token left", outcome);
        let begun = Instant::now();
        let outcome = side.silent(Ask { force: true, ..ask(USER_READ) }).await?;
        side.row("forced", outcome);
        let outcome = side.silent(ask(VAULT)).await?;
        side.row("for another resource", outcome);
        let outcome = side.silent(ask(VAULT)).await?;
        side.row("that again at once", outcome);
        side.within_the_pauses(begun, 2);
        Ok(())
    })
}

pub(super) fn throttled(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        let busy =
            r#"{"error":"temporarily_unavailable","error_description":"AADSTS90055: scripted.","error_codes":[90055]}"#;
        side.server.script(Grant::RefreshToken, json_status(429, busy, &[("retry-after", "60")]));
        for (step, scopes) in [
            ("silent, for a resource", VAULT),
            ("again at once", VAULT),
            ("for another resource", MAIL_READ),
            ("for the scopes at hand", USER_READ),
        ] {
            let outcome = side.silent(ask(scopes)).await?;
            side.row(step, outcome);
        }
        Ok(())
    })
}

pub(super) fn html(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        side.server.script(Grant::RefreshToken, Fault::Html);
        let begun = Instant::now();
        let outcome = side.silent(ask(VAULT)).await?;
        side.row("silent, for a resource", outcome);
        let outcome = side.silent(ask(VAULT)).await?;
        side.row("again, with the page gone", outcome);
        side.within_the_pauses(begun, 1);
        Ok(())
    })
}

pub(super) fn sign_out(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.sign_in(USER_READ, "alice").await?;
        let outcome = side.sign_out(ALICE).await?;
        side.row("sign-out", outcome);
        let accounts = side.accounts().await?;
        side.row("who is signed in", accounts);
        let outcome = side.silent(ask(USER_READ)).await?;
        side.row("silent", outcome);
        ensure!(side.server.count(Endpoint::Revocation) == 0, "there is nothing to revoke with");
        Ok(())
    })
}
