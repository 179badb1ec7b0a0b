//! Does a sign-in outlive `kill -9` at any moment of a refresh, and of the start after it?

#![expect(clippy::print_stdout, reason = "`just score` reads the figures")]

use std::time::Duration;

use support::fake_as::{Options, Rotation};
use support::figures::{Set, kills};
use support::processes::binaries;

/// Of each kind of provider; `BROKERD_KILLS` asks for another number.
fn each() -> usize {
    std::env::var("BROKERD_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(55)
}

async fn kill(rotation: Rotation) -> kills::Killed {
    let mut set = Set::new(binaries(), Options { rotation, ..Options::default() }).await.unwrap();
    let seed = fastrand::u64(..);
    println!("{rotation:?}: seed {seed}");
    let killed = kills::during_refresh(&mut set, each(), &mut fastrand::Rng::with_seed(seed)).await.unwrap();
    println!("{rotation:?}: {killed:?}");
    assert!(killed.in_the_air > 0, "no kill came in the middle of a refresh");
    killed
}

#[tokio::test]
async fn no_kill_loses_a_sign_in_where_the_old_refresh_token_stays_good() {
    assert_eq!(kill(Rotation::Tolerant).await.lost, 0);
}

#[tokio::test]
async fn no_kill_loses_a_sign_in_where_there_is_a_grace_period() {
    assert_eq!(kill(Rotation::Grace(Duration::from_secs(30))).await.lost, 0);
}

#[tokio::test]
async fn no_kill_loses_a_sign_in_where_refresh_tokens_do_not_rotate() {
    assert_eq!(kill(Rotation::None).await.lost, 0);
}

/// What is answered and not yet saved is lost there: no order of writes can help. Nothing else is.
#[tokio::test]
async fn a_strict_provider_ends_a_sign_in_only_by_a_token_that_was_sent() {
    assert_eq!(kill(Rotation::Strict).await.avoidable, 0);
}
