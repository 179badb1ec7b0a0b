//! A real keyring, and the bus that it is reached over.

use anyhow::{Context as _, Result};
use futures_util::future::join_all;
use support::processes::binaries;

use super::{Scene, Trouble, When};
use crate::real_parts::GnomeKeyring;
use crate::stage::Stage;

type Row = (&'static str, &'static str, &'static [When], Deed, Deed);
type Deed = fn(&GnomeKeyring) -> Result<()>;

/// What, what callers are told, when it comes, how it comes, how it goes. `real_keyring` has the other times.
const TROUBLES: [Row; 3] = [
    (
        "the keyring is locked",
        "keyring_locked",
        &[When::InARefresh, When::BeforeASignIn, When::InASignIn],
        GnomeKeyring::lock,
        GnomeKeyring::unlock,
    ),
    (
        "the keyring is killed",
        "keyring_unavailable",
        &[When::BeforeTheStart, When::InARefresh, When::BeforeASignIn, When::InASignIn],
        GnomeKeyring::kill,
        GnomeKeyring::start_again,
    ),
    (
        "the session bus is killed, and the keyring with it",
        "keyring_unavailable",
        &When::ALL,
        end_session,
        begin_session,
    ),
];

fn end_session(keyring: &GnomeKeyring) -> Result<()> {
    keyring.kill_bus()?;
    keyring.kill()
}

fn begin_session(keyring: &GnomeKeyring) -> Result<()> {
    keyring.start_bus_again()?;
    keyring.start_again()
}

async fn row(keyring: GnomeKeyring, (what, code, _, comes, goes): Row, when: When) -> Result<()> {
    let stage = Stage::new().await;
    let config = format!("[store]\nkind = \"keyring\"\n{}", stage.profile("work"));
    let bus = keyring.env().find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS").context("a session bus")?;
    let environment = vec![(bus.0.to_owned(), bus.1.to_owned())];
    let scene = Scene { stage, config, environment, binaries: binaries().clone() };
    let hint = if code == "keyring_locked" { "unlock the keyring" } else { "start the keyring service" };
    let trouble = Trouble { code, hint, comes: Box::new(|| comes(&keyring)), goes: Box::new(|| goes(&keyring)) };
    scene.survives(&trouble, when).await.with_context(|| format!("{what}, {when:?}"))
}

#[tokio::test]
async fn a_keyring_or_a_bus_that_goes_and_comes_costs_no_sign_in() -> Result<()> {
    let test = "faults::keyring::a_keyring_or_a_bus_that_goes_and_comes_costs_no_sign_in";
    for trouble in TROUBLES {
        let mut rows = Vec::new();
        for &when in trouble.2 {
            let Some(keyring) = GnomeKeyring::start(test)? else { return Ok(()) };
            rows.push(row(keyring, trouble, when));
        }
        join_all(rows).await.into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}
