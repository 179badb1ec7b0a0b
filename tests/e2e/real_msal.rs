//! MSAL for Python against the server of these tests, and beside brokerd.
//!
//! MSAL holds the server to the truth: a client that nobody here wrote must get on with its dialect. Then both go through
//! the same scenarios, and `docs/MSAL.md` shows what was seen.

mod msal;
mod outcome;
mod scenarios;
mod side;
mod table;
mod wire;

use anyhow::{Context, Result, bail};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use support::fake_as::Ca;

use self::scenarios::{ALL, Scenario};
use self::side::{Setup, Side, Who};
use self::table::Compared;

#[tokio::test]
async fn side_by_side_as_the_document_has_it() -> Result<()> {
    let test = "real_msal::side_by_side_as_the_document_has_it";
    let Some(python) = msal::python(test)? else { return Ok(()) };
    let ca = Ca::new();
    let both = async |scenario: &'static Scenario| -> Result<Compared> {
        let msal = async {
            let mut side = Side::msal(&setup(scenario, Who::Msal), &ca, &python).await?;
            (scenario.play)(&mut side).await?;
            anyhow::Ok(side.rows)
        };
        let brokerd = async {
            for _ in 0..5 {
                let mut side = Side::brokerd(&setup(scenario, Who::Brokerd), &ca).await?;
                (scenario.play)(&mut side).await?;
                if !side.late {
                    return Ok(side.rows);
                }
            }
            bail!("this machine is too slow to see it")
        };
        let msal = async { msal.await.with_context(|| format!("MSAL: {}", scenario.name)) };
        let brokerd = async { brokerd.await.with_context(|| format!("brokerd: {}", scenario.name)) };
        let (msal, brokerd) = tokio::try_join!(msal, brokerd)?;
        Ok(Compared { name: scenario.name, msal, brokerd })
    };
    // Most of the time goes into waiting for polls: several at a time.
    let seen: Vec<_> = stream::iter(ALL).map(both).buffered(8).try_collect().await?;
    table::check(&seen)
}

fn setup(scenario: &Scenario, who: Who) -> Setup {
    let mut setup = Setup::of(who);
    (scenario.setup)(&mut setup);
    setup
}
