//! With a person: the device flow, and how it ends otherwise.

use std::time::Duration;

use anyhow::ensure;
use support::fake_as::{Fault, Grant};

use super::{Play, USER_READ, ask, code};
use crate::real_msal::side::Side;

pub(super) fn device_flow(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.row("the program starts", side.started());
        let gate = side.server.hold(Grant::DeviceCode);
        let code = code(side, ask(USER_READ)).await?;
        side.server.approve(&code, "alice");
        gate.open();
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        let accounts = side.accounts().await?;
        side.row("who is signed in", accounts);
        Ok(())
    })
}

pub(super) fn pending(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.skip();
        side.server.hold(Grant::DeviceCode).open();
        let second = side.server.hold(Grant::DeviceCode);
        let code = code(side, ask(USER_READ)).await?;
        second.arrived().await;
        side.server.approve(&code, "alice");
        second.open();
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        Ok(())
    })
}

pub(super) fn slow_down(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.skip();
        side.server.script(Grant::DeviceCode, Fault::SlowDown);
        let code = code(side, ask(USER_READ)).await?;
        side.server.approve(&code, "alice");
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        let polls: Vec<_> = side.server.log().into_iter().filter(|request| request.is(Grant::DeviceCode)).collect();
        let waited = polls[1].at.duration_since(polls[0].at);
        ensure!(waited >= Duration::from_secs(6), "the interval grew to six seconds, and it came after {waited:?}");
        Ok(())
    })
}

pub(super) fn declined(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.skip();
        let gate = side.server.hold(Grant::DeviceCode);
        let code = code(side, ask(USER_READ)).await?;
        side.server.deny(&code);
        gate.open();
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        Ok(())
    })
}

pub(super) fn runs_out(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.skip();
        code(side, ask(USER_READ)).await?;
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        Ok(())
    })
}

pub(super) fn expired_code(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.skip();
        side.server.script(Grant::DeviceCode, Fault::aadsts("expired_token", None, 70_020));
        code(side, ask(USER_READ)).await?;
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        Ok(())
    })
}

pub(super) fn refused_at_once(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        let refused = side.begin(ask(USER_READ)).await?;
        let Err(outcome) = refused else { anyhow::bail!("not refused") };
        side.row("start and sign-in", outcome);
        Ok(())
    })
}

pub(super) fn not_public(side: &mut Side) -> Play<'_> {
    Box::pin(async move {
        side.skip();
        let gate = side.server.hold(Grant::DeviceCode);
        let code = code(side, ask(USER_READ)).await?;
        side.server.approve(&code, "alice");
        gate.open();
        let outcome = side.finish().await?;
        side.row("sign-in", outcome);
        Ok(())
    })
}
